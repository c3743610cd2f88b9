"""Images that stand on each other: their order, what a save reaches, and how the settings and the flags make them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitmiss.errors import UsageError
from hitmiss.project.units import Unit, closure, dependants, in_order, triggered, units, unwatched
from hitmiss.settings import BuildOptions, Secret, Settings, Target, Watch


def unit(name: str, *needs: str, **linked: str) -> Unit:
    return Unit(name, BuildOptions(), needs, linked=linked)


def names(found: tuple[Unit, ...]) -> list[str]:
    return [each.name for each in found]


# --- order ---


def test_the_order_given_is_kept_where_nothing_is_needed() -> None:
    assert names(in_order([unit("c"), unit("a"), unit("b")])) == ["c", "a", "b"]
    assert in_order([]) == ()


def test_what_is_needed_comes_first() -> None:
    found = [unit("app", "builder"), unit("docs"), unit("builder", base="base"), unit("base")]
    assert names(in_order(found)) == ["base", "builder", "app", "docs"]


@given(st.permutations(range(8)), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_any_order_holds_every_need(given_order: list[int], pairs: set[tuple[int, int]]) -> None:
    needs = {at: [f"u{low}" for low, high in sorted(pairs) if high == at and low < at] for at in range(8)}
    found = names(in_order([unit(f"u{at}", *needs[at]) for at in given_order]))
    assert sorted(found) == [f"u{at}" for at in range(8)]
    for at, before in needs.items():
        assert all(found.index(need) < found.index(f"u{at}") for need in before)


@pytest.mark.parametrize(
    ("given_units", "said"),
    [
        (
            [unit("app", "builder"), unit("builder", "app")],
            "app needs builder, and builder needs app: none of them can be built first. Take one of these needs away.",
        ),
        (
            [unit("d"), unit("a", "b", "d"), unit("b", x="c"), unit("c", "a")],
            "a needs b, b needs c, and c needs a: none of them can be built first.",
        ),
        ([unit("app", "app")], "app needs app: it cannot be built before itself. Take that need away."),
        ([unit("app", "bilder"), unit("builder")], "app needs bilder, and there is no such target. Targets: app, buil"),
    ],
)
def test_needs_that_cannot_be_met(given_units: list[Unit], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        in_order(given_units)
    assert str(caught.value).startswith(said)


CHAIN = [unit("app", "lib"), unit("docs"), unit("lib", base="base"), unit("base"), unit("tool", "base")]


def test_what_must_be_built_for_some() -> None:
    assert names(closure(CHAIN, ["app"])) == ["base", "lib", "app"]
    assert names(closure(CHAIN, ["docs", "tool"])) == ["base", "docs", "tool"]
    assert closure(CHAIN, []) == ()


def test_what_stands_on_some() -> None:
    assert names(dependants(CHAIN, ["base"])) == ["lib", "app", "tool"]
    assert names(dependants(CHAIN, ["base", "lib"])) == ["app", "tool"]
    assert dependants(CHAIN, ["docs"]) == ()


def test_a_name_that_is_no_unit() -> None:
    for ask in (closure, dependants):
        with pytest.raises(UsageError, match=r"There is no target called web\. Targets: base, lib, app, docs, tool\."):
            ask(CHAIN, ["web"])


def test_a_chain_longer_than_the_stack() -> None:
    long = [unit(f"u{at}", f"u{at + 1}") for at in range(3000)] + [unit("u3000")]
    assert names(in_order(long))[0] == "u3000"
    assert len(closure(long, ["u0"])) == 3001


# --- saves ---


@pytest.mark.parametrize(
    ("triggers", "reached", "left"),
    [
        ((), ["anything", "a/b"], []),
        (("main.py",), ["main.py", "./main.py", "/main.py"], ["main.pyc", "a/main.py"]),
        (("plugins/**",), ["plugins/a.py", "plugins/a/b.py"], ["plugin", "a/plugins/b"]),
        (("src",), ["src", "src/a", "src/a/b"], ["srcs", "a/src"]),
        (("/src/",), ["src/a"], ["a/src/b"]),
        (("**/*.py",), ["a.py", "a/b/c.py"], ["a.pyc"]),
        (("src", "!src/docs"), ["src/a"], ["src/docs/a"]),
        (("pyproject.toml", "uv.lock"), ["uv.lock", "pyproject.toml"], ["main.py", ""]),
    ],
)
def test_triggers(triggers: tuple[str, ...], reached: list[str], left: list[str]) -> None:
    one = Unit("app", BuildOptions(), triggers=triggers)
    assert [path for path in reached if not triggered(one, path)] == []
    assert [path for path in left if triggered(one, path)] == []


def test_a_trigger_that_cannot_be_read() -> None:
    with pytest.raises(UsageError, match=r"One of these patterns cannot be read: a\[\. They are written as in a"):
        triggered(Unit("app", BuildOptions(), triggers=("a[",)), "x")


def test_watch_rules() -> None:
    settings = Settings(watch=Watch(("docs/**", "*.md")))
    assert unwatched(settings, "docs/a/b")
    assert unwatched(settings, "README.md")
    assert not unwatched(settings, "src/README.md")
    assert not unwatched(Settings(), "docs/a")


# --- from the settings ---


class Told:
    """Placeholders that say who asked."""

    def fill(self, tag: str) -> str:
        return tag.replace("{branch}", "main")


def made(*targets: Target, flags: BuildOptions | None = None, folder: str = ".") -> tuple[Unit, ...]:
    table = {f"t{at}": target for at, target in enumerate(targets)}
    return units(Settings(targets=table), flags or BuildOptions(), Path(folder), Told())


def test_without_targets_there_are_no_units() -> None:
    assert made() == ()


def test_a_target_without_a_word_is_a_plain_build() -> None:
    assert made(Target()) == (Unit("t0", BuildOptions()),)


WHOLE = Target(
    context="app",
    dockerfile="docker/x.dev",
    target="final",
    needs=("t1",),
    args={"A": "1", "B": "x=y"},
    secrets={"pip": Secret(env="PIP"), "key": Secret(file="secrets/a,b")},
    contexts={"shared": "../shared", "base": "target:t1", "alpine": "docker-image://alpine"},
    tags=("x:{branch}", "x:latest"),
    platforms=("linux/amd64",),
    cache_from=("type=local,src=cache", "user/app:cache"),
    cache_to=("type=local,dest=cache,mode=max", "type=inline"),
    load=True,
    outputs=("out", "type=tar,dest=-", "type=oci,dest=/abs/x.tar"),
    labels={"org.x": "y"},
    triggers=("src",),
)


def test_a_target_as_options() -> None:
    first, _ = made(WHOLE, Target(), folder="sub")
    assert first.options == BuildOptions(
        context="sub/app",
        file="sub/docker/x.dev",
        target="final",
        tags=("x:main", "x:latest"),
        build_args=("A=1", "B=x=y"),
        secrets=("id=pip,env=PIP", 'id=key,"src=sub/secrets/a,b"'),
        build_contexts=("shared=shared", "base=target:t1", "alpine=docker-image://alpine"),
        cache_from=("type=local,src=sub/cache", "user/app:cache"),
        cache_to=("type=local,dest=sub/cache,mode=max", "type=inline"),
        platforms=("linux/amd64",),
        labels=("org.x=y",),
        load=True,
        outputs=("sub/out", "type=tar,dest=-", "type=oci,dest=/abs/x.tar"),
    )
    assert (first.needs, first.triggers, first.linked) == (("t1",), ("src",), {"base": "t1"})
    assert first.before() == ("t1",)


@pytest.mark.parametrize("place", ["https://x/y.git#main", "git@x:y.git", "/abs", "-", "github.com/a/b"])
def test_a_context_elsewhere_stays_as_it_is(place: str) -> None:
    assert made(Target(context=place), folder="sub")[0].options.context == place


def test_flags_win() -> None:
    flags = BuildOptions(
        build_args=("A=2", "C"),
        labels=("org.x=z",),
        build_contexts=("base=here",),
        platforms=("linux/arm64",),
        cache_from=("other",),
        secrets=("id=npm",),
        builder="big",
        network="host",
        no_cache=True,
        pull=True,
        push=True,
    )
    first, second = made(WHOLE, Target(), flags=flags)
    assert first.options.build_args == ("B=x=y", "A=2", "C")
    assert first.options.labels == ("org.x=z",)
    assert first.options.build_contexts == ("shared=../shared", "alpine=docker-image://alpine", "base=here")
    assert first.linked == {}
    assert first.options.platforms == ("linux/arm64",)
    assert first.options.cache_from == ("other",)
    assert first.options.cache_to
    assert first.options.load
    assert first.options.secrets[2:] == ("id=npm",)
    for each in (first.options, second.options):
        assert (each.builder, each.network, each.no_cache, each.pull, each.push) == ("big", "host", True, True, True)
    assert second.options.build_args == ("A=2", "C")


@pytest.mark.parametrize(
    ("flags", "flag"),
    [
        (BuildOptions(file="x"), "--file"),
        (BuildOptions(target="x"), "--target"),
        (BuildOptions(tags=("x",)), "--tag"),
        (BuildOptions(outputs=("x",)), "--output"),
    ],
)
def test_a_flag_for_one_image(flags: BuildOptions, flag: str) -> None:
    (only,) = made(Target(dockerfile="y", target="y", tags=("y",), outputs=("y",)), flags=flags)
    given_flag = {"--file": "file", "--target": "target", "--tag": "tags", "--output": "outputs"}[flag]
    assert getattr(only.options, given_flag) == getattr(flags, given_flag)
    with pytest.raises(UsageError, match=rf"{flag} is for one image, and the settings have 2: t0, t1\. Say it in"):
        made(Target(), Target(), flags=flags)
