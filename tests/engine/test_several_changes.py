"""Projects of several targets whose files change while they are watched, and what goes wrong with them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hitmiss.build.model import Status
from hitmiss.settings import BuildOptions, Settings
from hitmiss.workspace import open_workspace
from tests.engine.test_several import numbers, ran, settled
from tests.support import hitmiss
from tests.support.live import Live, Starts
from tests.support.project import Project
from tests.support.several import compare_report

pytestmark = pytest.mark.usefixtures("engine_env")

INLINE = 'target "{0}" {{\n  dockerfile-inline = "FROM busybox\\nCOPY {0} /\\nRUN echo {0} NONCE\\n"\n}}\n'
GROUP = 'group "default" {{ targets = [{}] }}\n'


@pytest.fixture
def nonce() -> str:
    return uuid4().hex


@pytest.fixture
def two(project: Project, nonce: str) -> Project:
    """A bake file of two targets that have nothing in common but the base."""
    project.write("docker-bake.hcl", bake("one", "two", nonce=nonce))
    for name in ("one", "two", "three"):
        project.write(name, f"{name} {nonce}")
    return project


def bake(*names: str, nonce: str) -> str:
    return GROUP.format(", ".join(f'"{name}"' for name in names)) + "".join(
        INLINE.format(name).replace("NONCE", nonce) for name in names
    )


async def watched(start: Starts, project: Project, **options: Any) -> Live:
    """A session that has built once and watches."""
    live = start(space=await open_workspace(BuildOptions(**options), Settings(), cwd=project.path))
    await settled(live, 1)
    await live.watching()
    return live


def notice(words: str) -> Any:
    return lambda snap: [text for text in snap.notices if words in text]


# The file that says what the targets are


async def test_targets_are_added_and_taken_away(two: Project, nonce: str, start: Starts) -> None:
    live = await watched(start, two)
    two.save("docker-bake.hcl", bake("one", "two", "three", nonce=nonce))
    build = await settled(live, 2)
    assert numbers(live) == {"one": 1, "three": 2, "two": 1}, "only the new one is built"
    assert [part.name for part in build.parts] == ["one", "three", "two"]
    assert ran(build, nonce)[2:4] == ["three: COPY three /", "three: RUN echo three NONCE"]
    two.save("docker-bake.hcl", bake("two", "three", nonce=nonce))
    await live.until(lambda snap: snap.message == "No longer built: one.", "one to go")
    assert [part.name for part in live.snapshot.build.parts] == ["three", "two"]
    two.save("one", "nobody builds it")
    await live.until(lambda snap: "no step of" in snap.message, "the message")
    assert live.session._crew.number == 2
    two.save("three", "33")
    await settled(live, 3)
    assert numbers(live) == {"three": 3, "two": 1}


async def test_an_argument_of_one_target_is_changed(two: Project, nonce: str, start: Starts) -> None:
    live = await watched(start, two)
    two.save("docker-bake.hcl", bake("one", "two", nonce=nonce).replace("RUN echo two", "RUN echo a new two"))
    build = await settled(live, 2)
    assert numbers(live) == {"one": 1, "two": 2}
    assert [step.instruction for step in live.session._crew.members["two"].last.steps if step.verdict == "miss"] == [
        f"RUN echo a new two {nonce}"
    ]
    assert build.status is Status.SUCCEEDED
    two.save("docker-bake.hcl", two.read("docker-bake.hcl") + "\n# a comment\n")
    await live.until(lambda snap: snap.message == "The bake file says the same as before.", "the message")
    assert live.session._crew.number == 2


async def test_a_target_is_renamed(two: Project, nonce: str, start: Starts) -> None:
    live = await watched(start, two)
    two.save("docker-bake.hcl", bake("one", "three", nonce=nonce).replace("three", "deux").replace("deux /", "two /"))
    await live.until(lambda snap: [part.name for part in snap.build.parts] == ["deux", "one"], "the new name")
    await settled(live, 2)
    assert numbers(live) == {"deux": 2, "one": 1}


async def test_the_chosen_target_is_renamed(two: Project, nonce: str, start: Starts) -> None:
    live = await watched(start, two, target="two")
    two.save("docker-bake.hcl", bake("one", "three", nonce=nonce))
    await live.until(notice("There is no target called two any more."), "the notice")
    await settled(live, 2)
    assert sorted(live.session._crew.members) == ["one", "three"], "what is built by itself"


async def test_a_broken_bake_file_is_mended_by_the_next_save(two: Project, nonce: str, start: Starts) -> None:
    live = await watched(start, two)
    good = two.read("docker-bake.hcl")
    live.session._bulletin.notice("stale", "Something else was said before.")
    two.save("docker-bake.hcl", good + "\n# a comment\n")
    await live.until(lambda snap: "says the same" in snap.message, "the message")
    two.save("docker-bake.hcl", good + 'target "three" {')
    snap = await live.until(notice("docker-bake.hcl:"), "the notice")
    text, _ = snap.notices
    assert not snap.message, "it is not the same any more"
    live.session._bulletin.notice("stale", "")
    assert "\n" not in text
    assert "Unclosed configuration block" in text
    two.save("one", "built as it was before")
    await settled(live, 2)
    assert numbers(live) == {"one": 2, "two": 1}
    two.save("docker-bake.hcl", good.replace("RUN echo two", "RUN echo mended"))
    await settled(live, 3)
    assert live.snapshot.notices == ()
    assert numbers(live) == {"one": 2, "two": 3}


async def test_a_target_before_its_dockerfile(two: Project, nonce: str, start: Starts) -> None:
    live = await watched(start, two)
    two.save("docker-bake.hcl", two.read("docker-bake.hcl") + 'target "three" { dockerfile = "three.Dockerfile" }\n')
    await live.until(lambda snap: "says the same" in snap.message, "the message: nobody builds it yet")
    two.save("docker-bake.hcl", two.read("docker-bake.hcl").replace('"two"]', '"two", "three"]'))
    await live.until(notice("The Dockerfile three.Dockerfile does not exist."), "the notice")
    assert sorted(live.session._crew.members) == ["one", "two"]
    two.dockerfile(f"FROM busybox\nCOPY three /\nRUN echo {nonce}", "three.Dockerfile")
    await settled(live, 2)
    assert numbers(live) == {"one": 1, "three": 2, "two": 1}
    assert live.snapshot.notices == ()


async def test_a_variable_that_compose_misses(project: Project, nonce: str, start: Starts) -> None:
    text = "services:\n  app:\n    build: {context: ., args: {WHO: WHAT}}\n"
    project.write("compose.yaml", text.replace("WHAT", '"${WHO:?say who}"'))
    project.dockerfile(f"FROM busybox\nARG WHO\nRUN echo $WHO {nonce}")
    found = hitmiss.report(".", cwd=project.path, code=2)["build"]["error"]
    assert "required variable WHO is missing a value: say who" in found
    project.write(".env", "WHO=me\n")
    live = await watched(start, project)
    project.save(".env", "\n")
    await live.until(notice("required variable WHO is missing a value: say who."), "the notice")
    project.save(".env", "WHO=you\n")
    build = await settled(live, 2)
    assert build.steps[-1].instruction == f"RUN echo you {nonce}"
    assert not live.snapshot.notices
    project.save("compose.yaml", text.replace("WHAT", '"${WHOM}"'))
    await settled(live, 3)
    assert list(live.snapshot.notices) == ['The "WHOM" variable is not set. Defaulting to a blank string.']


async def test_an_override_file_comes(project: Project, nonce: str, start: Starts) -> None:
    project.write("compose.yaml", "services:\n  app:\n    build: {context: ., args: {WHO: a}}\n")
    project.dockerfile(f"FROM busybox\nARG WHO\nRUN echo $WHO {nonce}")
    live = await watched(start, project)
    project.save("compose.override.yaml", "services:\n  app:\n    build: {args: {WHO: b}}\n")
    build = await settled(live, 2)
    assert build.steps[-1].instruction == f"RUN echo b {nonce}"


async def test_a_dockerfile_that_one_of_two_is_built_from(project: Project, nonce: str, start: Starts) -> None:
    project.write("compose.yaml", "services:\n  a: {build: {context: ., dockerfile: a.Dockerfile}}\n"
                  "  b: {build: {context: ., dockerfile: b.Dockerfile}}\n")  # fmt: skip
    for name in "ab":
        project.dockerfile(f"FROM busybox\nRUN echo {name} {nonce}", f"{name}.Dockerfile")
    live = await watched(start, project)
    project.save("b.Dockerfile", f"FROM busybox\nRUN echo b {nonce}\nRUN echo more\n")
    await settled(live, 2)
    assert numbers(live) == {"a": 1, "b": 2}
    project.save("b.Dockerfile", "FROM busybox\nRUNN x\n")
    await live.until(lambda snap: snap.problem.startswith("b: "), "the problem to be said")
    project.save("b.Dockerfile", f"FROM busybox\nRUN echo b {nonce}\nRUN echo mended\n")
    await settled(live, 3)
    assert numbers(live) == {"a": 1, "b": 3}
    assert live.session.command() == f"cd {project.path} && docker compose build a b"


# Work that two targets share


async def test_work_that_another_target_gives_its_name(project: Project, nonce: str) -> None:
    """Two targets do the same in stages of other names and lengths; it is shown and counted once."""
    project.write("docker-bake.hcl", GROUP.format('"long", "short"') + 'target "long" { dockerfile = "long" }\n'
                  'target "short" { dockerfile = "short" }\n')  # fmt: skip
    project.write("all", nonce)
    same = f"COPY all /\nRUN sleep 0.2; echo {nonce}\n"
    project.write("long", f"FROM busybox AS deep\n{same}COPY one /\nFROM deep AS top\nRUN echo top {nonce}\n")
    project.write("short", f"FROM busybox\n{same}COPY two /\n")
    project.write("one", "1")
    project.write("two", "2")
    for verdict in ("miss", "hit"):
        found = hitmiss.report(".", cwd=project.path)
        compare_report(found)
        shown = [(each["bake_target"], each["stage"], each["instruction"].split()[0]) for each in found["steps"]]
        assert shown == [
            ("long", "deep", "FROM"),
            ("long", "deep", "COPY"),
            ("long", "deep", "RUN"),
            ("long", "deep", "COPY"),
            ("long", "top", "RUN"),
            ("short", "stage-0", "COPY"),
        ]
        assert {each["verdict"] for each in found["steps"][1:]} == {verdict}


# What goes wrong


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "docker-bake.hcl",
            'target "a" {\n  contexts = { x = "target:b" }\n}\ntarget "b" {\n  contexts = { x = "target:a" }\n}\n'
            'group "default" { targets = ["a"] }\n',
            "The contexts of a and b go round in a circle",
        ),
        (
            "compose.yaml",
            "services:\n"
            "  a: {build: {context: ., additional_contexts: {x: 'service:b'}}}\n"
            "  b: {build: {context: ., additional_contexts: {x: 'service:a'}}}\n",
            "go round in a circle: none of them can be built first.",
        ),
        (
            "hitmiss.toml",
            '[targets.a]\nneeds = ["b"]\n[targets.b]\nneeds = ["a"]\n',
            "none of them can be built first",
        ),
        ("docker-bake.hcl", 'target "a" { context = nope }\n', 'There is no variable named "nope".'),
        ("docker-bake.hcl", 'target "a" { inherits = ["z"] }\n', "failed to find target z."),
        (
            "docker-bake.hcl",
            'target "a" {}\n',
            "The bake file has no group called default. Name a target with --target: a.",
        ),
        ("docker-bake.json", "{", "docker-bake.json:1"),
        ("compose.yaml", "services:\n  a: {image: x}\n", "compose.yaml has nothing to build."),
        ("compose.yaml", "services: [\n", "yaml:"),
        ("compose.yaml", "services:\n  a: {build: {contex: x}}\n", "additional properties 'contex' not allowed"),
        (
            "compose.yaml",
            "services:\n  a: {profiles: [x], build: .}\n",
            "The compose file has no service that an active",
        ),
    ],
)
def test_what_cannot_be_built_is_a_2(name: str, text: str, said: str, project: Project) -> None:
    project.write(name, text)
    project.dockerfile("FROM busybox")
    found = hitmiss.report(".", cwd=project.path, code=2)
    assert said in found["build"]["error"]
    assert "\n" not in found["build"]["error"]
    assert found["steps"] == []


async def test_what_a_target_beside_it_built_is_not_taken_for_evicted(project: Project, nonce: str) -> None:
    """`quick` is remembered a second before `slow` is over; the step that both have ran once."""
    project.dockerfile(f"FROM busybox AS one\nRUN sleep 1; : {nonce}\nFROM one AS two\nRUN sleep 1")
    project.write("hitmiss.toml", '[targets.slow]\ntarget = "two"\n[targets.quick]\ntarget = "one"\n')
    found = hitmiss.report(".", cwd=project.path)
    ran = {step["id"]: step["cause"]["kind"] for step in found["steps"] if step["verdict"] == "miss"}
    assert ran == {"slow:one:2": "first-build", "slow:two:1": "first-build"}


async def test_one_of_several_fails(two: Project, nonce: str, start: Starts) -> None:
    broken = bake("one", "two", nonce=nonce).replace(f"RUN echo two {nonce}", f"RUN sleep 3 && echo {nonce} && exit 9")
    two.write("docker-bake.hcl", broken)
    found = hitmiss.report(".", cwd=two.path, code=1)
    assert "exit code: 9" in found["build"]["error"]
    assert "\n" not in found["build"]["error"]
    assert {each["name"]: each["status"] for each in found["build"]["targets"]} == {
        "one": "succeeded",
        "two": "failed",
    }
    assert [step["verdict"] for step in found["steps"] if step["bake_target"] == "two"] == ["miss", "failed"]
    two.write("docker-bake.hcl", bake("one", "two", nonce=nonce))
    live = await watched(start, two)
    two.save("docker-bake.hcl", broken.replace("exit 9", "exit 8"))
    await live.built(2, Status.FAILED)
    await live.idle()
    parts = {part.name: part.status for part in live.snapshot.build.parts}
    assert parts == {"one": Status.SUCCEEDED, "two": Status.FAILED}
    two.save("docker-bake.hcl", bake("one", "two", nonce=nonce))
    build = await settled(live, 3)
    assert {part.name: part.status for part in build.parts} == dict.fromkeys(parts, Status.SUCCEEDED)


async def test_a_dead_registry_in_one_target(two: Project, nonce: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{taken.getsockname()[1]}/nothing:1"
        text = bake("one", "two", nonce=nonce).replace('"FROM busybox\\nCOPY two', f'"FROM {dead}\\nCOPY two')
        two.write("docker-bake.hcl", text)
        found = hitmiss.report(".", cwd=two.path, code=1)["build"]
    assert dead.partition("/")[0] in found["error"]
    assert "\n" not in found["error"]
    assert {each["name"]: each["status"] for each in found["targets"]}["two"] == "failed"
    errors = {each["name"]: each["error"] for each in found["targets"]}
    assert errors["one"] is None
    assert errors["two"]


async def test_what_stands_on_a_broken_target_waits(project: Project, nonce: str, start: Starts) -> None:
    text = (
        f'target "base" {{\n  dockerfile-inline = "FROM busybox\\nCOPY base /\\nRUN echo {nonce}\\n"\n}}\n'
        'target "app" {\n  contexts = { base = "target:base" }\n'
        '  dockerfile-inline = "FROM base\\nCOPY app /\\nRUN sh /base\\n"\n}\n'
        'group "default" { targets = ["app"] }\n'
    )
    project.write("docker-bake.hcl", text)
    project.write("base", "exit 0\n")
    project.write("app", "1")
    live = await watched(start, project)
    project.save("docker-bake.hcl", text.replace(f"RUN echo {nonce}", f"RUN echo {nonce} && exit 3"))
    build = await live.built(2, Status.FAILED)
    assert "exit code: 3" in build.error
    await live.idle()
    assert {part.name: part.status for part in live.snapshot.build.parts}["base"] is Status.FAILED
    assert not [step for step in live.snapshot.build.steps if step.bake_target == "app" and step.verdict == "failed"]


def test_a_chain_that_begins_in_another_target(project: Project, nonce: str) -> None:
    project.write(
        "docker-bake.hcl",
        'target "base" { dockerfile = "base.Dockerfile" }\ntarget "default" { contexts = { base = "target:base" } }\n',
    )
    project.write("base.Dockerfile", f"FROM busybox\nRUN echo {nonce}\nCOPY base /\nRUN cat /base\n")
    project.dockerfile(
        "FROM base AS app\nRUN echo app\nFROM busybox\nCOPY --from=base /base /\nCOPY --from=app /base /\n"
    )
    project.write("base", "1")
    hitmiss.report(".", cwd=project.path)
    project.write("base", "2")
    planned = json.loads(hitmiss.run("plan", "--json", ".", cwd=project.path).stdout)
    found = hitmiss.report(".", cwd=project.path)
    told = json.loads(hitmiss.run("why", "--json", cwd=project.path).stdout)
    chain = {
        "base:stage-0:3": ("files-changed", "base:stage-0:3"),
        "base:stage-0:4": ("parent-missed", "base:stage-0:3"),
        "default:app:1": ("parent-missed", "base:stage-0:3"),
    }
    read = {
        "default:stage-1:2": ("stage-output-changed", "base:stage-0:3"),
        "default:stage-1:3": ("parent-missed", "base:stage-0:3"),
    }
    for report, causes in ((planned, chain), (found, chain | read), (told, chain | read)):
        steps = [step for step in report["steps"] if step["cause"]]
        assert {step["id"]: (step["cause"]["kind"], step["cause"]["root"]) for step in steps} == causes
    said = " ".join(hitmiss.run("why", "echo app", cwd=project.path).stdout.decode().split())
    assert "A step before it ran: ◆ COPY base /" in said


# What is chosen


def names(found: dict[str, Any]) -> list[str]:
    return sorted({step["bake_target"] or "" for step in found["steps"]})


def test_which_targets_are_built(project: Project, nonce: str) -> None:
    text = bake("one", "two", "three", nonce=nonce).replace('"three"]', '"three"]', 1)
    project.write("docker-bake.hcl", text + 'group "pair" { targets = ["one", "two"] }\n')
    project.write(
        "sub/stack.yml",
        f"services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM busybox\n        RUN : {nonce}\n",
    )
    project.write("sub/Dockerfile", f"FROM busybox\nRUN echo alone {nonce}\n")
    for name in ("one", "two", "three"):
        project.write(name, name)

    def built(*words: str, cwd: Path = project.path, code: int = 0) -> dict[str, Any]:
        return hitmiss.report(*words, cwd=cwd, code=code)

    assert names(built("--target", "pair", ".")) == ["one", "two"]
    assert names(built("--target", "three,one", ".")) == ["one", "three"]
    assert names(built("--target", "two", str(project.path), cwd=project.path.parent)) == ["two"]
    assert names(built("-f", "sub/stack.yml", ".")) == ["web"]
    assert names(built("-f", "sub/Dockerfile", ".")) == [""]
    assert names(built("sub")) == [""], "a folder with a Dockerfile alone"
    assert names(built("-f", "docker-bake.hcl", "--target", "one", ".")) == ["one"]
    said = built("--target", "four", ".", code=2)["build"]["error"]
    assert said == "There is no target called four. Targets: one, pair, three, two."
    assert "nope.hcl does not exist" in built("-f", "nope.hcl", ".", code=2)["build"]["error"]
    assert "-t names one image" in built("-t", "x", ".", code=2)["build"]["error"]
    assert names(built("-t", f"hitmiss-one:{nonce}", "--target", "one", ".")) == ["one"]


# Without the cache of a stage


FILTERED = 'target "default" {\n  dockerfile-inline = "' + r"FROM busybox AS img\nRUN echo $FLAVOR NONCE" + '"\n}\n'
COMPOSED = """
services:
  default:
    build:
      context: .
      dockerfile_inline: |
        FROM busybox AS img
        RUN echo $$FLAVOR NONCE
