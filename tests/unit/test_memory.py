"""The builds, keys and files that are remembered: that they come back, are found quickly, and are never lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hitmiss.build.model import Planned, Status, Verdict
from hitmiss.cache.facts import BuildFacts, Seen, StepFacts
from hitmiss.cache.operations import Kind, Operation, Operations
from hitmiss.history import database, tables
from hitmiss.history.store import Store, Summary

SHOP = "/home/me/shop"


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def facts(project: str = SHOP, builder: str = "default", **more: object) -> BuildFacts:
    steps = (
        StepFacts("a:2", "a", 2, 3, "COPY . .", operation=0, verdict=Verdict.HIT, planned=Planned.HIT),
        StepFacts("a:3", "a", 3, 3, "RUN make", operation=1, verdict=Verdict.MISS, duration_s=2.5),
        StepFacts("b:1", "b", 1, 1, "RUN false", operation=2, verdict=Verdict.FAILED),
    )
    operations = Operations(
        (Operation(Kind.FILE, (("actions", "[]"),)), Operation(Kind.EXEC, ()), Operation(Kind.EXEC, ())),
        {("", "a", 2): 0},
    )
    build = BuildFacts(
        0, project, builder, "final", time.time(), Status.FAILED, 3.5, "ref", steps=steps, operations=operations,
        keys=(key(1), key(2), key(3)), trees={"": b"root"}, plan_right=3, plan_steps=4,
    )  # fmt: skip
    return msgspec.structs.replace(build, **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    notices: list[str] = []
    store = Store(path, on_notice=notices.append)
    yield store
    store.close()
    assert notices == []


def test_a_build_before_whose_first_step_it_failed_is_kept_until_the_next_one(store: Store) -> None:
    store.remember(facts())
    store.remember_no_step(SHOP, "bad \udcff")
    store.remember_no_step(SHOP, "no such image")
    assert store.no_step(SHOP) == "no such image"
    assert store.no_step("/home/me/other") == ""
    store.remember(facts())
    assert store.no_step(SHOP) == ""


def test_a_build_comes_back_as_it_was(store: Store, path: Path) -> None:
    kept = store.remember(facts(started=123.0 + time.time()))
    assert kept == msgspec.structs.replace(facts(started=kept.started), number=1)
    again = Store(path)
    assert again.build(Path(SHOP), 1) == kept
    assert again.build(SHOP, 2) is None
    assert again.build("/other", 1) is None
    assert again.summaries(SHOP) == [
        Summary(1, "default", "final", "failed", kept.started, 3.5, "ref", 3, 1, 2, 3, 4)
    ]  # fmt: skip
    again.close()


def test_newest_first_by_builder_and_page_by_page(store: Store) -> None:
    for number in range(1, 8):
        assert store.remember(facts(builder="odd" if number % 2 else "even")).number == number
    assert store.remember(facts("/other")).number == 1, "each project counts by itself"

    def numbers(found: list[BuildFacts]) -> list[int]:
        return [build.number for build in found]

    assert numbers(store.builds(SHOP)) == [7, 6, 5, 4, 3, 2, 1]
    assert numbers(store.builds(SHOP, limit=2, before=6)) == [5, 4]
    assert numbers(store.builds(SHOP, "even")) == [6, 4, 2]
    assert [short.number for short in store.summaries(SHOP, 3)] == [7, 6, 5]
    assert store.plan_score(SHOP) == (21, 28)
    assert store.plan_score("/nowhere") == (0, 0)


def test_the_keys_of_what_the_engine_has(store: Store) -> None:
    store.remember(facts(), {key(2): "record"})
    found = store.known("default", [key(1), key(2), key(3), key(4)])
    assert {each: (known.number, known.record) for each, known in found.items()} == {
        key(1): (1, ""),
        key(2): (1, "record"),
    }, "what failed left no result"
    assert all(abs(known.seen - time.time()) < 60 for known in found.values())
    assert store.known("other", [key(1)]) == {}
    store.remember(facts(), confirmed=[key(2), key(9)])
    found = store.known("default", [key(1), key(2), key(9)])
    assert [found[each].number for each in (key(1), key(2), key(9))] == [1, 2, 2]
    assert found[key(2)].record == "record", "a record that is not known now does not overwrite"
    store.remember(facts(), {key(2): "newer"})
    assert store.known("default", [key(2)])[key(2)].record == "newer"


def test_aliases(store: Store) -> None:
    store.remember_aliases("default", {key(1): key(2)})
    store.remember_aliases("default", {key(3): key(4), key(1): key(5)})
    assert store.aliases("default") == {key(1): key(5), key(3): key(4)}
    assert store.aliases("default", [key(3), key(7)]) == {key(3): key(4)}
    assert store.aliases("other") == {}


def test_one_salt_for_the_user(store: Store, path: Path) -> None:
    salt = store.salt()
    assert len(salt) == 32
    other = Store(path)
    assert other.salt() == salt == store.salt()
    other.close()


def test_blobs_and_indices(store: Store) -> None:
    big = b"x" * 100_000
    store.put_blobs([(b"1", b"one"), (b"2", big)])
    store.put_blobs([(b"1", b"one")])
    store.put_blobs([])
    assert (store.blob(b"1"), store.blob(b"2"), store.blob(b"3")) == (b"one", big, None)
    assert store._all("SELECT length(data) FROM blob WHERE digest = ?", (b"2",))[0] < (1000,)
    store._do([("UPDATE blob SET data = ? WHERE digest = ?", (b"broken", b"1"))])
    assert store.blob(b"1") is None
    assert store.index("/home/me/\udcff") == b""
    store.keep_index("/home/me/\udcff", b"old")
    store.keep_index("/home/me/\udcff", b"new")
    assert store.index("/home/me/\udcff") == b"new"


def test_what_is_expected_of_a_step_is_the_median_of_nine_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make, now = ("", "build", "RUN make"), time.time()
    for number in range(12):
        monkeypatch.setattr(time, "time", lambda number=number: now + number)
        store.remember_durations(Path(SHOP), "default", [(make, 100.0 if number == 7 else float(number))])
    assert store.durations(Path(SHOP), "default") == {make: 11.0}
    assert store.expected(SHOP, "default") == {make: 8.0}, "of 3, 4, 5, 6, 8, 9, 10, 11, 100"
    assert store._one("SELECT count(*) FROM step_run") == (9,)
    assert store.expected(SHOP, "other") == {}


def test_the_file_of_the_first_hitmiss_is_brought_up_to_date(path: Path) -> None:
    make = ("", "build", "RUN make")
    path.parent.mkdir()
    db = sqlite3.connect(path)
    for statement in tables.MIGRATIONS[0]:
        db.execute(statement)
    db.execute("PRAGMA user_version = 1")
    row = (SHOP, "default", *make, 4.5, time.time())
    db.execute("INSERT INTO step_run VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    db.execute("INSERT INTO project VALUES (?, 'dev', 1.0)", (SHOP,))
    db.commit()
    store = Store(path)
    assert store.target(Path(SHOP)) == "dev"
    assert store.expected(SHOP, "default") == {make: 4.5}
    store.remember_durations(Path(SHOP), "default", [(make, 5.5)])
    assert store.expected(SHOP, "default") == {make: 5.0}
    assert store.remember(facts()).number == 1
    old = (*row[:5], 6.5, time.time())
    db.execute("INSERT OR REPLACE INTO step_run VALUES (?, ?, ?, ?, ?, ?, ?)", old)
    db.commit()
    assert store.durations(SHOP, "default") == {make: 6.5}, "an older hitmiss that is still open goes on"
    db.close()
    assert store.clean(lambda blob: (), now=True)
    assert store.remember(facts()).number == 2
    assert store._one("PRAGMA integrity_check") == ("ok",)
    store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    db.close()


def test_two_hundred_keys_among_a_hundred_thousand(store: Store) -> None:
    rows = ((key(number * 7919), 1, SHOP, 1.0, "record" * 4) for number in range(100_000))
    store._write(lambda db: db.executemany("INSERT INTO known_key VALUES ('default', ?, ?, ?, ?, ?)", rows), None)
    wanted = [key(number * 7919 * 13) for number in range(200)]
    times = []
    for _ in range(5):
        began = time.perf_counter()
        found = store.known("default", wanted)
        times.append(time.perf_counter() - began)
    assert len(found) == 200
    assert min(times) < 0.002


def test_what_was_seen_of_the_records_is_kept(store: Store) -> None:
    told = []

    def saw(builder: str, asked: float, **marks: int) -> Seen:
        def note(then: Seen) -> Seen:
            told.append(then)
            return Seen(asked, then.pruned + 1, marks)

        return store.saw_records(builder, asked, note)

    first = saw("default", 10.0, a=1, b=2)
    assert first == Seen(10.0, 1.0, {"a": 1, "b": 2})
    assert saw("other", 11.0, x=1).pruned == 1.0
    assert saw("default", 10.0, a=1) is first, "each target tells of the same answer: it is worked out once"
    assert saw("default", 12.0, a=1).pruned == 2.0
    assert told == [Seen(), Seen(), first]
    store._do([("UPDATE fact SET value = ? WHERE name = 'records default'", (b"broken",))])
    assert saw("default", 13.0, z=1).pruned == 1.0


def test_the_record_of_a_step_that_ran_anew_is_not_the_old_one(store: Store) -> None:
    one = key(1)
    for records, expected in (({one: "x"}, "x"), ({}, "x"), ({one: ""}, ""), ({one: "y"}, "y")):
        store.remember(facts(), records)
        assert store.known("default", [one])[one].record == expected


def test_a_sound_file_is_found_sound(store: Store) -> None:
    """Where damage was met the whole file is checked before it is set aside: another hitmiss may have mended it."""
    store.remember(facts(), {key(1): "r"})
    store.remember_aliases("default", {key(1): key(2)})
    store.remember_durations(Path(SHOP), "default", [(("", "a", "b"), 1.0)])
    store.remember_target(Path(SHOP), "dev")
    store.put_blobs([(b"1", b"one")])
    store.keep_index("/x", b"index")
    assert store._all("PRAGMA integrity_check") == [("ok",)]


def test_a_damaged_file_is_set_aside_and_the_build_kept_in_the_new_one(path: Path) -> None:
    store = Store(path)
    store.remember(facts())
    store.close()
    raw = path.read_bytes()
    path.write_bytes(raw[:4096] + b"\xff" * (len(raw) - 4096))
    notices: list[str] = []
    store = Store(path, on_notice=notices.append)
    assert not store.clean(lambda blob: ())
    assert store.remember(facts()).number == 1
    assert len(store.builds(SHOP)) == 1
    assert len(notices) == 1
    store.close()


def test_a_build_that_cannot_be_read_is_left_out(store: Store) -> None:
    store.remember(facts())
    store.remember(facts())
    store._do([("UPDATE build SET facts = ? WHERE number = 2", (b"from a later hitmiss",))])
    assert [build.number for build in store.builds(SHOP)] == [1]
    assert store.build(SHOP, 2) is None
    assert len(store.summaries(SHOP)) == 2
    assert store.clean(lambda blob: ())


def test_names_that_are_not_utf8(store: Store) -> None:
    kept = store.remember(
        facts("/home/\udcff", "b\udc01", target="\udc02", dockerfile="RUN \udc03", arguments={"\udc04": "x"})
    )
    assert kept.number == 1
    (found,) = store.builds("/home/\udcff", "b\udc01")
    assert found.dockerfile == "RUN \\udc03"
    assert found.keys == kept.keys
    assert found.operations == kept.operations
    assert store.known("b\udc01", [key(1)])[key(1)].number == 1


def test_a_file_that_another_program_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE_S", 0.01)
    notices: list[str] = []
    store = Store(path, on_notice=notices.append)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert store.remember(facts()).number == 0
    assert not store.clean(lambda blob: (), now=True)
    holder.execute("ROLLBACK")
    holder.close()
    assert store.remember(facts()).number == 1, "the file is used again"
    assert len(notices) == 1
    assert "something was not remembered" in notices[0]
    store.close()


def test_from_any_thread(store: Store) -> None:
    def work(number: int) -> None:
        for _ in range(10):
            store.remember(facts(f"/p{number}"))
            store.put_blobs([(key(number), b"x")])
            store.known("default", [key(1)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(store.builds(f"/p{number}")) for number in range(4)] == [10] * 4


WORKER = """
import sys
from pathlib import Path
from tests.unit.test_memory import facts, key
from hitmiss.history.store import Store
sys.stdin.readline()
store = Store(Path(sys.argv[1]), on_notice=lambda text: sys.exit(text))
me = int(sys.argv[2])
print(store.salt().hex())
for number in range(25):
    blob = key(1000 * me + number)
    store.put_blobs([(blob, b"x" * 3000), (b"shared", b"s")])
    store.remember(facts(trees={"": blob, "s": b"shared"}), {blob: "r"})
    if number % 5 == 0:
        store.clean(lambda blob: (), now=True)
store.close()
"""


def test_several_at_once_lose_nothing(path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for number in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    salts = set()
    for worker in workers:
        out, said = worker.communicate(timeout=60)
        assert worker.returncode == 0, said
        salts.add(out.strip())
    assert len(salts) == 1
    store = Store(path)
    found = store.builds(SHOP, limit=1000)
    assert sorted(build.number for build in found) == list(range(1, 76))
    assert all(store.blob(digest) is not None for build in found for digest in build.trees.values())
    assert len(store.known("default", [build.trees[""] for build in found])) == 75
    assert store.plan_score(SHOP) == (75 * 3, 75 * 4)
    store.close()
