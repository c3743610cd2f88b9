"""What is remembered between sessions, and that nothing about its file is ever a crash."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hitmiss.history import database as module
from hitmiss.history.store import StepName, Store

SHOP, OTHER = Path("/home/me/shop"), Path("/home/me/other")
RUN: StepName = ("", "build", "RUN make")


class Notices(list[str]):
    """What a store said."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.sqlite"


def opened(path: Path) -> tuple[Store, Notices]:
    notices = Notices()
    return Store(path, on_notice=notices.append), notices


def test_it_is_there_the_next_time(path: Path) -> None:
    store, notices = opened(path)
    store.remember_target(SHOP, "dev")
    store.remember_target(SHOP, "final")
    store.remember_durations(SHOP, "default", [(RUN, 4.5), (("linux/arm64", "build", "RUN make"), 9.0)])
    store.remember_durations(SHOP, "other", [(RUN, 1.0)])
    store.remember_durations(SHOP, "default", [(RUN, 5.5)])
    store.close()
    store, _ = opened(path)
    assert store.target(SHOP) == "final"
    assert store.target(OTHER) == ""
    assert store.durations(SHOP, "default") == {RUN: 5.5, ("linux/arm64", "build", "RUN make"): 9.0}
    assert store.durations(OTHER, "default") == {}
    assert notices == []
    store.close()


def test_what_was_not_seen_for_long_is_forgotten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = opened(path)
    long_ago = time.time() - 91 * 24 * 3600
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: long_ago)
        store.remember_durations(SHOP, "default", [(RUN, 4.5)])
    assert store.durations(SHOP, "default") == {RUN: 4.5}
    store.remember_durations(SHOP, "default", [(("", "a", "b"), 1.0)])
    assert store.durations(SHOP, "default") == {("", "a", "b"): 1.0}
    store.close()


def test_the_users_own_folder(isolated_home: Path) -> None:
    store = Store()
    store.remember_target(SHOP, "dev")
    store.close()
    assert (isolated_home / ".local/share/hitmiss/history.sqlite").is_file()


