"""The order of a tree's stages."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from hitmiss.build.order import StageKey, stages


def key(name: str, platform: str | None = None) -> StageKey:
    return (platform, name)


BASE, DEPS, CODE, FINAL = (key(name) for name in ("base", "deps", "code", "final"))
NEEDS = {DEPS: {BASE}, CODE: {DEPS, BASE}, FINAL: {CODE}}


def test_what_is_built_upon_comes_first_whatever_was_heard_first() -> None:
    for keys in permutations([BASE, DEPS, CODE, FINAL]):
        assert stages(keys, NEEDS) == [BASE, DEPS, CODE, FINAL]


def test_announced_stages_keep_their_order_while_needs_become_known() -> None:
    announced = [BASE, CODE, DEPS, FINAL]
    assert stages([FINAL, BASE, DEPS, CODE], {}, announced) == announced
    assert stages([FINAL, BASE, DEPS, CODE], {FINAL: {BASE}}, announced) == announced
    assert stages([FINAL, BASE, DEPS, CODE], {FINAL: {CODE, DEPS}, CODE: {BASE}}, announced) == announced


def test_a_stage_that_was_not_announced_comes_where_its_needs_put_it() -> None:
    assert stages([BASE, FINAL, DEPS], {FINAL: {DEPS}, DEPS: {BASE}}, [BASE, FINAL]) == [BASE, DEPS, FINAL]
    assert stages([DEPS, BASE, FINAL], {}, [BASE, FINAL]) == [BASE, FINAL, DEPS]


def test_platforms_stay_together() -> None:
    keys = [key(name, platform) for name in ("final", "build") for platform in ("linux/arm64", "linux/amd64")]
    needs = {key("final", platform): {key("build", platform)} for platform in ("linux/amd64", "linux/arm64")}
    assert stages(keys, needs) == [
        key("build", "linux/amd64"),
        key("final", "linux/amd64"),
        key("build", "linux/arm64"),
        key("final", "linux/arm64"),
    ]


def test_a_circle_is_shown_and_not_refused() -> None:
    assert stages([BASE, DEPS], {BASE: {DEPS}, DEPS: {BASE}}, [BASE, DEPS]) == [BASE, DEPS]


def test_a_stage_may_name_itself_and_what_is_not_shown() -> None:
    assert stages([BASE], {BASE: {BASE}}) == [BASE]
    assert stages([FINAL, BASE], {FINAL: {BASE, FINAL}}) == [BASE, FINAL]


NAMES = [key(str(number)) for number in range(6)]


@given(st.permutations(NAMES), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))), st.permutations(NAMES))
def test_every_stage_once_and_never_before_its_needs(
    keys: list[StageKey], pairs: set[tuple[int, int]], announced: list[StageKey]
) -> None:
    needs: dict[StageKey, set[StageKey]] = {name: set() for name in NAMES}
    for one, other in pairs:
        if one > other:
            needs[NAMES[one]].add(NAMES[other])
    found = stages(keys, needs, announced)
    assert sorted(found) == sorted(NAMES)
    assert all(found.index(other) < found.index(one) for one in NAMES for other in needs[one])
