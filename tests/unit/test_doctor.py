"""What the doctor says of facts, and how it is printed; no engine and no terminal."""

from __future__ import annotations

import io
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hitmiss import doctor
from hitmiss.docker import endpoint
from hitmiss.docker.builders import BuilderInfo
from hitmiss.doctor import Facts, Finding, Health, judge
from hitmiss.errors import EngineError
from hitmiss.report.doctor import exit_code, findings_json, print_findings, print_json

WELL = Facts(
    address="unix:///run/docker.sock",
    socket=Path("/run/docker.sock"),
    permitted=True,
    engine="28.5.2",
    buildx=(0, 29, 1),
    builder=BuilderInfo("default", "docker", ("linux/amd64", "linux/386"), "running", buildkit_version="0.25.1"),
    inotify=(524_288, 512),
    terminal="xterm-256color",
    colours="truecolor",
    encoding="utf-8",
    size=(120, 40),
    data=Path("/home/me/.local/share/hitmiss"),
    editor="code --wait",
    editor_found=True,
)
AWAY = EngineError("No engine answers.", "sudo systemctl start docker")


def finding(facts: Facts, name: str) -> Finding:
    return next(each for each in judge(facts) if each.name == name)


def test_all_is_well() -> None:
    findings = judge(WELL)
    assert {each.health for each in findings} == {Health.OK}
    assert [each.mend for each in findings] == [""] * len(findings)
    assert [each.name for each in findings] == [
        "engine",
        "permission",
        "buildx",
        "builder",
        "watching",
        "terminal",
        "colours",
        "letters",
        "history",
        "editor",
    ]
    assert "BuildKit 0.25.1 for linux/amd64" in finding(WELL, "builder").what


@pytest.mark.parametrize(
    ("facts", "name", "health", "words", "mend"),
    [
        (replace(WELL, engine=AWAY), "engine", "bad", "No engine answers.", "sudo systemctl start docker"),
        (replace(WELL, permitted=False), "permission", "bad", "may not use", "usermod -aG docker"),
        (replace(WELL, buildx=EngineError("Too old.", "Update.")), "buildx", "bad", "Too old.", "Update."),
        (replace(WELL, builder=AWAY), "builder", "bad", "No engine answers.", "systemctl"),
        (
            replace(WELL, builder=BuilderInfo("b", error="boot failed")),
            "builder",
            "bad",
            "boot",
            "docker buildx inspect b",
        ),
        (replace(WELL, builder=BuilderInfo("b", "docker-container", status="inactive")), "builder", "ok", "starts", ""),
        (
            replace(WELL, inotify=(8192, 512)),
            "watching",
            "warn",
            "8,192",
            "sudo sysctl fs.inotify.max_user_watches=524288",
        ),
        (
            replace(WELL, inotify=(524_288, 16)),
            "watching",
            "warn",
            "16 inst",
            "sudo sysctl fs.inotify.max_user_instances=",
        ),
        (replace(WELL, terminal="dumb"), "terminal", "warn", "'dumb'", "export TERM="),
        (replace(WELL, terminal=""), "terminal", "warn", "not set", "export TERM="),
        (replace(WELL, size=(60, 20)), "terminal", "warn", "60 × 20", "80 × 24"),
        (replace(WELL, size=None), "terminal", "ok", "no terminal", ""),
        (replace(WELL, colours="", terminal="xterm"), "colours", "warn", "16 colours", "COLORTERM"),
        (replace(WELL, colours=""), "colours", "ok", "256", ""),
        (replace(WELL, no_color=True), "colours", "ok", "NO_COLOR", ""),
        (replace(WELL, encoding="ascii"), "letters", "warn", "ascii", "LC_ALL"),
        (replace(WELL, encoding="UTF8"), "letters", "ok", "UTF-8", ""),
        (replace(WELL, data_error="Read-only file system"), "history", "warn", "Read-only", "chown"),
        (replace(WELL, editor=""), "editor", "warn", "No editor", "export EDITOR"),
        (replace(WELL, editor_found=False), "editor", "warn", "code is not on PATH", "export EDITOR"),
    ],
)
def test_what_is_wrong_is_named_with_what_mends_it(facts: Facts, name: str, health: str, words: str, mend: str) -> None:
    found = finding(facts, name)
    assert found.health == health
    assert words in found.what
    assert mend in found.mend
    assert bool(found.mend) == bool(mend)
    assert "\n" not in found.what


