"""Causes and plans by the key model alone; `tests/matrix` holds the same against a real engine."""

from __future__ import annotations

import pytest

from hitmiss.build.model import CauseKind, Planned, Verdict
from hitmiss.cache.operations import Image
from hitmiss.cache.plan import Request
from tests.support.imagined import IMAGES, Asked, Cache, Imagined

DOCKERFILE = """\
ARG BASE=busybox
FROM ${BASE} AS deps
ARG VER=1
WORKDIR /app
COPY deps.txt .
RUN install $VER
FROM deps AS build
ENV MODE=fast
COPY src/ src/
RUN make
FROM busybox AS final
COPY --from=build /out /out
RUN check
"""
FIRST = Asked(DOCKERFILE, {"deps.txt": "one", "src/main": "a", "src/other": "b", "README": "r"})


def told(build: Imagined) -> dict[str, tuple[str, str]]:
    """Kind and root of every miss."""
    return {step: (cause.kind.value, cause.root) for step, cause in build.causes.items()}


def after(asked: Asked, *earlier: Asked) -> Imagined:
    cache = Cache()
    for each in earlier or (FIRST,):
        cache.build(each)
    return cache.build(asked)


def edited(old: str, new: str, asked: Asked = FIRST) -> Asked:
    assert old in asked.dockerfile
    return asked.but(dockerfile=asked.dockerfile.replace(old, new))


def test_a_first_build() -> None:
    build = Cache().build(FIRST)
    assert set(told(build).values()) == {("first-build", step) for step in build.causes}
    assert build.verdicts["deps:1"] is Verdict.HIT
    assert build.plan["build:1"] is Planned.RUN


def test_nothing_changed() -> None:
    build = after(FIRST)
    assert build.causes == {}
    assert set(build.plan.values()) == {Planned.HIT}


def test_a_changed_file() -> None:
    build = after(FIRST.but(files={**FIRST.files, "src/main": "changed"}))
    assert told(build) == {
        "build:1": ("files-changed", "build:1"),
        "build:2": ("parent-missed", "build:1"),
        "final:2": ("stage-output-changed", "build:1"),
        "final:3": ("parent-missed", "build:1"),
    }
    assert [file.path for file in build.causes["build:1"].files] == ["src/main"]
    assert build.causes["build:1"].below == 3
    assert build.causes["final:3"].through == ("final:2",)
    assert [build.plan[step] for step in ("build:1", "build:2", "final:2", "final:3")] == [
        Planned.RUN, Planned.RUN, Planned.DEPENDS, Planned.DEPENDS,
    ]  # fmt: skip


def test_early_cutoff_and_what_comes_after_it() -> None:
    cache = Cache()
    cache.build(FIRST)
    changed = FIRST.but(files={**FIRST.files, "src/main": "changed"}, outputs={"final:2": "same", "final:3": "same"})
    build = cache.build(changed)
    assert set(build.causes) == {"build:1", "build:2"}
    again = cache.build(edited("RUN check", "RUN check --more", changed))
    assert told(again) == {"final:3": ("instruction-changed", "final:3")}
    assert set(cache.build(changed).plan.values()) == {Planned.HIT}
    back = cache.build(FIRST.but(dockerfile=DOCKERFILE.replace("RUN check", "RUN check --more")))
    assert set(back.plan.values()) == {Planned.HIT}, "the bytes are known to be the same"


def test_a_file_that_nobody_reads() -> None:
    assert after(FIRST.but(files={**FIRST.files, "README": "other"})).causes == {}


