"""A base that was built again and differs in its digest alone: the plan claims nothing, and learns what comes of it."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project

pytestmark = pytest.mark.usefixtures("engine_env")

STEPS = ("stage-0:2", "stage-0:3")


@pytest.fixture
def base(engine: PrivateEngine, project: Project) -> str:
    """The name of an image on which the project is built; its Dockerfile lies in `below`."""
    name = f"same-layers:{uuid4().hex[:8]}"
    project.write("below/Dockerfile", f"FROM busybox\nRUN echo {uuid4().hex} > /below\n")
    project.write("Dockerfile", f"FROM {name}\nRUN echo app > /app\nCOPY main.txt /\n")
    project.write(".dockerignore", "below\n")
    project.write("main.txt", "one")
    engine.build(project / "below", "-t", name)
    return name


def told(project: Project, command: str) -> dict[str, str]:
    """The verdict, or what is planned, of each step below the FROM."""
    done = hitmiss.run(command, "--json", cwd=project.path)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    what = "verdict" if command == "build" else "planned"
    return {step["id"]: step[what] for step in json.loads(done.stdout)["steps"] if step["id"] in STEPS}


def digest(engine: PrivateEngine, name: str) -> str:
    return engine.images()[name]


def test_a_base_that_was_built_again(base: str, engine: PrivateEngine, project: Project) -> None:
    told(project, "build")
    for turn in range(2):
        before = digest(engine, base)
        engine.build(project / "below", "-t", base, "--label", f"turn={turn}")
        assert digest(engine, base) != before
        assert told(project, "plan") == dict.fromkeys(STEPS, "depends")
        assert told(project, "build") == dict.fromkeys(STEPS, "hit")
        assert told(project, "plan") == dict.fromkeys(STEPS, "will hit")
    project.save("main.txt", "two")
    assert told(project, "plan") == {"stage-0:2": "will hit", "stage-0:3": "will run"}
    engine.build(project / "below", "-t", base, "--label", "turn=last")
    assert told(project, "build") == {"stage-0:2": "hit", "stage-0:3": "miss"}
    (cause,) = json.loads(hitmiss.run("why", "--json", cwd=project.path).stdout)["steps"]
    assert (cause["cause"]["kind"], cause["cause"]["files"][0]["path"]) == ("files-changed", "main.txt")


def test_a_base_with_other_layers(base: str, engine: PrivateEngine, project: Project) -> None:
    told(project, "build")
    project.write("below/Dockerfile", f"FROM busybox\nRUN echo {uuid4().hex} > /below\n")
    engine.build(project / "below", "-t", base)
    assert told(project, "plan") == dict.fromkeys(STEPS, "will run")
    assert told(project, "build") == dict.fromkeys(STEPS, "miss")
