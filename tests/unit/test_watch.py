"""Saves, on real files: what a build could see is told, soon and once it is there, and nothing else is."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from watchfiles._rust_notify import RustNotify

from hitmiss.project.context import Contexts, resolve
from hitmiss.project.tree import Tree
from hitmiss.project.watch import Change, Kind, watch
from hitmiss.project.watcher import Watcher
from tests.support.wait import wait_for, wait_for_async

TIMEOUT = 20.0


class Seen:
    """What a watch told so far."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.told: list[tuple[str, ...]] = []
        self.batches = 0

    @property
    def notices(self) -> tuple[str, ...]:
        """Those that stand now."""
        return self.told[-1]

    def paths(self, kind: Kind | None = None, context: str = "") -> set[str]:
        return {each.path for each in self.changes if each.context == context and kind in (None, each.kind)}

    def has(self, kind: Kind, path: str, context: str = "", *, definition: bool = False) -> bool:
        wanted = (kind, context, path, definition)
        return any((each.kind, each.context, each.path, each.definition) == wanted for each in self.changes)

    async def until(self, condition: Callable[[], object]) -> None:
        await wait_for_async(condition, TIMEOUT)


@asynccontextmanager
async def watching(contexts: Contexts, *, force_polling: bool = False) -> AsyncIterator[Seen]:
    seen, stop, ready = Seen(), asyncio.Event(), asyncio.Event()

    async def collect() -> None:
        async for changes in watch(contexts, stop=stop, on_notices=seen.told.append, force_polling=force_polling):
            seen.batches += 1
            seen.changes += changes
            ready.set()

    task = asyncio.create_task(collect())
    await asyncio.wait_for(ready.wait(), TIMEOUT)
    try:
        yield seen
    finally:
        stop.set()
        await asyncio.wait_for(task, TIMEOUT)
        await wait_for_async(lambda: not _threads(), TIMEOUT)


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "hitmiss-watch"]


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    for name in ("Dockerfile", "src/main.py", "src/deep/er/x.py", "README.md", "logs/a.log"):
        write(root / name)
    (root / ".dockerignore").write_text("*.log\nlogs\nnode_modules\n!logs/keep.txt\n")
    return root


async def test_a_lone_save_and_nothing_else(root: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        assert (seen.batches, seen.changes) == (1, [])
        write(root / "src/main.py", "new")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "src/main.py"))
        assert set(seen.changes) == {Change(Kind.MODIFIED, "", "src/main.py")}
        assert seen.told == [()]


async def test_ignored_files_are_not_told(root: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        for name in ("x.log", "logs/b.txt", "node_modules/a/b.js", "logs/new/c"):
            write(root / name)
        write(root / "logs/keep.txt")
        write(root / "last")
        await seen.until(lambda: seen.has(Kind.ADDED, "last"))
        await seen.until(lambda: seen.has(Kind.ADDED, "logs/keep.txt"))
        assert seen.paths() == {"last", "logs/keep.txt"}


async def test_editors_that_rename_on_save(root: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        write(root / "src/.main.py.swp", "new")
        (root / "src/.main.py.swp").rename(root / "src/main.py")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "src/main.py"))
        # Vim's way: the old file is moved aside, the new one written, the old one deleted.
        (root / "README.md").rename(root / "README.md~")
        write(root / "README.md", "newer")
        (root / "README.md~").unlink()
        await seen.until(lambda: seen.paths() >= {"README.md"})


async def test_new_folders_with_files_in_them(root: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        for number in range(30):
            write(root / f"new{number}/a/b/c/file", "x")
        await seen.until(lambda: len({path for path in seen.paths(Kind.ADDED) if path.endswith("file")}) == 30)
        write(root / "new7/a/b/c/later")
        await seen.until(lambda: seen.has(Kind.ADDED, "new7/a/b/c/later"))
        assert any(each.folder for each in seen.changes if each.path == "new7/a")


async def test_folders_that_move_and_go(root: Path, tmp_path: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        (root / "src").rename(tmp_path / "away")
        await seen.until(
            lambda: seen.paths(Kind.DELETED) == {"src", "src/main.py", "src/deep", "src/deep/er", "src/deep/er/x.py"}
        )
        (tmp_path / "away").rename(root / "lib")
        await seen.until(lambda: seen.has(Kind.ADDED, "lib/deep/er/x.py"))
        write(root / "lib/deep/er/x.py", "changed")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "lib/deep/er/x.py"))
        shutil.rmtree(root / "lib")
        await seen.until(lambda: seen.paths(Kind.DELETED) >= {"lib", "lib/main.py", "lib/deep/er/x.py"})


