"""What was lost and that somebody else made again: once the engine has shown that it is there, plans know it."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project

pytestmark = pytest.mark.usefixtures("engine_env")


@pytest.fixture
def app(project: Project) -> Project:
    """Two stages; no engine has seen a step of them."""
    project.dockerfile(f"""
        FROM busybox AS make
        COPY src/ src/
        RUN cat src/* > /made; : {uuid4().hex}
        FROM busybox AS app
        RUN echo one; : {uuid4().hex}
        COPY --from=make /made /made
        RUN cat /made
    """)
    project.write("src/main.txt", uuid4().hex)
    return project


def verdicts(app: Project, *words: str) -> dict[str, str]:
    """What a build does with each step that a cache can hold."""
    return _told(hitmiss.report(*words, cwd=app.path), "verdict")


def plan(app: Project) -> dict[str, str]:
    """What the plan says of them."""
    done = hitmiss.run("plan", "--json", cwd=app.path)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return _told(json.loads(done.stdout), "planned")


def _told(report: dict[str, Any], what: str) -> dict[str, str]:
    return {step["id"]: step[what] for step in report["steps"] if step["instruction"][:5] != "FROM "}


def test_by_docker_alone(app: Project, empty_cache: PrivateEngine) -> None:
    verdicts(app)
    empty_cache.empty_cache()
    assert set(plan(app).values()) == {"will run"}
    empty_cache.build(app.path)
    assert set(verdicts(app).values()) == {"hit"}
    assert set(plan(app).values()) == {"will hit"}
    app.save("Dockerfile", app.read("Dockerfile").replace("RUN cat /made", "RUN cat /made /made"))
    before = plan(app)
    assert before == dict.fromkeys(before, "will hit") | {"app:4": "will run"}
    after = verdicts(app)
    assert after == dict.fromkeys(after, "hit") | {"app:4": "miss"}


def test_by_an_imported_cache(app: Project, empty_cache: PrivateEngine) -> None:
    folder = app.path.parent / "cache"
    empty_cache.build(app.path, "--cache-to", f"type=local,dest={folder},mode=max")
    verdicts(app)
    empty_cache.empty_cache()
    assert set(verdicts(app, "--cache-from", f"type=local,src={folder}").values()) == {"hit"}
    assert set(plan(app).values()) == {"will hit"}
    assert set(verdicts(app).values()) == {"hit"}
    app.save("Dockerfile", app.read("Dockerfile").replace("RUN cat /made", "RUN cat /made /made"))
    before = plan(app)
    after = verdicts(app)
    assert after["app:4"] == "miss"
    assert before == {step: {"hit": "will hit", "miss": "will run"}[verdict] for step, verdict in after.items()}