def test_what_there_is_not_is_not_spoken_of() -> None:
    elsewhere = replace(WELL, socket=None, permitted=None, inotify=None, size=None)
    assert {"permission", "watching", "colours"}.isdisjoint(each.name for each in judge(elsewhere))


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (WELL, 0),
        (replace(WELL, engine=AWAY), 3),
        (replace(WELL, permitted=False), 3),
        (replace(WELL, buildx=AWAY), 3),
        (replace(WELL, inotify=(1, 1), size=(20, 5), data_error="full", editor=""), 0),
    ],
)
def test_the_exit_code_is_about_the_engine_alone(facts: Facts, code: int) -> None:
    assert exit_code(judge(facts)) == code


HOSTILE = Finding("editor", Health.WARN, "The editor [red]x[/red]\x1b]0;t\x07 is odd.", "export EDITOR=[b]vim")


def printed(findings: tuple[Finding, ...], *, terminal: bool, no_color: bool = False, width: int = 60) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, no_color=no_color, width=width, color_system="truecolor")
    print_findings(findings, console)
    return out.getvalue()


def test_a_pipe_gets_one_plain_line_a_finding() -> None:
    text = printed((*judge(WELL), HOSTILE), terminal=False, width=20)
    assert "\x1b" not in text
    assert len(text.splitlines()) == len(judge(WELL)) + 1
    assert text.splitlines()[-1].startswith("warn  editor      The editor [red]x[/red]")
    assert text.rstrip().endswith("→ export EDITOR=[b]vim")


def test_a_terminal_gets_shape_word_and_colour() -> None:
    text = printed(judge(replace(WELL, engine=AWAY, editor="")), terminal=True)
    assert "✖ bad" in text
    assert "▲ warn" in text
    assert "● ok" in text
    assert "\x1b[31m" in text
    assert "→ sudo systemctl start docker" in text


def test_without_colours_shape_and_word_are_left() -> None:
    text = printed((HOSTILE, *judge(WELL)), terminal=True, no_color=True)
    assert "\x1b[3" not in text
    assert "\x1b]" not in text
    assert "▲ warn" in text


def test_json_holds_every_finding() -> None:
    report = json.loads(findings_json((HOSTILE,)))
    assert report["schema"] == "hitmiss.doctor/1"
    assert report["findings"] == [
        {"name": "editor", "health": "warn", "what": HOSTILE.what, "mend": HOSTILE.mend},
    ]


def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_json(judge(replace(WELL, engine=AWAY))) == 3
    printed_text = capsys.readouterr().out
    assert printed_text.endswith("}\n")
    assert json.loads(printed_text)["findings"][0]["health"] == "bad"


async def test_a_machine_without_an_engine_is_examined_to_the_end() -> None:
    started = time.monotonic()
    findings = await doctor.examine()
    engine = next(each for each in findings if each.name == "engine")
    assert engine.health == "bad"
    assert os.environ["DOCKER_HOST"].removeprefix("unix://") in engine.what
    assert exit_code(findings) == 3
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("error", "words"),
    [(PermissionError(13, "denied"), "No permission"), (ConnectionRefusedError(111, "refused"), "No engine answers")],
)
async def test_a_socket_that_may_not_be_used(monkeypatch: pytest.MonkeyPatch, error: OSError, words: str) -> None:
    async def get(*_: object, **__: object) -> bytes:
        raise error

    monkeypatch.setattr(endpoint, "get", get)
    facts = await doctor.gather()
    assert isinstance(facts.engine, EngineError)
    assert words in facts.engine.message


async def test_the_data_folder_is_looked_at_without_making_it(isolated_home: Path) -> None:
    facts = await doctor.gather()
    assert facts.data.is_relative_to(isolated_home)
    assert not facts.data_error
    assert not facts.data.exists()


async def test_a_data_folder_that_cannot_be_written_to(isolated_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/none")
    facts = await doctor.gather()
    assert facts.data_error
    assert finding(facts, "history").health == "warn"


async def test_an_editor_is_looked_for_by_its_first_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "my ed"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("VISUAL", f"'{own}' --wait")
    assert (await doctor.gather()).editor_found
    monkeypatch.setenv("VISUAL", "'unbalanced")
    assert not (await doctor.gather()).editor_found


def test_docker_build_without_buildkit_is_named() -> None:
    found = finding(replace(WELL, plain_build="DOCKER_BUILDKIT=0 is set."), "buildkit")
    assert (found.health, found.mend) == (Health.WARN, "unset DOCKER_BUILDKIT")
    assert "buildkit" not in {each.name for each in judge(WELL)}
