"""What can be done before a build: functions that give a deed."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from typing import TYPE_CHECKING

from tests.matrix.case import Deed

if TYPE_CHECKING:
    from tests.matrix.runner import Run


def write(name: str, text: str) -> Deed:
    """Write a file; the nonce follows its text."""
    return lambda run: run.write(name, text)


def exactly(name: str, text: str) -> Deed:
    """Write a file that holds this text and nothing else."""
    return lambda run: run.write(name, text, bare=True)


def delete(name: str) -> Deed:
    """Remove a file or a folder."""

    def deed(run: Run) -> None:
        path = run.project / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    return deed


def rename(old: str, new: str) -> Deed:
    """Rename a file or a folder."""
    return lambda run: (run.project / old).rename(run.project / new)


def chmod(name: str, mode: int) -> Deed:
    """Set the mode of a path."""
    return lambda run: (run.project / name).chmod(mode)


def chown(name: str, owner: int) -> Deed:
    """Give a file to somebody else."""
    return lambda run: shutil.chown(run.project / name, owner, owner)


def link(name: str, target: str) -> Deed:
    """Make a symbolic link, in place of what is there."""

    def deed(run: Run) -> None:
        path = run.project / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return deed


def folder(name: str) -> Deed:
    """Make a folder."""
    return lambda run: (run.project / name).mkdir(parents=True)


def touch(name: str) -> Deed:
    """Set a file's time to an hour later."""

    def deed(run: Run) -> None:
        path = run.project / name
        later = path.stat().st_mtime_ns + 3600 * 10**9
        run.set_time(path, later)

    return deed


def unseen(name: str, text: str) -> Deed:
    """Other bytes under the same size and time."""

    def deed(run: Run) -> None:
        path = run.project / name
        before = path.stat()
        run.write(name, text)
        run.set_time(path, before.st_mtime_ns)
        assert path.stat().st_size == before.st_size

    return deed


def archive(name: str, text: str) -> Deed:
    """Write a tar with one file in it."""

    def deed(run: Run) -> None:
        out = io.BytesIO()
        data = run.fill(f"{text} NONCE\n").encode()
        with tarfile.open(fileobj=out, mode="w") as tar:
            info = tarfile.TarInfo("inner.txt")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        run.project.write(name, out.getvalue())

    return deed


def edit(old: str, new: str, *, file: str = "Dockerfile") -> Deed:
    """Replace a text of the Dockerfile, or of another file."""

    def deed(run: Run) -> None:
        text = run.project.read(file)
        assert run.fill(old) in text, f"{old!r} is not in {file}"
        run.project.save(file, text.replace(run.fill(old), run.fill(new)))

    return deed


def dockerfile(text: str) -> Deed:
    """Write another Dockerfile."""
    return lambda run: run.dockerfile(text)


def options(*words: str) -> Deed:
    """Use these options from now on, in place of those before."""

    def deed(run: Run) -> None:
        run.options = words

    return deed


def tag(image: str, name: str) -> Deed:
    """Let a tag point at an image."""
    return lambda run: run.tag(image, name)


def serve(path: str, text: str) -> Deed:
    """Let the web server of this case give this text, the nonce after it."""

    def deed(run: Run) -> None:
        run.served[path] = run.fill(f"{text} NONCE\n").encode()

    return deed


def prune(*words: str) -> Deed:
    """Empty the engine's cache, or what the words select."""

    def deed(run: Run) -> None:
        if words:
            run.engine.docker("buildx", "prune", "--force", *words)
        else:
            run.engine.empty_cache()

    return deed


def prune_step(words: str) -> Deed:
    """Ask the engine to drop the records whose description has these words."""

    def deed(run: Run) -> None:
        listed = run.engine.docker("buildx", "du", "--format", "json").stdout.splitlines()
        records = [record for record in map(json.loads, listed) if words in (record.get("Description") or "")]
        assert records, f"no record has {words!r}"
        for record in records:
            run.engine.docker("buildx", "prune", "--force", "--filter", f"id={record['ID']}")

    return deed


def image(name: str, text: str) -> Deed:
    """Make an image of a Dockerfile of its own."""

    def deed(run: Run) -> None:
        run.write("SIDE/image/Dockerfile", text, bare=True)
        run.engine.build(run.side / "image", "-t", run.fill(name))

    return deed


def labelled(name: str, base: str) -> Deed:
    """Make an image that has the layers of `base` and a label more."""
    return image(name, f"FROM {base}\nLABEL case=NONCE\n")