async def test_modes_links_and_touch(root: Path) -> None:
    os.utime(root / "src/main.py", (1, 1))
    async with watching(resolve(str(root))) as seen:
        (root / "README.md").chmod(0o700)
        (root / "link").symlink_to("README.md")
        (root / "src/main.py").touch()
        await seen.until(lambda: seen.paths() == {"README.md", "link", "src/main.py"})
        (root / "link").unlink()
        (root / "link").symlink_to("src")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "link") or seen.has(Kind.DELETED, "link"))


async def test_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "out/side/f")
    (root / "link").symlink_to(tmp_path / "out")
    (root / "src/loop").symlink_to("..")
    async with watching(resolve(str(root))) as seen:
        write(tmp_path / "out/side/f", "new")
        write(tmp_path / "out/side/g", "new")
        write(root / "last")
        await seen.until(lambda: seen.has(Kind.ADDED, "last"))
        assert seen.paths() == {"last"}


async def test_a_checkout_of_twenty_thousand_files(root: Path) -> None:
    code = (
        "import pathlib, sys\nroot = pathlib.Path(sys.argv[1])\n"
        "for a in range(20):\n for b in range(20):\n"
        "  folder = root / f'd{a}' / f'e{b}'\n  folder.mkdir(parents=True)\n"
        "  for c in range(50): (folder / str(c)).write_text('x')\n"
    )
    async with watching(resolve(str(root))) as seen:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(root))
        await seen.until(lambda: seen.batches > 1)
        await process.wait()
        wanted = {f"d{a}/e{b}/{c}" for a in range(20) for b in range(20) for c in range(50)}
        await wait_for_async(lambda: seen.paths() >= wanted, 60)
        before = seen.batches
        shutil.rmtree(root / "d3")
        await wait_for_async(
            lambda: len({path for path in seen.paths(Kind.DELETED) if path.startswith("d3/")}) == 1020, 60
        )
        assert before > 2


async def test_the_dockerfile_and_the_ignore_files(root: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        write(root / "Dockerfile", "FROM x")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "Dockerfile", definition=True))
        assert {each.definition for each in seen.changes} == {True}
        (root / ".dockerignore").write_text("README.md\n")
        await seen.until(lambda: seen.has(Kind.MODIFIED, ".dockerignore", definition=True))
        await seen.until(lambda: seen.has(Kind.DELETED, "README.md"))
        await seen.until(lambda: seen.has(Kind.ADDED, "logs/a.log"))
        write(root / "logs/a.log", "longer")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "logs/a.log"))
        # One that takes precedence comes, and goes.
        (root / "Dockerfile.dockerignore").write_text("src\n")
        await seen.until(lambda: seen.has(Kind.ADDED, "Dockerfile.dockerignore", definition=True))
        await seen.until(lambda: seen.has(Kind.DELETED, "src/main.py"))
        (root / "Dockerfile.dockerignore").unlink()
        await seen.until(lambda: seen.has(Kind.ADDED, "src/main.py"))
        (root / "Dockerfile").unlink()
        await seen.until(lambda: seen.has(Kind.DELETED, "Dockerfile", definition=True))
        write(root / "Dockerfile", "FROM y")
        await seen.until(lambda: seen.has(Kind.ADDED, "Dockerfile", definition=True))


async def test_an_ignored_dockerfile_is_watched(root: Path) -> None:
    write(root / "ops/Dockerfile")
    (root / ".dockerignore").write_text("ops\n.dockerignore\n")
    async with watching(resolve(str(root), dockerfile=str(root / "ops/Dockerfile"))) as seen:
        write(root / "ops/other")
        write(root / "ops/Dockerfile", "FROM x")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "ops/Dockerfile", definition=True))
        (root / ".dockerignore").write_text("ops\n")
        await seen.until(lambda: seen.has(Kind.MODIFIED, ".dockerignore", definition=True))
        assert "ops/other" not in seen.paths()


