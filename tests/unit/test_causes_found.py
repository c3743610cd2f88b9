"""Causes and plans that generated cases (`tests/generated`) showed to be wrong."""

from __future__ import annotations

import msgspec
import pytest

from hitmiss.build.model import Planned, Status, Verdict
from hitmiss.cache import variables
from hitmiss.cache.facts import BuildFacts
from hitmiss.cache.operations import Image
from hitmiss.cache.plan import Request
from hitmiss.project.operations import Surroundings
from tests.support.imagined import IMAGES, Asked, Cache, Imagined

HEREDOC = "FROM busybox AS a\nARG V=1\nENV E=$V\nCOPY <<EOF /x\none $E\nEOF\n"


def twice(first: Asked, then: Asked) -> Imagined:
    cache = Cache()
    cache.build(first)
    return cache.build(then)


def heredoc(old: str, new: str) -> tuple[str, str | None, str | None]:
    """The cause of the COPY of a heredoc after an edit of the Dockerfile."""
    build = twice(Asked(HEREDOC, {}), Asked(HEREDOC.replace(old, new), {}))
    cause = build.causes["a:2"]
    return cause.kind.value, cause.old, cause.new


def test_a_heredoc_is_copied_that_holds_a_variable() -> None:
    assert heredoc("ENV E=$V", "ENV E=3") == ("environment-changed", "E=$V", "E=3")
    assert heredoc("V=1", "V=2") == ("argument-changed", "V=1", "V=2")


@pytest.mark.parametrize(
    ("then", "kind", "detail"),
    [
        (("RUN b", "RUN a"), "step-removed", "A step that stood above it stands below it now."),
        (("RUN b",), "step-removed", "A step above it is gone."),
    ],
)
def test_steps_that_change_places(then: tuple[str, ...], kind: str, detail: str) -> None:
    def asked(*steps: str) -> Asked:
        return Asked("\n".join(("FROM busybox AS s", *steps, "")), {})

    build = twice(asked("RUN a", "RUN b"), asked(*then))
    cause = build.causes["s:2"]
    assert (cause.kind.value, cause.detail, cause.old) == (kind, detail, "RUN a")


def test_a_step_that_comes_up_is_no_new_one() -> None:
    """`RUN a` was built on the base alone before, in a build that had no `RUN c`."""
    cache = Cache()
    for steps in ("RUN a\nRUN b", "RUN a\nRUN c\nRUN b"):
        cache.build(Asked(f"FROM busybox AS s\n{steps}\n", {}))
    cause = cache.build(Asked("FROM busybox AS s\nRUN a\nRUN b\nRUN c\n", {})).causes["s:4"]
    assert (cause.kind.value, cause.new) == ("step-inserted", "RUN b")
    assert cause.detail == "A step that stood below it stands above it now."


def test_what_stands_on_a_stage_that_was_asked_to_run_runs_too() -> None:
    asked = Asked("FROM busybox AS a\nRUN x\nFROM a AS b\nCOPY f /f\nRUN y\n", {"f": "f"})
    build = twice(asked, asked.but(request=Request(stages=frozenset({"a"}))))
    assert {step: build.plan[step] for step in ("a:2", "b:1", "b:2")} == dict.fromkeys(
        ("a:2", "b:1", "b:2"), Planned.RUN
    )
    assert {step: (cause.kind.value, cause.root) for step, cause in build.causes.items()} == {
        "a:2": ("no-cache", "a:2"),
        "b:1": ("parent-missed", "a:2"),
        "b:2": ("parent-missed", "a:2"),
    }


def test_what_only_reads_such_a_stage_depends_on_its_bytes() -> None:
    asked = Asked(
        "FROM busybox AS a\nRUN x\nFROM scratch AS b\nCOPY --link f /f\nCOPY --from=a /o /o\n",
        {"f": "f"},
        outputs={"b:2": "same"},
    )
    build = twice(asked, asked.but(request=Request(stages=frozenset({"a"}))))
    assert (build.plan["b:1"], build.plan["b:2"]) == (Planned.HIT, Planned.DEPENDS)
    assert list(build.causes) == ["a:2"]