"""


@pytest.mark.parametrize(
    ("name", "text"), [("docker-bake.hcl", FILTERED), ("compose.yaml", COMPOSED)], ids=["bake", "compose"]
)
async def test_a_stage_without_its_cache(name: str, text: str, project: Project, nonce: str, start: Starts) -> None:
    project.write(name, text.replace("NONCE", nonce))
    run = f"RUN echo $FLAVOR {nonce}"
    live = await watched(start, project)
    live.session.rebuild()
    assert ran(await settled(live, 2), nonce) == []
    live.session.rebuild(no_cache_stages=["img"])
    assert ran(await settled(live, 3), nonce) == [f"default: {run.replace(nonce, 'NONCE')}"]
    live.session.rebuild()
    assert ran(await settled(live, 4), nonce) == [], "in that build alone"
    report = hitmiss.report("--no-cache-filter", "img", cwd=project.path)
    assert {step["instruction"]: (step["verdict"], step["planned"]) for step in report["steps"]}[run] == (
        "miss",
        "will run",
    )


async def test_a_variable_of_an_inline_dockerfile_is_the_steps_own(project: Project, nonce: str) -> None:
    text = FILTERED.replace("echo $FLAVOR NONCE", f"FLAVOR=sweet; echo ${{FLAVOR}}-$FLAVOR {nonce}; false")
    project.write("docker-bake.hcl", text.replace("${", "$${"))
    done = hitmiss.run("build", cwd=project.path)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 1
    assert f"sweet-sweet {nonce}" in said
    assert "WARNING" not in said