EDITS = {
    "an argument": (FIRST.but(args={"VER": "2"}), {"deps:4": "argument-changed"}),
    "the default of an argument": (edited("VER=1", "VER=2"), {"deps:4": "argument-changed"}),
    "an instruction": (edited("RUN install", "RUN install -v"), {"deps:4": "instruction-changed"}),
    "ENV": (edited("MODE=fast", "MODE=slow"), {"build:2": "environment-changed"}),
    "ENV by an argument": (edited("MODE=fast", "MODE=$VER"), {"build:2": "environment-changed"}),
    "a new ENV": (edited("ENV MODE", "ENV MORE=1 MODE"), {"build:2": "environment-changed"}),
    "USER": (edited("RUN make", "USER me\nRUN make"), {"build:2": "environment-changed"}),
    "SHELL": (edited("RUN make", 'SHELL ["/bin/ash", "-c"]\nRUN make'), {"build:2": "environment-changed"}),
    "WORKDIR": (edited("/app", "/srv"), {"deps:2": "instruction-changed"}),
    "a new step": (edited("RUN make", "RUN configure\nRUN make"), {"build:2": "step-inserted"}),
    "a step gone": (edited("COPY src/ src/\n", ""), {"build:1": "step-removed"}),
    "a step gone at the top": (edited("WORKDIR /app\n", ""), {"deps:2": "step-removed"}),
    "another base": (
        edited("BASE=busybox", "BASE=other").but(images={**IMAGES, "other": Image("sha256:others", known=True)}),
        {"deps:2": "base-image-changed"},
    ),
    "a base that moved": (
        FIRST.but(images={"busybox": Image("sha256:new layers", known=True)}),
        {"deps:2": "base-image-changed", "final:2": "base-image-changed"},
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits(edit: str) -> None:
    """The roots of what ran; all else that ran is a parent that missed, or what a stage put out."""
    asked, roots = EDITS[edit]
    build = after(asked)
    found = {step: cause.kind.value for step, cause in build.causes.items() if cause.root == step}
    assert found == roots
    rest = {cause.kind for step, cause in build.causes.items() if cause.root != step}
    assert rest <= {CauseKind.PARENT_MISSED, CauseKind.STAGE_OUTPUT_CHANGED}
    wrong = {step for step, plan in build.plan.items() if plan is Planned.HIT and build.verdicts[step] is Verdict.MISS}
    assert wrong == set()


@pytest.mark.parametrize("edit", ["# a comment\nRUN make", "LABEL a=b\nRUN make", "EXPOSE 80\nRUN make"])
def test_what_makes_no_step_miss(edit: str) -> None:
    assert after(edited("RUN make", edit)).causes == {}


def test_old_and_new_values() -> None:
    cause = after(FIRST.but(args={"VER": "2"})).causes["deps:4"]
    assert (cause.old, cause.new) == ("VER=1", "VER=2")
    cause = after(edited("RUN make", "RUN make all")).causes["build:2"]
    assert (cause.old, cause.new) == ("RUN make", "RUN make all")


def test_a_secret_argument_is_never_shown() -> None:
    first = edited("ARG VER=1", "ARG API_TOKEN")
    build = after(first.but(args={"API_TOKEN": "two-two"}), first.but(args={"API_TOKEN": "one-one"}))
    cause = build.causes["deps:4"]
    assert (cause.kind, cause.old, cause.new) == ("argument-changed", "API_TOKEN=(hidden)", "API_TOKEN=(hidden)")


def test_going_back_hits() -> None:
    changed = FIRST.but(files={**FIRST.files, "src/main": "changed"})
    assert after(FIRST, FIRST, changed).causes == {}


def test_the_nearest_build_is_compared_with() -> None:
    """Another branch in between does not make the branch's own change look like many."""
    branch = edited("RUN install", "RUN install --branch").but(files={**FIRST.files, "src/other": "branch"})
    changed = FIRST.but(files={**FIRST.files, "src/main": "changed"})
    cause = after(changed, FIRST, branch).causes["build:1"]
    assert ([file.path for file in cause.files], cause.against) == (["src/main"], 1)


def test_lost_records() -> None:
    cache = Cache()
    first = cache.build(FIRST)
    cache.lost = set(first.facts.keys)
    build = cache.build(FIRST)
    assert set(told(build).values()) == {("evicted", step) for step in build.causes}
    assert {"deps:2", "final:3"} <= set(build.causes)
    assert build.causes["deps:2"].against == 1


def test_no_cache() -> None:
    build = after(FIRST.but(request=Request(everything=True)))
    assert set(told(build).values()) == {("no-cache", step) for step in build.causes}
    build = after(FIRST.but(request=Request(stages=frozenset({"build"}))))
    assert told(build) == {
        "build:1": ("no-cache", "build:1"),
        "build:2": ("no-cache", "build:2"),
        "final:2": ("stage-output-changed", "build:2"),
        "final:3": ("parent-missed", "build:2"),
    }


def test_two_changes_in_one_chain_have_one_root() -> None:
    build = after(edited("RUN make", "RUN make all").but(files={**FIRST.files, "src/main": "changed"}))
    assert told(build)["build:2"] == ("parent-missed", "build:1")
    assert "By itself" in build.causes["build:2"].detail
