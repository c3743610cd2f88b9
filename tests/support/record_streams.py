"""Records the streams of `tests/unit/data` anew: `python -m tests.support.record_streams [--pull IMAGE]`.

Needs an engine (`DOCKER_HOST`) with `busybox:latest`, whose build cache it prunes: give it one of its own. Every
`NAME.jsonl` is what `docker buildx build --progress=rawjson` wrote to stderr, byte for byte; `NAME.history.jsonl` is
what `buildx history logs` says of the same build; `NAME.Dockerfile` is what was built. `--pull` names an image on a
registry that the engine does not have, for the stream of a FROM that fetches layers.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).parents[1] / "unit" / "data"
BUILDX = ("docker", "buildx")

WEBAPP = """\
FROM busybox AS base
WORKDIR /app
COPY requirements.txt .
RUN cat requirements.txt > /deps

FROM base AS assets
COPY src/ src/
RUN mkdir /out && cat src/* > /out/bundle && printf 'one\\rtwo\\n\\033[31mred\\033[0m\\n'

FROM base AS final
COPY --from=assets /out /out
COPY --link requirements.txt /copy
CMD ["cat", "/out/bundle"]
"""
FAILED = """\
FROM busybox AS slow
RUN sleep 20

FROM busybox AS broken
RUN echo first && echo 'context canceled' >&2 && exit 3
RUN echo never

FROM busybox
COPY --from=broken /etc /a
COPY --from=slow /etc /b
"""
CANCELED = """\
FROM busybox AS build
RUN echo begun
RUN echo waiting && sleep 60
RUN echo never
"""
PLATFORMS = """\
FROM --platform=$BUILDPLATFORM busybox AS build
WORKDIR /src
ARG TARGETARCH
RUN echo for-$TARGETARCH > /src/out

FROM scratch AS final
COPY --from=build /src/out /out
COPY data /data
"""
SOLE = "FROM busybox\nRUN echo one\nCOPY data /data\n"
PADDED = "FROM busybox AS many\n" + "".join(f"RUN echo {n}\n" for n in range(2, 12))
WARNINGS = 'FROM busybox as lower\nMAINTAINER someone\nENV key value\nRUN echo "$nothing"\nCMD echo hello\n'
LINK = "FROM busybox AS only\nRUN echo base\nCOPY --link data /data\nCOPY --link --chmod=0600 data /again\n"


@dataclass(frozen=True)
class Scene:
    """A project and what is built of it, one build after the other; `edit` comes before the build of its name."""

    dockerfile: str
    builds: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    edit: dict[str, tuple[str, str]] = field(default_factory=dict)
    stop_at: str = ""
    """Ctrl-C as soon as the stream holds this."""


SCENES = (
    Scene(
        WEBAPP,
        ("first", "all-hit", "one-miss"),
        {"requirements.txt": "flask\n", "src/main.py": "print(1)\n", "src/util.py": ""},
        edit={"one-miss": ("src/main.py", "print(2)\n")},
    ),
    Scene(FAILED, ("failed",)),
    Scene(CANCELED, ("canceled",), stop_at='"data":"d2FpdGluZ'),
    Scene(PLATFORMS, ("platforms",), {"data": "x"}, ("--platform", "linux/amd64,linux/arm64")),
    Scene(SOLE, ("sole",), {"data": "x"}),
    Scene(PADDED, ("padded",)),
    Scene(WARNINGS, ("warnings",)),
    Scene(
        LINK,
        ("link", "link-base-ran"),
        {"data": "x"},
        edit={"link-base-ran": ("Dockerfile", LINK.replace("echo base", "echo other"))},
    ),
)


def record(scene: Scene) -> None:
    """Build a scene and keep its streams."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, "Dockerfile", scene.dockerfile)
        for path, text in scene.files.items():
            _write(folder, path, text)
        for build in scene.builds:
            if build in scene.edit:
                _write(folder, *scene.edit[build])
            _keep(build, folder, _stream(folder, scene.options, scene.stop_at))


def record_pull(image: str) -> None:
    """Build upon an image that has to be fetched."""
    with tempfile.TemporaryDirectory() as name:
        _write(Path(name), "Dockerfile", f"FROM {image}\nRUN echo fetched\n")
        _keep("pull", Path(name), _stream(Path(name), (), ""))


def _stream(folder: Path, options: tuple[str, ...], stop_at: str) -> bytes:
    command = [*BUILDX, "build", "--progress=rawjson", *options, "."]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if stop_at and stop_at.encode() in line:
            process.send_signal(signal.SIGINT)
    process.wait()
    return b"".join(lines)


def _keep(name: str, folder: Path, stream: bytes) -> None:
    if b"/tmp" in stream:
        raise SystemExit(f"{name}: the stream names a folder of this machine")
    (DATA / f"{name}.jsonl").write_bytes(stream)
    (DATA / f"{name}.Dockerfile").write_bytes((folder / "Dockerfile").read_bytes())
    listed = _ask("history", "ls", "--format", "json").splitlines()
    ref = max((json.loads(line) for line in listed), key=lambda row: str(row["created_at"]))["ref"].rpartition("/")[2]
    (DATA / f"{name}.history.jsonl").write_bytes(_ask("history", "logs", ref, "--progress=rawjson"))


def _ask(*words: str) -> bytes:
    """`history logs` writes its stream to stderr, `history ls` its list to stdout."""
    done = subprocess.run([*BUILDX, *words], capture_output=True, check=True)
    return done.stdout or done.stderr


def _write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


def main(argv: list[str] | None = None) -> None:
    """Prune, and record every scene."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pull", default="")
    image = parser.parse_args(argv).pull
    DATA.mkdir(exist_ok=True)
    _ask("prune", "--all", "--force")
    for scene in SCENES:
        record(scene)
    if image:
        record_pull(image)


if __name__ == "__main__":
    main()