def test_a_step_that_two_stages_share_runs_when_either_is_asked() -> None:
    text = "FROM busybox AS a\nCOPY f /f\nRUN x\nFROM busybox AS b\nCOPY f /f\nRUN y\nCOPY --from=a /o /o\n"
    asked = Asked(text, {"f": "f"})
    build = twice(asked, asked.but(request=Request(stages=frozenset({"b"}))))
    assert {step: (cause.kind.value, cause.root) for step, cause in build.causes.items()} == {
        "a:2": ("no-cache", "a:2"),
        "a:3": ("parent-missed", "a:2"),
        "b:3": ("no-cache", "b:3"),
        "b:4": ("no-cache", "b:4"),
    }


def test_a_stage_that_is_put_below_another_one_is_the_root() -> None:
    text = "FROM busybox AS app\nRUN app\nCOPY f /f\n"
    below = "FROM busybox AS base\nRUN base\nFROM base AS app"
    build = twice(Asked(text, {"f": "f"}), Asked(text.replace("FROM busybox AS app", below), {"f": "f"}))
    assert {step: (cause.kind.value, cause.root) for step, cause in build.causes.items()} == {
        "base:2": ("first-build", "base:2"),
        "app:1": ("parent-missed", "base:2"),
        "app:2": ("parent-missed", "base:2"),
    }


SWITCH = """\
ARG MODE=dev
FROM busybox AS base
RUN base
FROM base AS app-dev
RUN dev
FROM base AS app-prod
RUN prod
FROM app-${MODE} AS final
RUN cat
"""


def test_an_argument_names_another_stage_to_build_on() -> None:
    asked = Asked(SWITCH, {})
    build = twice(asked, asked.but(args={"MODE": "prod"}))
    assert build.causes["app-prod:1"].kind == "first-build"
    cause = build.causes["final:1"]
    assert (cause.kind, cause.root, cause.old, cause.new) == (
        "base-image-changed", "final:1", "app-dev", "app-prod"
    )  # fmt: skip
    assert cause.detail == "The argument MODE names another base."


def test_a_from_that_names_another_stage() -> None:
    """The stage above, which has no step of its own, is built on another one."""
    asked = Asked(SWITCH.replace("FROM app-${MODE} AS final", "FROM app-dev AS mid\nFROM mid AS final"), {})
    build = twice(asked, asked.but(dockerfile=asked.dockerfile.replace("FROM app-dev", "FROM app-prod")))
    cause = build.causes["final:1"]
    assert (cause.kind, cause.old, cause.new) == ("base-image-changed", "app-dev", "app-prod")
    assert cause.detail == "It is built on another stage."


def test_what_a_stage_named_by_an_argument_sets() -> None:
    text = SWITCH.replace("RUN dev", "ENV A=1\nRUN dev").replace("RUN cat", "COPY $A/f /to/")
    build = twice(Asked(text, {}), Asked(text.replace("ENV A=1", "ENV A=2"), {}))
    cause = build.causes["final:1"]
    assert (cause.kind, cause.root) == ("parent-missed", "app-dev:1")
    text = text.replace("ENV A=1\nRUN dev", "RUN dev\nENV A=1").replace("$A/f", "$A")
    cause = twice(Asked(text, {}), Asked(text.replace("ENV A=1", "ENV A=2"), {})).causes["final:1"]
    assert (cause.kind, cause.old, cause.new) == ("environment-changed", "A=1", "A=2")


ON_SCRATCH = "FROM busybox AS make\nRUN mk\nFROM scratch AS app\nCOPY --from=make /o /o\nCOPY f /f\nCOPY g /g\n"


