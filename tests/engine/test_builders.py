"""The builder and whether its engine lives, on real engines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hitmiss import doctor
from hitmiss.docker.builders import BuilderInfo, builder_info, engine_alive, parse_inspect
from hitmiss.errors import EngineError
from hitmiss.report.doctor import exit_code
from tests.conftest import use_engine
from tests.support.engine import PrivateEngine

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("name", [None, "", "default"])
async def test_the_current_builder(engine_env: PrivateEngine, name: str | None) -> None:
    info = await builder_info(name)
    assert (info.name, info.driver, info.status, info.error) == ("default", "docker", "running", "")
    assert info.platforms
    assert all(platform.startswith("linux/") for platform in info.platforms)


async def test_a_second_engine_is_a_second_builder(engine_env: PrivateEngine, second_engine: PrivateEngine) -> None:
    name = engine_env.add_builder(second_engine)
    try:
        info = await builder_info(name)
        assert (info.name, info.driver, info.status) == (name, "docker", "running")
        assert await engine_alive(name)
    finally:
        engine_env.remove_builder(name)


async def test_no_such_builder(engine_env: PrivateEngine) -> None:
    with pytest.raises(EngineError, match="There is no builder called nosuch"):
        await builder_info("nosuch")
    assert not await engine_alive("nosuch")


async def test_no_engine() -> None:
    assert not await engine_alive()
    with pytest.raises(EngineError, match="No Docker engine answers") as caught:
        await builder_info()
    assert "\n" not in str(caught.value)


async def test_a_dead_engine_is_noticed_and_so_is_its_return(
    mortal_engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(mortal_engine, monkeypatch)
    assert await engine_alive()
    mortal_engine.kill_hard()
    assert not await engine_alive()
    with pytest.raises(EngineError):
        await builder_info()
    mortal_engine.restart()
    assert await engine_alive()
    assert (await builder_info()).driver == "docker"


async def test_without_a_docker_command_buildx_itself_is_asked(
    engine_env: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_docker = await builder_info()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("docker") is None
    assert await builder_info() == with_docker
    assert not any(tmp_path.iterdir())


def test_the_library_is_first_imported_where_it_does_not_hold_up_the_screen() -> None:
    code = "import sys, hitmiss.docker.fleet; print('python_on_whales' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "False"


def test_a_builder_with_a_trouble_of_its_own() -> None:
    text = (
        "Name:   b\nDriver: docker-container\n\nNodes:\nName:     b0\nError:    boot: no such image\nPlatforms: a*, b\n"
    )
    assert parse_inspect(text) == BuilderInfo("b", "docker-container", ("a", "b"), error="boot: no such image")


async def test_the_doctor_finds_the_engine_well(engine_env: PrivateEngine) -> None:
    findings = {finding.name: finding for finding in await doctor.examine()}
    for name in ("engine", "permission", "buildx", "builder"):
        assert findings[name].health == "ok", findings[name]
    assert engine_env.host in findings["engine"].what
    assert exit_code(tuple(findings.values())) == 0