async def test_a_dockerfile_outside_the_context(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "ops/Dev"
    write(outside)
    async with watching(resolve(str(root), dockerfile=str(outside))) as seen:
        write(tmp_path / "ops/unrelated")
        write(tmp_path / "ops/Dev.tmp", "FROM x")
        (tmp_path / "ops/Dev.tmp").rename(outside)
        await seen.until(lambda: seen.has(Kind.MODIFIED, outside.as_posix(), definition=True))
        write(tmp_path / "ops/Dev.dockerignore", "src\n")
        await seen.until(lambda: seen.has(Kind.ADDED, f"{outside.as_posix()}.dockerignore", definition=True))
        await seen.until(lambda: seen.has(Kind.DELETED, "src/main.py"))
        assert not any("unrelated" in path or "tmp" in Path(path).suffix for path in seen.paths())


async def test_a_dockerfile_behind_a_link(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "real/Dockerfile")
    (root / "Dockerfile").unlink()
    (root / "Dockerfile").symlink_to(tmp_path / "real/Dockerfile")
    async with watching(resolve(str(root))) as seen:
        write(tmp_path / "real/Dockerfile", "FROM x")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "Dockerfile", definition=True))


async def test_several_contexts(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "lib/a")
    (tmp_path / "lib/.dockerignore").write_text("b\n")
    contexts = resolve(str(root), named={"lib": str(tmp_path / "lib"), "inner": str(root / "src")})
    async with watching(contexts) as seen:
        write(tmp_path / "lib/a", "new")
        write(tmp_path / "lib/b", "new")
        write(root / "src/main.py", "new")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "a", "lib"))
        await seen.until(lambda: seen.has(Kind.MODIFIED, "main.py", "inner"))
        await seen.until(lambda: seen.has(Kind.MODIFIED, "src/main.py"))
        assert "b" not in seen.paths(context="lib")
        (tmp_path / "lib/.dockerignore").write_text("c\n")
        await seen.until(lambda: seen.has(Kind.MODIFIED, ".dockerignore", "lib", definition=True))
        await seen.until(lambda: seen.has(Kind.ADDED, "b", "lib"))


@pytest.mark.parametrize("force_polling", [False, True])
async def test_a_context_that_goes_and_comes_back(root: Path, force_polling: bool) -> None:
    async with watching(resolve(str(root)), force_polling=force_polling) as seen:
        shutil.rmtree(root)
        await seen.until(lambda: seen.has(Kind.GONE, ""))
        write(root / "Dockerfile", "FROM x")
        write(root / "sub/new")
        await seen.until(lambda: seen.has(Kind.BACK, ""))
        await seen.until(
            lambda: (
                seen.has(Kind.ADDED, "Dockerfile", definition=True)
                or seen.has(Kind.MODIFIED, "Dockerfile", definition=True)
            )
        )
        write(root / "sub/new", "changed")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "sub/new"))


@pytest.mark.parametrize("force_polling", [False, True])
async def test_a_context_that_is_made_anew_at_once(root: Path, force_polling: bool) -> None:
    async with watching(resolve(str(root)), force_polling=force_polling) as seen:
        for number in range(5):
            shutil.rmtree(root)
            write(root / "Dockerfile", "FROM x")
            write(root / f"sub{number}/new")
            await seen.until(lambda: seen.has(Kind.DELETED, "src/main.py") or seen.has(Kind.BACK, ""))
            seen.changes.clear()
            write(root / f"sub{number}/new", "changed")
            write(root / "top", str(number))
            wanted = {"top", f"sub{number}/new"}
            await seen.until(lambda: seen.has(Kind.BACK, "") or seen.paths().issuperset(wanted))  # noqa: B023
            write(root / "src/main.py")
            await seen.until(lambda: seen.paths() >= {"src/main.py"})


async def test_a_context_that_is_replaced(root: Path, tmp_path: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        root.rename(tmp_path / "old")
        write(root / "Dockerfile")
        write(root / "other")
        await seen.until(lambda: seen.has(Kind.BACK, ""))
        write(root / "other", "changed")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "other"))
        assert seen.has(Kind.GONE, "")