def on_scratch(old: str, new: str, step: str) -> tuple[str, str, str | None, str | None]:
    """The cause of that step after an edit of the Dockerfile."""
    assert old in ON_SCRATCH
    files = {"f": "f", "g": "g"}
    cause = twice(Asked(ON_SCRATCH, files), Asked(ON_SCRATCH.replace(old, new), files)).causes[step]
    return cause.kind.value, cause.root, cause.old, cause.new


def test_scratch_becomes_an_image() -> None:
    kind, root, old, new = on_scratch("FROM scratch", "FROM busybox", "app:2")
    assert (kind, root, old, new) == ("base-image-changed", "app:2", "scratch", "busybox@bbbbbbbbbbbb")


def test_the_first_step_on_scratch_is_gone_or_new() -> None:
    assert on_scratch("COPY --from=make /o /o\n", "", "app:1") == (
        "step-removed", "app:1", "COPY --from=make /o /o", None
    )  # fmt: skip
    kind, root, _, new = on_scratch("scratch AS app\n", "scratch AS app\nCOPY new /n\n", "app:1")
    assert (kind, root, new) == ("step-inserted", "app:1", "COPY new /n")


def test_a_copy_on_scratch_is_edited() -> None:
    """With --link it stands on nothing, whatever is above."""
    assert on_scratch("COPY g", "COPY --link g", "app:3")[0] == "instruction-changed"
    text = "FROM busybox AS app\nCOPY --link f /f\n"
    build = twice(Asked(text, {"f": "f"}), Asked(text.replace(" --link", ""), {"f": "f"}))
    assert build.causes["app:2"].kind == "instruction-changed"


def above(asked: Asked, old: str, new: str) -> dict[str, tuple[str, str | None, str | None]]:
    """The causes that are their own roots after an edit of the Dockerfile."""
    assert old in asked.dockerfile
    build = twice(asked, asked.but(dockerfile=asked.dockerfile.replace(old, new)))
    return {
        step: (cause.kind.value, cause.old, cause.new) for step, cause in build.causes.items() if cause.root == step
    }


def test_user_above_a_workdir() -> None:
    """The folder that it makes is USER's."""
    made = Asked("FROM busybox AS app\nRUN x\nUSER 0\nWORKDIR /made\n", {})
    assert above(made, "USER 0", "USER 1000") == {"app:3": ("environment-changed", "root", "1000")}
    assert above(made, "USER 0", "USER me:7") == {"app:3": ("environment-changed", "root", "me:7")}
    made = Asked("FROM busybox AS app\nRUN x\nARG U=1\nUSER $U\nWORKDIR /made\n", {})
    assert above(made, "U=1", "U=2") == {"app:3": ("argument-changed", "U=1", "U=2")}


def test_workdir_above_a_linked_copy() -> None:
    asked = Asked("FROM busybox AS app\nWORKDIR /old\nCOPY --link f ./x/\n", {"f": "f"})
    assert above(asked, "/old", "/new")["app:3"] == ("environment-changed", "/old/x/", "/new/x/")
    asked = Asked("FROM busybox AS app\nARG D=/old\nWORKDIR $D\nCOPY --link f ./x/\n", {"f": "f"})
    assert above(asked, "D=/old", "D=/new")["app:3"] == ("argument-changed", "D=/old", "D=/new")


def test_a_base_of_another_workdir_below_a_linked_copy() -> None:
    old, new = (Image(f"sha256:{name}", known=True, workdir=f"/{name}") for name in ("old", "new"))
    asked = Asked("FROM own AS app\nCOPY --link f ./x/\n", {"f": "f"}, images={"own": old})
    cause = twice(asked, asked.but(images={"own": new})).causes["app:2"]
    assert (cause.kind, cause.old, cause.new) == ("base-image-changed", "own@old", "own@new")


