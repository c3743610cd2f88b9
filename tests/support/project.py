"""A fresh project folder for a test, and short ways to change it as an editor would."""

import os
from pathlib import Path


class Project:
    """The folder `path`, with the files that a test writes into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, content: str | bytes = "", *, mode: int | None = None) -> Path:
        """Write a file in place, with the folders above it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            path.chmod(mode)
        return path

    def save(self, name: str, content: str | bytes) -> Path:
        """Write a file as editors do that rename the new one over the old."""
        path = self.path / name
        beside = self.write(f"{name}.{os.getpid()}~", content)
        beside.replace(path)
        return path

    def dockerfile(self, text: str, name: str = "Dockerfile") -> Path:
        """Write the Dockerfile; what all its lines are indented by is taken off."""
        lines = text.strip("\n").splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        return self.write(name, "\n".join(line[indent:] for line in lines).rstrip() + "\n")

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def remove(self, name: str) -> None:
        (self.path / name).unlink()