async def test_a_context_behind_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    async with watching(resolve(str(tmp_path / "alias"))) as seen:
        write(root / "src/main.py", "new")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "src/main.py"))


NOT_UTF8 = os.fsdecode(b"caf\xe9")


async def test_names_of_files_that_are_not_utf8(root: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        write(root / f"{NOT_UTF8}.txt")
        await seen.until(lambda: seen.has(Kind.ADDED, f"{NOT_UTF8}.txt"))
        write(root / f"{NOT_UTF8}.txt", "more")
        await seen.until(lambda: seen.has(Kind.MODIFIED, f"{NOT_UTF8}.txt"))
        write(root / "src/main.py", "still")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "src/main.py"))
        assert seen.told == [()]


@pytest.mark.parametrize("before", [True, False])
async def test_folders_whose_name_is_not_utf8_are_looked_at_in_turn(root: Path, before: bool) -> None:
    folder = root / "src" / NOT_UTF8
    if before:
        folder.mkdir()
    async with watching(resolve(str(root))) as seen:
        write(folder / "deep")
        await seen.until(lambda: seen.has(Kind.ADDED, f"src/{NOT_UTF8}/deep"))
        write(folder / "deep", "more")
        await seen.until(lambda: seen.has(Kind.MODIFIED, f"src/{NOT_UTF8}/deep"))
        write(root / "src/main.py", "still")
        await seen.until(lambda: seen.has(Kind.MODIFIED, "src/main.py"))
        await seen.until(lambda: seen.notices)
        (notice,) = seen.notices
        assert "(the name of the folder src/caf\ufffd is not UTF-8)" in notice


async def test_polling_sees_two_edits_within_a_second(root: Path) -> None:
    async with watching(resolve(str(root)), force_polling=True) as seen:
        for text in ("aaa", "bbb", "ccc"):
            write(root / "src/main.py", text)
            seen.changes.clear()
            await seen.until(lambda: seen.has(Kind.MODIFIED, "src/main.py"))
        write(root / "new/folder/file")
        await seen.until(lambda: seen.has(Kind.ADDED, "new/folder/file"))
        shutil.rmtree(root / "src")
        await seen.until(lambda: seen.has(Kind.DELETED, "src/main.py"))


async def test_a_refused_ignore_pattern_is_told_and_the_old_rules_hold(root: Path) -> None:
    async with watching(resolve(str(root))) as seen:
        (root / ".dockerignore").write_text("*.log\n[\n")
        await seen.until(lambda: seen.notices)
        write(root / "x.log")
        write(root / "last")
        await seen.until(lambda: seen.has(Kind.ADDED, "last"))
        assert "x.log" not in seen.paths()
        assert "'['" in seen.notices[0]
        (root / ".dockerignore").write_text("*.log\n")
        await seen.until(lambda: not seen.notices)