def test_the_time_of_what_a_workdir_makes() -> None:
    asked = Asked("FROM busybox AS app\nRUN x\nWORKDIR /made\n", {})
    cause = twice(asked, asked.but(args={"SOURCE_DATE_EPOCH": "5"})).causes["app:3"]
    assert (cause.kind, cause.old, cause.new) == ("argument-changed", None, "SOURCE_DATE_EPOCH=5")


def test_an_argument_names_another_folder_to_copy_from() -> None:
    asked = Asked("FROM busybox AS app\nARG D=a\nCOPY $D/f /f\n", {"a/f": "1", "b/f": "2"})
    assert above(asked, "D=a", "D=b") == {"app:2": ("argument-changed", "D=a", "D=b")}


ONE_IMAGE = {name: Image("sha256:one", known=True, digest="sha256:" + "1" * 64) for name in ("one:1", "two:1")}
MOVED = {**ONE_IMAGE, "two:1": Image("sha256:two", known=True, digest="sha256:" + "2" * 64)}


@pytest.mark.parametrize(
    "line", ["FROM two:1 AS app\nRUN x\n", "FROM one:1 AS app\nRUN --mount=from=two:1,target=/t x\n"]
)
def test_of_two_names_of_an_image_the_one_that_is_used_is_told(line: str) -> None:
    asked = Asked(f"FROM one:1 AS left\nRUN l\n{line}COPY --from=left /l /l\n", {}, images=ONE_IMAGE)
    cause = twice(asked, asked.but(images=MOVED)).causes["app:2"]
    assert (cause.kind, cause.old, cause.new) == ("base-image-changed", "two:1@" + "1" * 12, "two:1@" + "2" * 12)
    assert "two:1, which is another image now" in cause.detail or "mount" not in line


OPTIONS = {
    "--network": (Surroundings(network="none"), "none"),
    "--add-host": (Surroundings(hosts=("h:1.2.3.4", "i:1.2.3.4")), "h, i"),
    "--ulimit": (Surroundings(ulimits=("nofile=100", "core=0:1")), "core=0:1, nofile=100:100"),
    "--shm-size": (Surroundings(shm_size="1m"), "1048576"),
    "--cgroup-parent": (Surroundings(cgroup_parent="x"), "x"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_every_run_sees(option: str) -> None:
    around, value = OPTIONS[option]
    asked = Asked("FROM busybox AS app\nRUN --mount=type=tmpfs,target=/t x\n", {})
    cause = twice(asked, asked.but(around=around)).causes["app:2"]
    assert (cause.kind, cause.old, cause.new) == ("environment-changed", None, f"{option}={value}")
    assert cause.detail == f"The option {option} is new."
    cause = twice(asked.but(around=around), asked).causes["app:2"]
    assert (cause.kind, cause.old, cause.new) == ("environment-changed", f"{option}={value}", None)


@pytest.mark.parametrize("name", ["BUILDKIT_SANDBOX_HOSTNAME", "BUILDKIT_CACHE_MOUNT_NS"])
def test_an_argument_that_no_run_declares(name: str) -> None:
    asked = Asked("FROM busybox AS app\nRUN --mount=type=cache,target=/t x\n", {})
    cause = twice(asked, asked.but(args={name: "n"})).causes["app:2"]
    assert (cause.kind, cause.old, cause.new) == ("argument-changed", None, f"{name}=n")


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ("http://u/x.txt", "What http://u/x.txt gives"),
        ("http://u/x http://u/y", "What one of http://u/x, http://u/y gives"),
    ],
)
def test_an_address_gives_something_else(sources: str, said: str) -> None:
    """Of several nobody knows which."""
    asked = Asked(f"FROM busybox AS app\nRUN x\nADD {sources} /to/\n", {}, outputs={"app:3": "same"})
    cause = twice(asked, asked.but(outputs={})).causes["app:3"]
    assert (cause.kind, cause.detail) == ("remote-changed", f"{said} is not what it gave in build 1.")


