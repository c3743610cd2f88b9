"""What goes in and out of a build beside its steps, told from BuildKit's own words."""

from __future__ import annotations

import pytest

from hitmiss.build.model import Build, Note, Piece, Stage, Status, Step, Verdict
from hitmiss.build.transfers import Way, cache_layers, shown, transfers
from hitmiss.docker.caches import passed_over
from hitmiss.explain.making import transfer_text
from hitmiss.settings import BuildOptions


def work(text: str, *pieces: Piece, **more: object) -> Step:
    return Step(text, "", 0, 0, text, verdict=Verdict.INTERNAL, pieces=pieces, duration_s=1.0, **more)  # type: ignore[arg-type]


def build(*internals: Step, **more: object) -> Build:
    hit = Step("s:2", "s", 2, 2, "RUN x", verdict=Verdict.HIT, note=Note.IMPORTED, pieces=(Piece("sha256:1", 7, 9),))
    given = {"status": Status.SUCCEEDED, "stages": (Stage("s", "s", None, (hit,)),), **more}
    return Build(internals=internals, **given)  # type: ignore[arg-type]


IMPORT = work("importing cache manifest from r.io/x:c")
MISSING = work("importing cache manifest from r.io/y:c", error="r.io/y:c: not found")


def told(*internals: Step, **more: object) -> list[str]:
    return [transfer_text(each) for each in shown(build(*internals, **more))]


def test_an_import_says_how_much_came_of_it() -> None:
    assert told(IMPORT) == ["imported 1 hit, 9 B from r.io/x:c"]
    assert told(IMPORT, MISSING)[1] == "imported nothing (there is none yet) from r.io/y:c"
    assert told(IMPORT, work("importing cache manifest from r.io/z:c")) == [
        "imported a cache from r.io/x:c",
        "imported a cache from r.io/z:c",
    ], "which of them gave what is not known"
    line = "WARNING: local cache import at /c not found due to err: open /c/index.json: no such file or directory"
    assert told(text=(line,)) == ["imported nothing (no such file or directory) from /c"]
    running = work("importing cache manifest from r.io/x:c", running_since=0.1)
    assert told(running, status=Status.RUNNING) == ["importing a cache from r.io/x:c"]


def test_exports() -> None:
    layer = "sha256:" + "a" * 64
    cache = work("exporting cache to registry", Piece(f"writing layer {layer}"), Piece("writing config sha256:b"))
    assert cache_layers(cache) == (layer,)
    assert told(cache) == ["exported 1 layer to the registry"]
    assert told(cache, written={cache.id: 1234}) == ["exported 1 layer, 1.2 kB to the registry"]
    folder = work("exporting to client directory", Piece("copying files", 2_371_495))
    assert told(folder) == ["wrote 2.4 MB to a folder"]
    push = work("exporting to image", Piece("naming to docker.io/me/x:1"), Piece("pushing layers"))
    assert told(push, written={push.id: 5000}) == ["pushed 5.0 kB to me/x:1"]
    assert told(work("pushing r.io/x:1 with docker")) == ["pushed to r.io/x:1"]
    assert not told(work("exporting to image", Piece("naming to docker.io/library/x:1")), work("[internal] load"))
    (loaded,) = transfers(build(work("exporting to image", Piece("naming to docker.io/library/x:1"))))
    assert (loaded.way, loaded.what) == (Way.LOAD, "x:1")


ENVIRONMENT = {"ACTIONS_RUNTIME_TOKEN": "t", "ACTIONS_RESULTS_URL": "u"}


@pytest.mark.parametrize(
    ("given", "environment", "said"),
    [
        ("type=gha", {}, True),
        ("type=gha,scope=x", ENVIRONMENT, False),
        ("type=gha,url=u,token=t", {}, False),
        ("type=gha", {"ACTIONS_RUNTIME_TOKEN": "t"}, True),
        ("type=registry,ref=x", {}, False),
        ("x", {}, False),
    ],
)
def test_a_cache_that_buildx_leaves_out_is_told(given: str, environment: dict[str, str], said: bool) -> None:
    for options in (BuildOptions(cache_from=(given,)), BuildOptions(cache_to=(given,))):
        assert bool(passed_over(options, environment)) is said