async def test_a_folder_that_can_be_read_again_is_told_no_more(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir, shut = os.scandir, root / "src/deep"

    def refusing(path: Any) -> Any:
        if path == str(shut) and not shut.stat().st_mode & 0o400:  # root itself is refused nothing
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    async with watching(resolve(str(root))) as seen:
        shut.chmod(0o100)
        await seen.until(lambda: seen.notices)
        assert seen.notices[0].startswith(f"The folder {shut} cannot be read")
        shut.chmod(0o700)
        await seen.until(lambda: not seen.notices)


async def test_contexts_that_are_not_on_disk(tmp_path: Path) -> None:
    async with watching(resolve("https://example.org/x.git")) as seen:
        assert seen.changes == []


LIMITED = """
import asyncio, sys
from pathlib import Path
from hitmiss.project.context import resolve
from hitmiss.project.watch import watch

async def main():
    root, limit = Path(sys.argv[1]), sys.argv[2]
    if limit:
        Path("/proc/sys/user", limit).write_text("2" if limit.endswith("watches") else "0")
    stop = asyncio.Event()
    def told(notices):
        for text in notices:
            print("notice", text, flush=True)
    async for changes in watch(resolve(str(root)), stop=stop, on_notices=told):
        print("changes", sorted(f"{each.kind} {each.path}" for each in changes), flush=True)
        if not changes:
            (root / "src/main.py").write_text("a new text")
        if any(each.path == "src/main.py" for each in changes):
            stop.set()

asyncio.run(main())
"""


def _alone(root: Path, limit: str, *prefix: str) -> str:
    done = subprocess.run(
        [*prefix, sys.executable, "-c", LIMITED, str(root), limit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("limit", ["max_inotify_watches", "max_inotify_instances"])
def test_a_full_inotify_is_told_and_saves_are_still_seen(root: Path, limit: str) -> None:
    # Limits of a user namespace of its own: nothing else on the machine feels them.
    out = _alone(root, limit, "unshare", "-U", "-r")
    notices = [line for line in out.splitlines() if line.startswith("notice")]
    assert len(notices) == 1, out
    assert f"sudo sysctl fs.{limit.replace('max_inotify_', 'inotify.max_user_')}=" in notices[0]
    assert "modified src/main.py" in out


def test_a_folder_that_cannot_be_read_is_told(root: Path) -> None:
    write(root / "shut/in")
    (root / "shut").chmod(0)
    try:
        # In a user namespace that maps no one, root has no power over modes.
        out = _alone(root, "", *(["unshare", "-U"] if os.getuid() == 0 else []))
    finally:
        (root / "shut").chmod(0o700)
    assert f"notice The folder {root}/shut cannot be read" in out
    assert "modified src/main.py" in out


async def test_a_notice_is_told_where_the_watch_was_begun(root: Path) -> None:
    # What a screen keeps in a context variable is there when it is told of a notice.
    where: ContextVar[str] = ContextVar("where", default="nowhere")
    where.set("here")
    found: list[str] = []
    stop = asyncio.Event()

    class Broken(Watcher):
        def read_rules(self) -> list[str]:
            self.fallen = "something"
            return super().read_rules()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hitmiss.project.watcher.Watcher", Broken)
        told = watch(resolve(str(root)), stop=stop, on_notices=lambda _: found.append(where.get()))
        async for _ in told:
            break
        await wait_for_async(lambda: found, TIMEOUT)
        stop.set()
        await told.aclose()  # type: ignore[attr-defined]
    assert found == ["here"]


@contextmanager
def _watcher(root: Path, *, recursive: bool) -> Iterator[tuple[Watcher, list[Change]]]:
    changes: list[Change] = []
    ready = threading.Event()

    def emit(found: frozenset[Change]) -> None:
        changes.extend(found)
        ready.set()

    watcher = Watcher(resolve(str(root)), emit, lambda _: None, recursive=recursive)
    thread = threading.Thread(target=watcher.run)
    thread.start()
    try:
        assert ready.wait(TIMEOUT)
        yield watcher, changes
    finally:
        watcher.stopping.set()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def test_whole_trees_where_the_system_can(root: Path, tmp_path: Path) -> None:
    # What macOS and Windows do; inotify under watchfiles can do it too, if not as surely.
    write(tmp_path / "out/side")
    (root / "link").symlink_to(tmp_path / "out")
    with _watcher(root, recursive=True) as (watcher, changes):
        assert len(watcher.watched) == 1
        write(root / "src/main.py", "new")
        wait_for(lambda: any(each.path == "src/main.py" for each in changes), TIMEOUT)
        write(root / "logs/x", "ignored")
        write(tmp_path / "out/x", "behind a link")
        (root / "new").mkdir()
        wait_for(lambda: any(each.path == "new" for each in changes), TIMEOUT)
        write(root / "new/file")
        wait_for(lambda: any(each.path == "new/file" for each in changes), TIMEOUT)
        shutil.rmtree(root / "src")
        wait_for(lambda: any(each.path == "src/deep/er/x.py" for each in changes), TIMEOUT)
        assert not {each.path for each in changes} & {"logs/x", "link/x", "x"}


@pytest.mark.parametrize("seed", range(6))
def test_no_change_is_lost(root: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with _watcher(root, recursive=False) as (watcher, changes):
        tree = watcher.trees[""]
        start = set(tree.entries)
        for _ in range(250):
            _disturb(root, tmp_path, chance)
        truth = Tree(str(root), tree.rules)
        truth.scan()
        wait_for(lambda: dict(tree.entries) == truth.entries, TIMEOUT)
        wait_for(lambda: watcher.notifier is not None and not watcher.fresh, TIMEOUT)
        write(root / "last", "x")
        wait_for(lambda: any(each.path == "last" for each in changes), TIMEOUT)
        # What was told adds up to what there is now.
        there = set(start)
        for each in changes:
            if not each.definition:
                (there.discard if each.kind == Kind.DELETED else there.add)(each.path)
        assert there - {"Dockerfile", ".dockerignore"} == set(tree.entries) - {"Dockerfile", ".dockerignore"}


def test_a_folder_that_became_a_link_is_not_watched_through_it(root: Path) -> None:
    # `src/deep` is `src` under another name then, and inotify would tell of `src` by that name alone.
    watcher = Watcher(resolve(str(root)), lambda _: None, lambda _: None, recursive=False)
    watcher.read_rules()
    watcher.trees[""].settle()
    assert {"src", "src/deep", "src/deep/er"} <= set(watcher.trees[""].folders)
    shutil.rmtree(root / "src/deep")
    (root / "src/deep").symlink_to("..", target_is_directory=True)
    write(root / "deep/er/x", "x")
    watcher.listen()
    assert watcher.notifier is not None
    write(root / "new", "x")
    write(root / "src/new", "x")
    told: set[str] = set()

    def both() -> bool:
        assert watcher.notifier is not None
        events = watcher.notifier.watch(50, 5, 1000, None)
        if not isinstance(events, str):
            told.update(path for _, path in events)
        return told >= {f"{root}/new", f"{root}/src/new"}

    wait_for(both, TIMEOUT, "both to be told")


def test_a_notifier_tells_all_it_saw_before_it_is_replaced(root: Path, tmp_path: Path) -> None:
    with _watcher(root, recursive=False) as (watcher, _):
        assert watcher.marks is not None
        for number in range(200):
            notifier = RustNotify([str(root / "src"), watcher.marks], False, False, 0, False, False)
            write(root / "src" / str(number), "x")
            events = watcher.last_words(notifier)
            assert events is not None
            assert f"{root}/src/{number}" in {path for _, path in events}
    assert not Path(watcher.marks).exists()


def test_nothing_of_ours_is_written_into_a_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "Dockerfile", "FROM scratch\n")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with _watcher(tmp_path, recursive=False) as (watcher, changes):
        assert watcher.marks is None
        (tmp_path / "a").mkdir()
        wait_for(lambda: any(each.path == "a" for each in changes), TIMEOUT)
        wait_for(lambda: not watcher.fresh, TIMEOUT)
        write(tmp_path / "a/b")
        wait_for(lambda: any(each.path == "a/b" for each in changes), TIMEOUT)


async def test_a_watch_that_has_no_room_for_a_folder_of_its_own(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    async with watching(resolve(str(root))) as seen:
        write(root / "src/new/deep/file")
        await seen.until(lambda: seen.has(Kind.ADDED, "src/new/deep/file"))
        write(root / "src/new/deep/later")
        await seen.until(lambda: seen.has(Kind.ADDED, "src/new/deep/later"))
        assert seen.told == [()]


def _disturb(root: Path, outside: Path, chance: random.Random) -> None:
    """One random thing that people and programs do to files."""
    folders = [path for path in root.rglob("*") if path.is_dir() and not path.is_symlink()]
    folder = chance.choice([root, *folders])
    name = chance.choice("abcdefgh")
    path = folder / name
    match chance.randint(0, 7):
        case 0 | 1 | 2:
            if path.is_file() or not os.path.lexists(path):
                path.write_text(str(chance.random()))
        case 3:
            if not os.path.lexists(path):
                write(path / chance.choice("abc") / chance.choice("abc") / "file", "x")
        case 4:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.is_symlink() or path.exists():
                path.unlink()
        case 5:
            if folder != root and not os.path.lexists(root / name):
                folder.rename(root / name)
        case 6:
            if folder != root and not (outside / "away").exists():
                folder.rename(outside / "away")
            elif (outside / "away").exists() and not os.path.lexists(path):
                (outside / "away").rename(path)
        case 7:
            if not os.path.lexists(path):
                path.symlink_to(chance.choice(["..", "a", "nowhere"]))