@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to be looked at\n" * 50, b"SQLite format 3\0" * 99]
)
def test_a_file_that_is_no_database_is_set_aside(content: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.with_name(path.name + "-wal").write_bytes(b"left over")
    store, notices = opened(path)
    (aside,) = path.parent.glob("history.damaged-*")
    assert aside.read_bytes() == content
    (notice,) = notices
    assert aside.name in notice
    assert "is damaged; it was set aside" in notice
    store.remember_target(SHOP, "dev")
    store.close()
    store, notices = opened(path)
    assert (store.target(SHOP), notices) == ("dev", [])
    store.close()


def test_damage_that_shows_later(path: Path) -> None:
    store, notices = opened(path)
    store.remember_durations(SHOP, "default", [(("", "s", f"RUN {number}" * 50), 1.0) for number in range(500)])
    store.close()
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xff" * (len(raw) - 4096)
    path.write_bytes(raw)
    store, notices = opened(path)
    assert notices == [], "the file opens"
    assert store.durations(SHOP, "default") == {}
    store.remember_target(SHOP, "dev")
    assert store.target(SHOP) == "dev"
    assert len(notices) == 1
    assert "is damaged; it was set aside" in notices[0]
    store.close()
    store, _ = opened(path)
    assert store.target(SHOP) == "dev", "kept in the new file"
    store.close()


def test_what_a_damaged_file_could_not_take_is_in_the_new_one(path: Path) -> None:
    store, _ = opened(path)
    store.close()
    raw = path.read_bytes()
    path.write_bytes(raw[:4096] + b"\xff" * (len(raw) - 4096))
    store, notices = opened(path)
    store.remember_target(SHOP, "dev")
    assert (store.target(SHOP), len(notices)) == ("dev", 1)
    store.close()


def test_another_program_that_mended_it_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw the damage; the second must not set the first one's new file aside."""
    path.parent.mkdir()
    path.write_bytes(b"no database at all " * 100)
    connect = module.connect
    first: list[Store] = []

    def overtaken(name: str, *, thorough: bool = False) -> sqlite3.Connection:
        if thorough and not first:
            first.append(Store.__new__(Store))
            monkeypatch.setattr(module, "connect", connect)
            first[0] = Store(path)
            first[0].remember_target(SHOP, "first")
        return connect(name, thorough=thorough)

    monkeypatch.setattr(module, "connect", overtaken)
    second, notices = opened(path)
    assert second.target(SHOP) == "first"
    assert notices == []
    assert len(list(path.parent.glob("history.damaged-*"))) == 1
    second.close()
    first[0].close()


@pytest.mark.parametrize("place", ["a file where the folder should be", "a folder where the file should be"])
def test_a_place_where_nothing_can_be_kept(place: str, path: Path) -> None:
    if place.startswith("a file"):
        path.parent.write_text("")
    else:
        path.mkdir(parents=True)
    store, notices = opened(path)
    store.remember_target(SHOP, "dev")
    store.remember_durations(SHOP, "default", [(RUN, 4.5)])
    assert (store.target(SHOP), store.durations(SHOP, "default")) == ("dev", {RUN: 4.5})
    (notice,) = notices
    assert notice.startswith(f"Nothing can be remembered in {path.parent}: ")
    store.close()


def test_a_folder_of_somebody_elses(path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Root may write everywhere, so another user tries."""
    path.parent.mkdir()
    become = "os.setgid(65534); os.setuid(65534)" if os.geteuid() == 0 else "None"
    code = (
        f"import os, sys; from pathlib import Path; from hitmiss.history.store import Store; {become}\n"
        "store = Store(Path(sys.argv[1]), on_notice=print); store.remember_target(Path('/x'), 'dev')\n"
        "print(store.target(Path('/x')))"
    )
    path.parent.chmod(0o555)
    base = tmp_path_factory.getbasetemp()
    for folder in (path.parents[1], base, base.parent):  # pytest's own folders are closed to others
        if "pytest-" in folder.name or folder != base.parent:
            folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "dev", done.stderr
    assert done.stdout.startswith("Nothing can be remembered in ")
    assert list(path.parent.iterdir()) == []


def test_a_full_disk(path: Path) -> None:
    store, notices = opened(path)
    store.remember_target(SHOP, "dev")
    store._db.execute("PRAGMA max_page_count = 1")
    store.remember_durations(SHOP, "default", [(("", "s", f"RUN {number}" * 50), 1.0) for number in range(500)])
    assert len(notices) == 1
    assert "full" in notices[0]
    assert len(store.durations(SHOP, "default")) == 500, "in memory"
    store.close()


def test_a_question_does_not_wait_for_what_another_hitmiss_keeps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, notices = opened(path)
    tried, transact = threading.Event(), module.transact

    def try_it(*words: Any) -> Any:
        tried.set()
        return transact(*words)

    monkeypatch.setattr(module, "transact", try_it)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        keeping = threading.Thread(target=store.remember_durations, args=(SHOP, "default", [(RUN, 4.5)]))
        keeping.start()
        assert tried.wait(10)
        assert store.durations(SHOP, "default") == {}
        assert keeping.is_alive(), "it waits still"
        other.execute("ROLLBACK")
    keeping.join(10)
    assert (store.durations(SHOP, "default"), notices) == ({RUN: 4.5}, [])
    store.close()


def test_names_that_are_not_utf8(path: Path) -> None:
    store, notices = opened(path)
    odd = Path("/home/me/\udcff")
    store.remember_target(odd, "d\udce4v")
    store.remember_durations(odd, "b", [(("", "s", "RUN \ud800"), 1.0)])
    assert store.target(odd) == "d\\udce4v"
    assert store.durations(odd, "b") == {("", "s", "RUN \\ud800"): 1.0}
    assert notices == []
    store.close()


WORKER = """
import sys
from pathlib import Path
from hitmiss.history.store import Store
sys.stdin.readline()
store = Store(Path(sys.argv[1]), on_notice=lambda text: sys.exit(text))
for number in range(30):
    store.remember_durations(Path("/p"), "b", [(("", sys.argv[2], str(number)), 1.0)])
store.close()
"""


def test_several_at_once_from_the_first_start_on(path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), str(number)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    for worker in workers:
        _, said = worker.communicate(timeout=60)
        assert worker.returncode == 0, said
    store, _ = opened(path)
    assert len(store.durations(Path("/p"), "b")) == 4 * 30
    store.close()


def test_the_tables_are_brought_up_to_date_one_after_the_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = opened(path)
    store.remember_target(SHOP, "dev")
    store.close()
    newer = (*module._MIGRATIONS, ("CREATE TABLE later (x TEXT)", "INSERT INTO later VALUES ('here')"))
    monkeypatch.setattr(module, "_MIGRATIONS", newer)
    for _ in range(2):
        store, notices = opened(path)
        assert store.target(SHOP) == "dev"
        assert store._db.execute("SELECT x FROM later").fetchall() == [("here",)]
        assert notices == []
        store.close()


def test_a_step_that_fails_leaves_the_tables_as_they_were(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, ("CREATE TABLE later (x TEXT)", "NO SQL")))
        with pytest.raises(sqlite3.OperationalError, match="syntax error"):
            Store(path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == []
    db.close()


def test_a_file_of_a_later_hitmiss_is_left_alone(path: Path) -> None:
    store, _ = opened(path)
    store._db.execute("PRAGMA user_version = 99")
    store.close()
    store, notices = opened(path)
    store.remember_target(SHOP, "dev")
    assert store.target(SHOP) == "dev"
    assert notices == []
    assert store._db.execute("PRAGMA user_version").fetchone() == (99,)
    store.close()