def test_an_argument_names_another_commit_to_add() -> None:
    asked = Asked("FROM busybox AS app\nARG REF=v2\nADD https://u/r.git#$REF /to/\n", {})
    build = twice(asked, asked.but(args={"REF": "main"}))
    cause = build.causes["app:2"]
    assert (cause.kind, cause.old, cause.new) == ("argument-changed", "REF=v2", "REF=main")


def test_a_variable_is_filled_in_by_what_is_above_it() -> None:
    asked = Asked("FROM busybox AS app\nARG A=1\nENV B=$A C=$B\nARG A=2\nENV C=$C\nRUN x\n", {})
    assert above(asked, "A=1", "A=5") == {"app:2": ("argument-changed", "A=1", "A=5")}
    asked = Asked("FROM busybox AS app\nENV A=1\nENV A=$A-x\nENV B=$A\nRUN x\n", {})
    assert above(asked, "A=1", "A=5") == {"app:2": ("environment-changed", "A=1", "A=5")}


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [("busybox", "scratch", "app:1"), ("scratch", "busybox", "app:2"), ("busybox", "other", "app:2")],
)
def test_an_argument_names_scratch_or_the_image_of_another_stage(old: str, new: str, step: str) -> None:
    asked = Asked(
        "ARG BASE\nFROM $BASE AS app\nCOPY f /f\nFROM busybox AS end\nRUN x\nCOPY --from=app /f /f\n",
        {"f": "f"},
        images={**IMAGES, "other": Image("sha256:other", known=True)},
    )
    cause = twice(asked.but(args={"BASE": old}), asked.but(args={"BASE": new})).causes[step]
    assert (cause.kind, cause.detail) == ("base-image-changed", "The argument BASE names another base image.")


MADE = """
FROM busybox AS build-cli
COPY cli /src
RUN make
FROM busybox AS build-srv
COPY srv /src
RUN make
FROM busybox AS cli
COPY --from=build-cli /out/ /opt/
RUN ls
FROM busybox AS srv
COPY --from=build-srv /out/ /opt/
RUN ls
"""


def test_bytes_of_one_stage_are_not_taken_for_those_of_another() -> None:
    """`COPY --from` of the same path looks alike in both, and what was seen last was the other one."""
    cache = Cache()
    files = {"cli": "cli", "srv": "srv"}
    for target in ("srv", "cli"):
        cache.build(Asked(MADE, files, target))
    files["srv"] = "srv, with a comment"
    cutoff = cache.build(Asked(MADE, files, "srv", outputs={"srv:2": "same", "srv:3": "same"}))
    assert cutoff.verdicts["srv:2"] is Verdict.HIT
    longer = MADE.replace("RUN ls\n", "RUN ls\nRUN more\n")
    cache.build(Asked(longer, files, "cli"))
    build = cache.build(Asked(longer, files, "srv"))
    assert build.plan["srv:4"] is Planned.RUN
    assert build.causes["srv:4"].kind.value == "step-inserted"


def test_many_stages_in_one_folder_that_may_be_as_they_were() -> None:
    """Of the many that a step may stand on, what it stood on before is looked at first."""
    stages = "".join(f"FROM busybox AS t{n}\nRUN echo {n}\n" for n in range(4))
    copies = "".join(f"COPY --link --from=t{n} /b/ /x/\n" for n in range(4))
    text = f"{stages}FROM busybox AS dev\n{copies}RUN ls\n"
    edited = text
    for n in range(1, 4):
        edited = edited.replace(f"RUN echo {n}", f"RUN echo {n}; true")
    build = twice(Asked(text, {}), Asked(edited, {}))
    assert build.plan["dev:6"] is Planned.DEPENDS


GONE = "A step above it is gone."
DOWN, UP = "A step that stood above it stands below it now.", "A step that stood below it stands above it now."
ORDER = "Where it stands, the steps above it are in another order."


