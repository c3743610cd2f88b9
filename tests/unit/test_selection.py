"""What a changed path can reach. What BuildKit selects is settled in tests/engine/test_selection.py."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitmiss.project.dockerfile import DockerfileError, parse
from hitmiss.project.links import follower
from hitmiss.project.selection import EVERYTHING, Reach, StepRef, reach_of


def _reach(text: str, **options: object) -> Reach:
    return reach_of(parse(text), **options)  # type: ignore[arg-type]


THREE = (
    "FROM base AS deps\nCOPY package.json lock.json ./\nRUN install\n"
    "FROM deps AS test\nCOPY tests tests/\nRUN --mount=source=tools,target=/t t\n"
    "FROM deps AS final\nCOPY --exclude=*.md src/ src/\nCOPY --from=deps /x /y\nCOPY --from=lib *.so /lib/\n"
)


def test_a_file_that_no_step_reads() -> None:
    reach = _reach(THREE)
    assert not reach.everything
    assert not reach.reads("", "README.md")
    assert not reach.reads("", "tests/a.py")
    assert reach.reads("", "lock.json")
    assert reach.reads("", "src/deep/x.py")
    assert not reach.reads("", "src/a.md", folder=False)


def test_steps_by_name() -> None:
    reach = _reach(THREE, target="test")
    assert reach.steps_reading("", "package.json") == (StepRef("deps", 2, 2),)
    assert reach.steps_reading("", "tests/x") == (StepRef("test", 1, 5),)
    assert reach.steps_reading("", "tools/x") == (StepRef("test", 2, 6),)
    assert reach.steps_reading("", "src/x") == ()


def test_folders_above_and_below() -> None:
    reach = _reach("FROM scratch\nCOPY a/b/*.txt a/c/d /x/\n")
    for path in ("a", "a/b", "a/b/x.txt", "a/b/x.txt/in", "a/c", "a/c/d", "a/c/d/e/f", ""):
        assert reach.reads("", path), path
    for path in ("b", "a/x", "a/b/x.md", "a/c/e", "A"):
        assert not reach.reads("", path), path
    # A file cannot hold what is selected.
    assert not reach.reads("", "a/b", folder=False)


@pytest.mark.parametrize(
    ("step", "path", "reads"),
    [
        ("COPY . /x", "any/thing", True),
        ("COPY ../../a /x", "a/b", True),
        ("COPY /a/../b /x", "b", True),
        ("COPY *.txt /x", "a.txt", True),
        ("COPY *.txt /x", "d/a.txt", False),
        ("COPY */*.txt /x", "d/a.txt", True),
        ("COPY [ab]? /x", "a1", True),
        ("COPY a\\*b /x", "a*b", True),
        ('COPY ["a b", "/x"]', "a b/c", True),
        ("COPY [] /x", "q", True),
        ("COPY --exclude=**/*.md . /x", "d/a.md", False),
        ("COPY --exclude=d --exclude=!d/a . /x", "d/b", False),
        ("COPY --exclude=d --exclude=!d/a . /x", "d/a", True),
        ("COPY --exclude=[ . /x", "q", True),
        ("COPY --parents src/**/*.py /x", "src/a/b.py", True),
        ("COPY --parents src/**/*.py /x", "src/a/b.md", False),
        ("COPY --parents src/**/*.py /x", "docs/b.py", False),
        ("COPY --parents a/./b/*.c /x", "a/b/x.c", True),
        ("COPY --parents a/./b/*.c /x", "b/x.c", False),
        ("COPY --parents . /x", "q", True),
        ("ADD https://example.org/a.tgz /x", "https:/example.org/a.tgz", False),
        ("ADD https://example.org/$NOPE.tgz /x", "q", False),
        ("ADD git@github.com:a/b.git /x", "q", False),
        ("ADD a.tar /x", "a.tar", True),
        ("COPY <<E /x\nq\nE", "E", False),
        ("COPY <<E a /x\nq\nE", "a", True),
        ("COPY --from=base /etc /x", "etc", False),
        ("COPY --from=some/image /etc /x", "etc", False),
        ("COPY --from=lib b /x", "b", False),
        ("RUN --mount=type=bind,target=/t true", "q", True),
        ("RUN --mount=type=bind,source=a,target=/t true", "a/b", True),
        ("RUN --mount=type=bind,source=a*,target=/t true", "ab", False),
        ("RUN --mount=type=bind,source=a*,target=/t true", "a*/b", True),
        ("RUN --mount=type=bind,source=a[,target=/t true", "a[", True),
        ("RUN --mount=type=bind,source=a,target=/t true", "b", False),
        ("RUN --mount=target=/t,src=$D true", "dir/x", True),
        ("RUN --mount=target=/t,src=$D true", "other", False),
        ("RUN --mount=type=cache,target=/t true", "q", False),
        ("RUN --mount=type=secret,id=x,source=a true", "a", False),
        ("RUN --mount=type=tmpfs,target=/t true", "q", False),
        ("RUN --mount=from=base,source=a,target=/t true", "a", False),
        ('RUN --mount="type=bind,source=a b,target=/t" true', "a b", True),
        ("COPY $D /x", "dir/y", True),
        ("COPY ${D}2 /x", "dir/y", False),
        ("COPY $NOPE /x", "anything", True),
        ("COPY ${NOPE:-a} /x", "b", True),
        ("COPY $IMAGE_SAYS/x /y", "b", True),
        ("COPY ${D /x", "b", True),
        ("WORKDIR /a", "a", False),
        ("ENV a=b", "a", False),
    ],
)
def test_sources(step: str, path: str, reads: bool) -> None:
    reach = _reach(f"FROM base\nARG D=dir\nENV Q=$IMAGE_SAYS\n{step}\n", contexts={"lib": "./lib"})
    assert reach.reads("", path, folder=False) is reads


def test_unset_in_scratch_is_unset() -> None:
    assert not _reach("FROM scratch\nCOPY ${NOPE:-a} /x\n").reads("", "b")


def test_build_arguments_and_globals() -> None:
    text = "ARG DIR=one\nFROM base\nARG DIR\nARG SUB=s\nCOPY $DIR/$SUB /x\n"
    assert _reach(text).reads("", "one/s/f")
    assert not _reach(text).reads("", "two/s/f")
    assert _reach(text, build_args={"DIR": "two"}).reads("", "two/s/f")
    assert not _reach(text, build_args={"SUB": "t"}).reads("", "one/s/f")


def test_platforms_decide_sources() -> None:
    text = "FROM base\nARG TARGETARCH\nCOPY bin/$TARGETARCH /x\n"
    assert _reach(text).reads("", "anything")
    both = _reach(text, platforms=["linux/amd64", "linux/arm64/v8"])
    assert both.reads("", "bin/amd64")
    assert both.reads("", "bin/arm64")
    assert not both.reads("", "bin/riscv64")


def test_named_contexts() -> None:
    text = (
        "FROM base AS tools\nRUN x\nFROM lib AS copied\nCOPY a /a\nFROM base\nCOPY --from=files b/*.c /x\n"
        "RUN --mount=from=tools,source=t,target=/t x\nCOPY --from=image /y /y\n"
    )
    contexts = {"files": "./f", "tools": "./t", "lib": "./l", "image": "docker-image://alpine"}
    reach = _reach(text, contexts=contexts)
    assert reach.steps_reading("files", "b/x.c") == (StepRef("stage-2", 2, 6),)
    assert not reach.reads("files", "b/x.h")
    assert reach.steps_reading("tools", "t/u") == (StepRef("stage-2", 3, 7),)
    assert not reach.reads("tools", "v")
    assert not reach.reads("image", "y")
    assert not reach.reads("lib", "a")
    assert not reach.reads("", "t/u")
    assert _reach(text, contexts=contexts, target="copied").steps_reading("lib", "zzz") == (StepRef("copied", 1, 4),)


def test_a_stage_that_is_a_context_and_no_more() -> None:
    text = "FROM lib AS l\nENV a=b\nFROM base\nCOPY --from=l /only /x\n"
    reach = _reach(text, contexts={"lib": "."})
    assert reach.reads("lib", "only/x")
    assert not reach.reads("lib", "other")
    whole = _reach(text, contexts={"lib": "."}, target="l")
    assert whole.reads("lib", "other")


def test_onbuild_lines_of_a_base() -> None:
    assert _reach("FROM x AS b\nONBUILD COPY ob /x\nFROM b\nRUN y\n").reads("", "ob/f")
    assert _reach("FROM img\nRUN y\n", triggers={"img": ["COPY ob /x"]}).reads("", "ob/f")
    assert not _reach("FROM img\nRUN y\n").reads("", "ob/f")


def test_what_cannot_be_read_reaches_everything() -> None:
    assert reach_of(None) is EVERYTHING
    assert EVERYTHING.reads("any", "thing")
    assert EVERYTHING.steps_reading("any", "thing") == ()
    assert _reach("FROM a\nCOPY b /c\n", target="nope").everything
    assert _reach("FROM $NOPE\n").everything


def test_sources_behind_links(tmp_path: Path) -> None:
    for name in ("real/sub/f", "other/g", "data.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    links = {
        "link": "real",
        "real/up": "../other",
        "abs": "/other",
        "file.c": "data.txt",
        "loop": "loop",
        "out": "../../..",
    }
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    follow = follower({"": tmp_path})

    def reads(source: str, path: str) -> bool:
        return _reach(f"FROM scratch\nCOPY {source} /x\n", follow=follow).reads("", path, folder=False)

    assert reads("link/sub", "real/sub/f")
    assert not reads("link/sub", "real/other")
    assert reads("link/up", "other/g")
    assert reads("abs", "other/g")
    assert reads("*.c", "data.txt")
    assert reads("li*", "real/sub/f")
    assert not reads("li*/sub", "real/sub/f")
    assert not reads("loop", "data.txt")
    assert reads("out", "data.txt")
    assert not reads("missing/x", "data.txt")
    assert not reads("real\0/sub", "real/sub/f")
    assert not reads("real\0/*", "real/sub/f")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b*", "[", "?", "**", "..", "$A", "${", "!", "\\"]), min_size=1, max_size=4),
    st.text(max_size=8),
)
def test_any_source_and_path_give_an_answer(parts: list[str], path: str) -> None:
    source = "/".join(parts)
    for step in (
        f"COPY {source} /x",
        f"COPY --parents {source} /x",
        f"COPY --exclude={source} . /x",
        f"RUN --mount=src={source} x",
    ):
        with suppress(DockerfileError):
            _reach(f"FROM a\n{step}\n").reads("", path)
