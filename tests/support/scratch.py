"""Folders for daemons, and the end of everything that was started in one.

A daemon's folder is claimed with a lock that the kernel drops when its owner dies, so that the next one who
claims can tell a folder in use from one left behind by a process that was killed. Nothing outside a claimed
folder is ever stopped, unmounted or removed.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.support import network
from tests.support.wait import wait_for

PARENT = Path("/tmp")
"""Short, whatever TMPDIR says: the path of a unix socket may have 108 bytes."""

PREFIX = "hitmiss-scratch-"
DAEMONS = frozenset({"dockerd", "containerd", "containerd-shim-runc-v2", "runc", "docker-proxy", "docker-registry"})
CLIENTS = frozenset({"docker", "docker-buildx", "docker-compose"})
CGROUPS = Path("/sys/fs/cgroup")


def claim(parent: Path = PARENT, *, kept: bool = False) -> tuple[Path, int]:
    """Make a folder of one's own; the second value is its lock, to be closed by `destroy`.

    A kept folder outlives the process that claimed it.
    """
    with _door(parent):
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        if kept:
            (folder / "kept").touch()
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


def sweep(parent: Path = PARENT) -> None:
    """Destroy the folders whose owners died without doing so."""
    with _door(parent):
        _sweep(parent)


@contextlib.contextmanager
def _door(parent: Path) -> Iterator[None]:
    """One at a time: nobody may sweep a folder that another has made and not yet locked."""
    with (parent / f"{PREFIX}door").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(parent: Path) -> None:
    for folder in parent.glob(PREFIX + "*/"):
        if (folder / "kept").exists():
            continue
        try:
            lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:
            # It belongs to another user.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        destroy(folder, lock)


def destroy(folder: Path, lock: int | None) -> None:
    """End what runs in `folder` and remove it with its mounts, its bridge and its cgroups."""
    _assert_claimed(folder)
    end_family(folder)
    _kill_all(partial(clients, folder))
    record = folder / "network.json"
    if record.exists():
        network.release(network.read(record))
    assert not mounts(folder), f"something is still mounted under {folder}"
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def end_family(folder: Path) -> None:
    """Kill every daemon of `folder` and every process of its containers, then undo the mounts they left."""
    _assert_claimed(folder)
    _kill_all(partial(family, folder))
    points = mounts(folder)
    if points:
        subprocess.run(["umount", "-l", *points], check=False, capture_output=True)
    # Version 1 of cgroups has one tree per controller, version 2 has one at the top.
    for group in [CGROUPS / folder.name, *CGROUPS.glob(f"*/{folder.name}")]:
        _remove_group(group)


def family(folder: Path) -> list[int]:
    """The processes that live in `folder`: its daemons, and whatever has an image of its as root folder."""
    return _processes(lambda entry: _is_daemon_of(folder, entry) or _is_contained_in(folder, entry))


def mounts(folder: Path) -> list[str]:
    """The mount points under `folder`, the innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((p for p in points if Path(p).is_relative_to(folder)), reverse=True)


def is_alive(pid: int) -> bool:
    """Whether `pid` runs; one that ended and only waits to be collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def clients(folder: Path) -> list[int]:
    """The docker commands that speak to the daemon of `folder`: one that outlived it would write there again."""
    return _processes(lambda entry: _is_client_of(folder, entry))


def _processes(belongs: Callable[[Path], bool]) -> list[int]:
    """The living processes whose folder under /proc is one that `belongs`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # It may have ended since.
            with contextlib.suppress(OSError):
                if is_alive(int(entry.name)) and belongs(entry):
                    found.append(int(entry.name))
    return found


def _kill_all(listed: Callable[[], list[int]]) -> None:
    """Kill what is listed, and look again until it is nothing: a process that is dying may just have made another."""
    for _ in range(20):
        pids = listed()
        if not pids:
            break
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(partial(_have_ended, pids), 10, "killed processes to end")


def _have_ended(pids: list[int]) -> bool:
    return not any(is_alive(pid) for pid in pids)


def _assert_claimed(folder: Path) -> None:
    claimed = folder.is_absolute() and folder.name.startswith(PREFIX)
    assert claimed, f"{folder} was not claimed here"


def _is_daemon_of(folder: Path, process: Path) -> bool:
    words = (process / "cmdline").read_bytes().split(b"\0")
    return _name(process) in DAEMONS and any(os.fsencode(folder) + b"/" in word for word in words)


def _is_client_of(folder: Path, process: Path) -> bool:
    return _name(process) in CLIENTS and os.fsencode(folder) + b"/" in (process / "environ").read_bytes()


def _name(process: Path) -> str:
    return Path(os.fsdecode((process / "cmdline").read_bytes().partition(b"\0")[0])).name


def _is_contained_in(folder: Path, process: Path) -> bool:
    for line in (process / "mountinfo").read_text().splitlines():
        if line.split()[4] == "/":
            return f"{folder}/" in line
    return False


def _remove_group(group: Path) -> None:
    for inner, _, _ in os.walk(group, topdown=False):
        # The kernel's own files in it go with the folder.
        with contextlib.suppress(OSError):
            Path(inner).rmdir()
