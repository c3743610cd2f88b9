"""What the Why tab says of a RUN's mounts, and how the engine's own words for cache mounts are read."""

from __future__ import annotations

from hitmiss.docker.reach import CacheRecord
from hitmiss.docker.storage import CacheUsage
from hitmiss.explain import mounts, text_of
from tests.support.subject import step


def told(instruction: str, caches: dict[str, int] | None = None) -> list[str]:
    return [text_of(line) for line in mounts(step("a", 1, instruction), caches)]


def record(description: str, size: int, sort: str = "exec.cachemount") -> CacheRecord:
    return CacheRecord("x", sort, size, description, "", None, 1, False, True, True)


def test_each_sort_of_mount() -> None:
    text = (
        "RUN --mount=type=cache,target=/root/.cache/uv --mount=type=cache,id=apt,target=/var/cache/apt "
        "--mount=source=uv.lock,target=uv.lock --mount=type=bind,from=deps,source=/out,target=/in "
        "--mount=type=secret,id=pip --mount=type=ssh --mount=type=tmpfs,target=/tmp uv sync --mount=type=cache"
    )
    assert told(text, {"/root/.cache/uv": 61440}) == [
        "Mounted while it runs",
        "  cache   /root/.cache/uv  61.4 kB, kept from build to build, in no key",
        "  cache   /var/cache/apt   empty, kept from build to build, in no key",
        "  bind    uv.lock          what is in it counts",
        "  bind    out of deps      what is in it counts",
        "  secret  pip              its value is in no key",
        "  ssh     default          in no key",
        "  tmpfs   /tmp             empty at first, and thrown away",
    ]


def test_sizes_are_not_made_up() -> None:
    assert told("RUN --mount=type=cache,target=/c x")[1] == "  cache  /c  kept from build to build, in no key"
    assert told("RUN --network=none --mount=type=cache,id=k,target=/c x", {"k": 5})[1].startswith("  cache  /c  5 B,")


def test_what_mounts_nothing() -> None:
    assert told("RUN make --mount=type=cache,target=/c") == []
    assert told("COPY --from=a /b /c") == []


def test_cache_mounts_by_their_ids() -> None:
    usage = CacheUsage(
        (
            record('cached mount /root/.cache/uv from exec /bin/sh -c uv sync with id "//root/.cache/uv"', 60),
            record('cached mount /c from exec /bin/sh -c echo with id "x" with id "/npm"', 5),
            record('cached mount /c from exec /bin/sh -c make with id "/npm"', 2),
            record("cached mount of another version", 3),
            record('mount / from exec /bin/sh -c echo with id "/npm"', 9, "regular"),
        )
    )
    assert usage.mounts == {"/root/.cache/uv": 60, "npm": 7}
