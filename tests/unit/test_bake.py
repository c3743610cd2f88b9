"""Bake and compose files as docker's tools print them, with tools of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hitmiss.docker import bake, client
from hitmiss.docker.client import Answer
from hitmiss.equivalent import equivalent
from hitmiss.errors import UsageError
from hitmiss.project.find import Kind, Source
from hitmiss.settings import BuildOptions, Settings
from hitmiss.workspace import Workspace, alone, open_workspace

Printed = Mapping[str, Any]
HERE = Path("/project")


class Tools:
    """What buildx and compose would print; `asked` are the words they were given."""

    def __init__(self, targets: Printed, groups: Mapping[str, list[str]] | None = None) -> None:
        self.targets = targets
        self.groups = dict(groups or {})
        self.asked: list[tuple[str, ...]] = []
        self.errors: dict[str, str] = {}
        """Words of a command → what it says when it fails."""

    async def ask(self, *words: str, **_: Any) -> Answer:
        self.asked.append(words)
        if refused := self._refused(words):
            return refused
        if "--list=type=targets,format=json" in words:
            listed: list[dict[str, object]] = [{"name": name} for name in self.targets]
            listed += [{"name": name, "group": True} for name in self.groups]
            return Answer(0, msgspec.json.encode(listed), "")
        wanted = list(words[words.index("--print") + 1 :]) or ["default"]
        groups = {name: {"targets": members} for name, members in self.groups.items() if name != "default"}
        default = self.groups.get("default", []) if wanted == ["default"] else wanted
        members = self.groups.get("default", wanted) if wanted == ["default"] else wanted
        targets = {name: self.targets[name] for name in members if name in self.targets}
        whole = {"target": targets, "group": groups | {"default": {"targets": default}}}
        return Answer(0, msgspec.json.encode(whole), "")

    async def run(self, command: list[str], **_: Any) -> Answer:
        words = tuple(command)
        self.asked.append(words)
        if refused := self._refused(words):
            return refused
        names = [name for name in self.targets if "*" in words or name != "hidden"]
        whole = {
            "target": {name: self.targets[name] for name in names},
            "group": {"default": {"targets": names}} if names else {},
        }
        return Answer(0, msgspec.json.encode(whole), 'time="x" level=warning msg="The \\"A\\" variable is not set."\n')

    def _refused(self, words: tuple[str, ...]) -> Answer | None:
        said = next((said for word, said in self.errors.items() if word in words), "")
        return Answer(1, b"", said) if said else None


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tools]:
    def made(targets: Printed, groups: Mapping[str, list[str]] | None = None) -> Tools:
        found = Tools(targets, groups)
        monkeypatch.setattr(client, "ask", found.ask)
        monkeypatch.setattr(client, "run", found.run)
        monkeypatch.setattr(client, "find_plugin", lambda name: (name,))
        return found

    return made


def resolved(kind: Kind = Kind.BAKE, **flags: Any) -> bake.Baked:
    return asyncio.run(bake.resolve(Source(kind, (HERE / "docker-bake.hcl",)), BuildOptions(**flags), cwd=HERE))


def test_a_target_becomes_the_options_of_docker_build(tools: Callable[..., Tools]) -> None:
    target = {
        "context": "src",
        "dockerfile": "sub/a.Dockerfile",
        "args": {"A": "1 = $${B}"},
        "labels": {"l": "%%{ x }"},
        "contexts": {"base": "target:base", "conf": "../conf"},
        "tags": ["x:1"],
        "secret": [{"type": "file", "id": "token", "src": "t.txt"}],
        "ssh": [{"id": "default", "paths": ["a", "b"]}],
        "output": [{"type": "docker"}],
        "cache-from": [{"type": "registry", "ref": "r/x"}],
        "extra-hosts": {"h": "10.0.0.1"},
        "no-cache-filter": ["dev"],
        "platforms": ["linux/amd64"],
    }
    tools({"a": target, "base": {"context": "https://example.org/x.git", "dockerfile": "D"}}, {"default": ["a"]})
    units = {unit.name: unit for unit in resolved().units}
    options = units["a"].options
    assert (options.context, options.file) == ("src", "src/sub/a.Dockerfile")
    assert options.build_args == ("A=1 = ${B}",)
    assert options.labels == ("l=%{ x }",)
    assert units["a"].linked == {"base": "base"}
    assert options.secrets == ("id=token,type=file,src=t.txt",)
    assert options.ssh == ("default=a,b",)
    assert options.outputs == ("type=docker",)
    assert options.cache_from == ("type=registry,ref=r/x",)
    assert options.add_hosts == ("h:10.0.0.1",)
    assert units["base"].options.file == "D", "in a repository, not in a folder of that name"


def test_an_inline_dockerfile_is_read_as_it_is_meant(tools: Callable[..., Tools]) -> None:
    tools({"a": {"dockerfile": "Dockerfile", "dockerfile-inline": "FROM x\nRUN echo $${A} %%{b}"}}, {"default": ["a"]})
    (unit,) = resolved().units
    assert unit.inline == "FROM x\nRUN echo ${A} %{b}"
    assert unit.options.file == ""


def test_flags_lie_over_every_target_and_are_no_templates(tools: Callable[..., Tools]) -> None:
    tools({"a": {"args": {"A": "1", "B": "2"}}, "b": {}}, {"default": ["a", "b"]})
    found = resolved(build_args=("A=${X}",), labels=("l=%{y}",), no_cache=True)
    assert [unit.options.build_args for unit in found.units] == [("A=${X}", "B=2"), ("A=${X}",)]
    targets = msgspec.json.decode(found.file)["target"]
    assert targets["b"] == {"args": {"A": "$${X}"}, "labels": {"l": "%%{y}"}, "no-cache": True}


def test_groups_of_groups_and_a_target_called_default(tools: Callable[..., Tools]) -> None:
    tools({"a": {}, "b": {}, "c": {}}, {"default": ["in", "c"], "in": ["a", "more"], "more": ["b", "in"]})
    found = resolved()
    assert found.default == ("a", "b", "c")
    assert found.groups == {"in": ("a", "b"), "more": ("b", "a")}
    tools({"default": {}}, {})
    assert [unit.name for unit in resolved().units] == ["default"]


def test_the_services_of_active_profiles_are_built_and_the_others_can_be_chosen(tools: Callable[..., Tools]) -> None:
    asked = tools({"web": {}, "hidden": {}}).asked
    found = resolved(Kind.COMPOSE)
    assert found.default == ("web",)
    assert {unit.name for unit in found.units} == {"web", "hidden"}
    assert found.notices == ('The "A" variable is not set.',)
    assert ("docker-compose", "build", "--print") in asked


def test_a_profile_that_cannot_be_read_is_in_nobodys_way(tools: Callable[..., Tools]) -> None:
    tools({"web": {}, "hidden": {}}).errors["*"] = "required variable X is missing a value"
    assert [unit.name for unit in resolved(Kind.COMPOSE).units] == ["web"]


def test_a_target_that_cannot_be_read_is_not_in_the_way_of_the_others(tools: Callable[..., Tools]) -> None:
    tools({"web": {}, "broken": {}}, {"default": ["web"]}).errors["broken"] = "ERROR: failed to find target z"
    found = resolved()
    assert found.default == ("web",)
    assert found.notices == ("Some targets cannot be built: failed to find target z.",)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("#1 DONE\nERROR: infinite loop from b to a", "The contexts of a and b go round in a circle"),
        ('ERROR: x.hcl:2,1-3: Unknown; No "y"., and 2 other diagnostic(s)', 'x.hcl:2,1-3: Unknown; No "y". Mend'),
    ],
)
def test_a_file_that_is_refused(said: str, told: str, tools: Callable[..., Tools]) -> None:
    tools({"a": {}}, {"default": ["a"]}).errors["--print"] = said
    with pytest.raises(UsageError) as raised:
        resolved()
    assert str(raised.value).startswith(told)


# Choosing among what there is


def opened(folder: Path, **flags: Any) -> Workspace:
    return asyncio.run(open_workspace(BuildOptions(**flags), Settings(), cwd=folder))


def test_what_was_asked_for_stays_so(tools: Callable[..., Tools], tmp_path: Path) -> None:
    (tmp_path / "docker-bake.hcl").write_text("")
    made = tools({"a": {}, "b": {}, "c": {}}, {"default": ["a"], "pair": ["a", "b"]})
    space = opened(tmp_path)
    assert (space.kind, space.chosen) == (Kind.BAKE, ("a",))
    pair = space.choose("pair")
    assert (pair.chosen, pair.title()) == (("a", "b"), "pair")
    made.groups["pair"] = ["b", "c"]
    made.groups["default"] = ["b"]
    assert asyncio.run(pair.again(Settings())).chosen == ("b", "c")
    assert asyncio.run(space.again(Settings())).chosen == ("b",)
    gone = asyncio.run(msgspec.structs.replace(space, asked="a,x").again(Settings()))
    assert gone.chosen == ("a",)
    assert gone.notices == ("There is no target called x any more.",)
    with pytest.raises(UsageError, match="There is no target called x"):
        space.choose("a, x")


def test_one_image_is_meant_by_its_options(tools: Callable[..., Tools], tmp_path: Path) -> None:
    tools({"a": {}, "b": {}}, {"default": ["a", "b"]})
    (tmp_path / "docker-bake.hcl").write_text("")
    with pytest.raises(UsageError, match="-t names one image"):
        opened(tmp_path, tags=("x",))
    assert opened(tmp_path, tags=("x",), target="b").chosen == ("b",)
    (tmp_path / "Dockerfile").write_text("FROM x")
    assert opened(tmp_path, tags=("x",)).kind is Kind.DOCKERFILE
    assert opened(tmp_path).ways == (Kind.BAKE, Kind.DOCKERFILE)


def test_what_nobody_asked_for_leaves_no_image(tools: Callable[..., Tools], tmp_path: Path) -> None:
    (tmp_path / "docker-bake.hcl").write_text("")
    tools({"base": {}, "app": {"contexts": {"base": "target:base"}}}, {"default": ["app"]})
    space = opened(tmp_path)
    assert [unit.name for unit in space.wanted()] == ["base", "app"]
    words = space.command({"base": BuildOptions(), "app": BuildOptions()}).words
    assert "--set=base.output=type=cacheonly" in words
    assert words[-2:] == ("base", "app")
    assert space.stands_on("app") == {"base"}


def test_the_command_that_does_the_same_goes_to_the_folder(
    tools: Callable[..., Tools], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a project").mkdir()
    (tmp_path / "a project" / "docker-bake.hcl").write_text("")
    tools({"a": {}}, {"default": ["a"]})
    space = opened(tmp_path, context="a project")
    options = {"a": BuildOptions()}
    assert equivalent(space, options) == f"cd '{tmp_path}/a project' && docker buildx bake a"
    monkeypatch.chdir(tmp_path / "a project")
    assert equivalent(space, options) == "docker buildx bake a"
    assert equivalent(alone(BuildOptions(), tmp_path / "a project"), {"": BuildOptions()}) == "docker build ."


def test_what_is_said_of_the_cache_is_written_into_the_file(tools: Callable[..., Tools], tmp_path: Path) -> None:
    (tmp_path / "docker-bake.hcl").write_text("")
    tools({"a": {"no-cache-filter": ["own"]}, "b": {}}, {"default": ["a", "b"]})
    once = {"a": BuildOptions(no_cache_filter=("own", "dev")), "b": BuildOptions(no_cache=True)}
    command = opened(tmp_path).command(once)
    targets = msgspec.json.decode(command.file)["target"]
    assert targets == {"a": {"no-cache-filter": ["own", "dev"]}, "b": {"no-cache": True}}
    assert not [word for word in command.words if "no-cache" in word], "buildx does not heed it there"
