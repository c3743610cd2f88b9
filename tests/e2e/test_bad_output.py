"""What steps write and Dockerfiles hold: none of it may reach the terminal as anything but text."""

import re
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import Opens, leave, tree, wait_built
from tests.e2e.test_main_job import WIDE
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

EVIL = (
    b"\x1b]0;EVIL\x07",
    b"\x1b]2;EVIL\x1b\\",
    b"\x1b]52;c;RVZJTA==\x07",
    b"\x1b[13;37H",
    b"\x1b[?1049l",
    b"\x1b[?47l",
    b"\x1bc",
    b"\x1b[3J",
    b"\x1bP+q544e\x1b\\",
    b"\x1b_Gi=31;AAAA\x1b\\",
    b"\x1b[6n",
    b"\x1b[>c",
    "\u202eEVIL".encode(),
    b"\x9b31337m",
)
"""Title changes, the clipboard, cursor moves, the main screen, a reset, questions, and text that turns around."""


def escaped(data: bytes) -> str:
    """For printf, as octal numbers."""
    return "".join(f"\\{byte:03o}" for byte in data)


def harmless(raw: bytes) -> None:
    """None of the evil has come through."""
    for evil in EVIL:
        assert evil not in raw, evil


def test_escapes_in_a_log(engine: PrivateEngine, project: Project, opened: Opens) -> None:
    project.dockerfile(f"FROM busybox\nRUN printf 'a{escaped(b'b'.join(EVIL))}z\\nthe end\\n'; : {uuid4()}\n")
    terminal = opened(**WIDE)
    wait_built(terminal)
    terminal.press("g", "j", "j", "l")
    terminal.wait_text("the end")
    terminal.wait_text("copy log")  # the log has the focus
    terminal.press("y")
    terminal.wait_text("copied")
    before_the_end = terminal.raw
    harmless(before_the_end)
    assert "EVIL" not in terminal.title
    terminal.press("q")
    assert terminal.exit_code() == 0


def test_escapes_in_an_instruction(engine: PrivateEngine, project: Project, opened: Opens) -> None:
    evil = b"".join(EVIL)
    project.write("Dockerfile", b"FROM busybox\n# " + evil + b"\nRUN echo '" + evil + b"' && false\nRUN true\n")
    terminal = opened(**WIDE)
    terminal.wait(lambda shown: "✖" in shown.splitlines()[2], 40, "the build to fail")
    terminal.press("d")
    terminal.wait_text("FROM busybox")
    terminal.press("f", "?")
    terminal.wait_text("What the shapes say")
    terminal.press("escape", "ctrl+p")
    terminal.wait_text("Search for")
    harmless(terminal.raw)
    assert "EVIL" not in terminal.title


def test_escapes_do_not_leave_build_either(engine: PrivateEngine, project: Project) -> None:
    """Without the screen, standard error may be a terminal too."""
    project.dockerfile(f"FROM busybox\nRUN printf '{escaped(b'b'.join(EVIL))}\\n'; : {uuid4()}; false\n")
    done = hitmiss.run("build", cwd=project.path)
    assert done.returncode == 1
    for evil in EVIL[:-2]:
        assert evil not in done.stdout + done.stderr, evil


def test_markup_is_text(engine: PrivateEngine, project: Project, opened: Opens) -> None:
    markup = "[bold red]x[/bold red] [/nope] [@click=app.act('quit')]here[/] [link=x]y :smile: $primary"
    word = uuid4().hex
    project.dockerfile(f'FROM busybox\nRUN echo "{markup}"; : {word}\nRUN echo "{markup}" >&2; : {word}; exit 3\n')
    terminal = opened(**WIDE)
    wait_built(terminal, mark="✖ failed")
    shown = terminal.text()
    assert shown.count("[bold red]x[/bold red] [/nope] [@click=app") >= 3
    terminal.press("g", "j", "j", "l")
    terminal.wait_text(markup.replace("$primary", ""))
    terminal.wait_text("copy log")  # the log has the focus
    terminal.press("y")
    terminal.wait_text("copied")
    terminal.press("d")
    terminal.wait_text("[/nope]")
    terminal.press("q")
    assert terminal.exit_code() == 0


def test_bytes_that_are_not_utf8(engine: PrivateEngine, project: Project, opened: Opens) -> None:
    project.dockerfile(f"FROM busybox\nRUN printf 'one \\377\\376 two\\303\\nthree \\200\\n'; : {uuid4()}\n")
    terminal = opened(**WIDE)
    wait_built(terminal)
    terminal.press("g", "j", "j", "l")
    terminal.wait(lambda shown: "one �" in shown and "three �" in shown, what="the bytes as what they are not")
    leave(terminal)


def test_two_megabytes_in_one_line(engine: PrivateEngine, project: Project, opened: Opens) -> None:
    project.dockerfile(
        f"FROM busybox\nRUN head -c 2000000 /dev/zero | tr '\\0' x; echo; echo the end; : {uuid4()}\nRUN true\n"
    )
    terminal = opened(**WIDE)
    wait_built(terminal, timeout=60)
    terminal.press("g", "j", "j", "l")
    terminal.wait_text("xxxxxxxx", "the end")
    terminal.press("z", "end", "home", "z", "/", "x")
    terminal.wait(lambda shown: re.search(r"[\d,]+ of [\d,]{5,}", shown), what="what the search has found")
    terminal.press("escape")
    terminal.wait_text("copy log")  # the search is closed, the log has the focus
    terminal.press("tab")
    terminal.wait_gone("copy log")
    terminal.press("?")
    terminal.wait_text("What the shapes say")
    terminal.press("escape")
    terminal.wait_gone("What the shapes say")
    leave(terminal)


def test_a_recording_cut_off_half_way(
    empty_cache: PrivateEngine, three_stages: Project, tmp_path: Path, opened: Opens
) -> None:
    whole = tmp_path / "whole.jsonl"
    assert hitmiss.run("build", "--record", str(whole), cwd=three_stages.path).returncode == 0
    data = whole.read_bytes()
    half = tmp_path / "half.jsonl"
    half.write_bytes(data[: len(data) // 2])
    terminal = opened("replay", str(half), "--speed", "0", **WIDE)
    terminal.wait_text("recording", "deps", "COPY deps.txt .")
    terminal.wait(lambda shown: "cut off" in shown or "canceled" in shown, 10, "a word of the cut")
    terminal.press("r", "p", "t", "n", "c", "w")
    leave(terminal)
    half.write_bytes(data[:20])
    refused = opened("replay", str(half), cols=400)
    assert refused.exit_code() == 2
    assert "holds no build" in refused.text()


def test_the_disk_of_the_recording_is_full(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened("--record", "/dev/full", **WIDE)
    terminal.wait_text("The recording /dev/full ends here: No space left on device")
    assert set(tree(terminal).values()) <= {"hit", "miss"}
    leave(terminal)
    done = hitmiss.run("build", "--record", "/dev/full", cwd=three_stages.path)
    assert done.returncode == 0
    assert b"No space left on device" in done.stderr