@pytest.mark.parametrize(
    ("before", "after", "step", "kind", "detail"),
    [
        ("L /f; RUN a", "RUN a", "s:2", "step-removed", GONE),
        ("L /f; RUN a", "RUN a; L /f", "s:2", "step-removed", DOWN),
        ("RUN a; L /f; RUN b", "L /f; RUN a; RUN b", "s:3", "step-inserted", UP),
        ("L /f; L /g; RUN a", "L /g; L /f; RUN a", "s:4", "step-inserted", ORDER),
        ("RUN a; L /f; RUN b", "RUN a; RUN b", "s:3", "step-removed", GONE),
        ("L /f; L /g; RUN a; RUN b", "L /g; RUN a; L /f; RUN b", "s:3", "step-removed", DOWN),
    ],
)
def test_a_linked_copy_comes_goes_and_moves(before: str, after: str, step: str, kind: str, detail: str) -> None:
    def asked(steps: str) -> Asked:
        written = steps.replace("; ", "\n").replace("L /", "COPY --link f /")
        return Asked(f"FROM busybox AS s\n{written}\n", {"f": "f"})

    causes = twice(asked(before), asked(after)).causes
    assert (causes[step].kind.value, causes[step].detail) == (kind, detail)


@pytest.mark.parametrize("base", ["base-amd64", "base-${TARGETARCH}", "base-${BUILDARCH}"])
def test_an_argument_of_a_stage_that_an_automatic_argument_names(base: str) -> None:
    asked = Asked(f"FROM busybox AS base-amd64\nARG V=1\nFROM {base} AS app\nRUN echo $V\n", {})
    assert above(asked, "V=1", "V=2") == {"app:1": ("argument-changed", "V=1", "V=2")}


def test_of_several_platforms_each_has_the_stage_that_it_names() -> None:
    text = "FROM a AS base-amd64\nFROM b AS base-arm64\nFROM base-${TARGETARCH} AS app\n"
    build = BuildFacts(
        1, "p", "b", "app", 0.0, Status.SUCCEEDED, dockerfile=text, build_platform="linux/amd64",
        platforms=("linux/amd64", "linux/arm64"),
    )  # fmt: skip
    found = {platform: [each.name for each in variables.bases(build, "app", platform)] for platform in (
        "linux/amd64", "linux/arm64", "linux/amd64->arm64"
    )}  # fmt: skip
    assert found == {
        "linux/amd64": ["base-amd64", "a"],
        "linux/arm64": ["base-arm64", "b"],
        "linux/amd64->arm64": ["base-arm64", "b"],
    }


ONBUILD = ("ARG W=1", "RUN echo $W")


@pytest.mark.parametrize("of_stage", [True, False])
def test_an_argument_that_a_trigger_declares(of_stage: bool) -> None:
    """ONBUILD of the stage that FROM names, or of the base image."""
    text = "FROM busybox AS base\nONBUILD ARG W=1\nONBUILD RUN echo $W\nFROM base AS app\n"
    images = {"busybox": msgspec.structs.replace(IMAGES["busybox"], triggers=() if of_stage else ONBUILD)}
    asked = Asked(text if of_stage else "FROM busybox AS app\n", {}, images=images)
    build = twice(asked, asked.but(args={"W": "2"}))
    (cause,) = build.causes.values()
    assert (cause.kind, cause.old, cause.new) == ("argument-changed", "W=1", "W=2")


