"""Files that an edit of the ignore rules hid or showed, and the words for it."""

from __future__ import annotations

import msgspec
import pytest

from hitmiss.build.model import Alteration, Cause, CauseKind, FileChange
from hitmiss.cache.causes import Evidence, causes
from hitmiss.cache.facts import Rules
from hitmiss.cache.ignoring import Turned, turned
from hitmiss.explain import short
from tests.support.imagined import Asked, Cache
from tests.support.subject import step

NONE = Rules()
LOGS = Rules(".dockerignore", ("**/*.log", "!keep.log"))
MODULES = Rules(".dockerignore", ("node_modules", "docs/*"))

GONE = FileChange("a.log", Alteration.REMOVED)
CAME = FileChange("b.log", Alteration.ADDED)


def there(path: str) -> bool:
    return "deleted" not in path


def test_what_is_hidden_and_still_there() -> None:
    changes = (
        GONE,
        FileChange("deleted.log", Alteration.REMOVED),
        FileChange("other.py", Alteration.REMOVED),
        FileChange("keep.log", Alteration.MODIFIED),
        CAME,
    )
    found = turned(changes, NONE, LOGS, there)
    assert (set(found.hidden), set(found.shown)) == ({"a.log"}, set())
    assert found.sentence == "`.dockerignore` now hides 1 file"


def test_what_is_in_a_hidden_folder_but_not_the_folder() -> None:
    paths = [f"node_modules/p/{number}.js" for number in range(1200)]
    changes = [FileChange(path, Alteration.REMOVED) for path in (*paths, "docs/a.md")]
    folder = FileChange("node_modules", Alteration.REMOVED, old="folder")
    assert turned([folder, *changes], NONE, MODULES, there).sentence == "`.dockerignore` now hides 1,201 files"


def test_what_is_shown() -> None:
    found = turned([GONE, CAME], LOGS, MODULES, there)
    assert (set(found.hidden), set(found.shown)) == (set(), {"b.log"})
    assert turned([CAME], NONE, LOGS, there) == Turned(".dockerignore"), "it was not hidden before"
    assert turned([GONE, CAME], LOGS, LOGS, there) == Turned()


def test_both_and_a_renamed_one() -> None:
    new = Rules("Dockerfile.dockerignore", ("a.log",))
    moved = FileChange("b.log", Alteration.RENAMED, "a.log")
    found = turned([moved], LOGS, new, there)
    assert found.sentence == "`Dockerfile.dockerignore` now hides 1 file and shows 1 file"


def test_the_file_is_gone() -> None:
    assert turned([CAME], LOGS, NONE, there).sentence == "`.dockerignore` is gone, which shows 1 file"


@pytest.mark.parametrize("on_disk", [True, False])
def test_the_cause(on_disk: bool) -> None:
    asked = Asked("FROM busybox AS s\nCOPY . /all\n", {"a.py": "1", "b.log": "1", "c.log": "1", ".dockerignore": ""})
    cache = Cache()
    cache.build(asked)
    build = cache.build(asked.but(files={"a.py": "2", ".dockerignore": "**/*.log"}))
    then = build.facts
    now = msgspec.structs.replace(then, rules={"": LOGS})
    (first,) = [each for each in cache.past if each.number == 1]
    files = build.causes["s:2"].files
    found = causes(Evidence(now, {"s:2"}, [first], {}, lambda *_: files, there=lambda *_: on_disk))
    cause = found["s:2"]
    assert cause.kind is CauseKind.FILES_CHANGED
    assert len(cause.files) == 4
    if on_disk:
        assert cause.detail == "`.dockerignore` now hides 2 files, and 1 other file changed since build 1."
        assert _short(cause) == "`.dockerignore` now hides 2 files, and 1 other file changed"
    else:
        assert cause.detail == "4 files changed since build 1."
        assert _short(cause) == ".dockerignore and 3 more changed"


def _short(cause: Cause) -> str:
    return short(cause, step("s", 2, "COPY . /all"))