def test_a_named_context_becomes_a_folder_or_an_image() -> None:
    asked = Asked("FROM lay AS app\nCOPY f /g\n", {"f": "f"}, contexts={"lay": "docker-image://busybox"})
    folder = asked.but(contexts={"lay": "/dir"})
    cause = twice(asked, folder).causes["app:1"]
    assert (cause.kind, cause.old, cause.new) == ("base-image-changed", "busybox@bbbbbbbbbbbb", "/dir")
    assert cause.detail == "The base image is another one."
    cause = twice(folder, asked).causes["app:1"]
    assert (cause.kind, cause.old, cause.new) == ("base-image-changed", "/dir", "busybox@bbbbbbbbbbbb")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (("COPY f /f", "1"), ("COPY f /f", "2"), (". COPY f /f: 1 file changed since build 3.", ["f"], None, None)),
        (("RUN a", ""), ("RUN b", ""), (". RUN b: The instruction was edited.", [], "RUN a", "RUN b")),
        (("RUN a\nRUN b", ""), ("RUN a", ""), (": a step there is gone.", [], "RUN b", None)),
        (("RUN a", ""), ("RUN a\nRUN b", ""), (": a step there is new.", [], None, "RUN b")),
    ],
)
def test_a_stage_that_went_back_is_read(
    old: tuple[str, str], new: tuple[str, str], said: tuple[str, list[str], str | None, str | None]
) -> None:
    """The stage hits, but is not what its reader read in the only build that had what the reader stands on."""

    def asked(number: str, stage: tuple[str, str]) -> Asked:
        app = f"FROM busybox AS app\nRUN echo {number}\nCOPY --from=s /f /f\n"
        return Asked(f"FROM busybox AS s\n{stage[0]}\n{app}", {"f": stage[1]})

    cache = Cache()
    for each in (asked("1", old), asked("1", new), asked("2", old)):
        cache.build(each)
    (cause,) = cache.build(asked("2", new)).causes.values()
    detail, files, was, is_now = said
    assert (cause.kind, cause.root, cause.against) == ("stage-output-changed", "app:3", 3)
    assert cause.detail == f"It reads other bytes of s{detail}"
    assert ([each.path for each in cause.files], cause.old, cause.new) == (files, was, is_now)


def on_target(text: str, files: dict[str, str]) -> Asked:
    """A target that builds on the target `low`."""
    low = Asked("FROM busybox AS b\nRUN z\nCOPY g /g\nRUN y\n", files)
    return Asked(text, files, contexts={"base": "target:low"}, linked={"base": low})


ON_TARGET = "FROM base AS app\nRUN a\nRUN b\n"
FROM_TARGET = "FROM busybox AS app\nCOPY --from=base /g /g\nRUN b\n"


def test_a_chain_that_begins_in_another_target() -> None:
    build = twice(on_target(ON_TARGET, {"g": "1"}), on_target(ON_TARGET, {"g": "2"}))
    assert {step: (cause.kind.value, cause.root, cause.through) for step, cause in build.causes.items()} == {
        "app:1": ("parent-missed", "low:b:3", ()),
        "app:2": ("parent-missed", "low:b:3", ("app:1",)),
    }
    assert build.causes["app:1"].detail == "A step of low, which it is built on, ran."


def test_what_is_copied_from_another_target() -> None:
    build = twice(on_target(FROM_TARGET, {"g": "1"}), on_target(FROM_TARGET, {"g": "2"}))
    cause = build.causes["app:2"]
    assert (cause.kind, cause.root) == ("stage-output-changed", "low:b:3")
    assert cause.detail == "It reads other bytes of low than in build 1."


@pytest.mark.parametrize(
    ("text", "step", "kind", "detail"),
    [
        (ON_TARGET, "app:1", "base-image-changed", "The target low, which it is built on, is not what it was."),
        (FROM_TARGET, "app:2", "stage-output-changed", "It reads other bytes of low than in build 1."),
    ],
)
def test_another_target_hits_and_is_not_what_it_was(text: str, step: str, kind: str, detail: str) -> None:
    cache = Cache()
    first, then = on_target(text, {"g": "1"}), on_target(text, {"g": "2"})
    cache.build(first)
    cache.build(then.linked["base"])
    cause = cache.build(then).causes[step]
    assert (cause.kind, cause.root, cause.detail) == (kind, step, detail)
