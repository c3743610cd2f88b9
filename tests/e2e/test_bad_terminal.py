"""A terminal that shrinks, keys that are held down, signals at any moment, a full disk: nothing lost, nothing left."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.e2e.conftest import Opens, all_gone, leave, number, tree, wait_built, wait_running
from tests.e2e.test_main_job import WIDE
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.terminal import ALTERNATE, Terminal
from tests.support.wait import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

SIGNALS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
Moment = Callable[[Terminal], object]

# How far the start has come, told by what can be seen from outside; each is a condition to wait for.
START: dict[str, Moment] = {
    "the first byte": lambda t: t.raw,
    "the whole screen": lambda t: t.modes().get(ALTERNATE),
    "the first frame": lambda t: "Steps" in t.text(),
    "the client": lambda t: hitmiss.clients(),
    "the build": lambda t: number(t) == 1,
    "the first hit": lambda t: "hit" in t.text(),
}
for _share in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
    START[f"{_share:g} s of work"] = lambda t, share=_share: spent(t) >= share  # type: ignore[misc]


def spent(terminal: Terminal) -> float:
    """Seconds that the program has computed so far."""
    try:
        times = psutil.Process(terminal.process.pid).cpu_times()
    except psutil.Error:
        return 1e9
    return float(times.user + times.system)


def well_ended(terminal: Terminal, code: int, marker: str = "") -> None:
    """The program has ended as it should, and all is as it was before."""
    ended = terminal.exit_code(20)
    killed_before_it_could_care = ended < 0 and not terminal.was_full_screen
    assert ended == code or killed_before_it_could_care, f"{ended}\n{terminal.shown()}"
    assert "Traceback" not in terminal.text()
    assert terminal.not_given_back() == []
    all_gone(marker)


@pytest.mark.parametrize("moment", START)
def test_sigterm_during_the_start(moment: str, sleepy: Project, marker: str, opened: Opens) -> None:
    terminal = opened()
    wait_for(lambda: START[moment](terminal), 20, moment, pause=0.002)
    terminal.signal(signal.SIGTERM)
    well_ended(terminal, 143, marker)


@pytest.mark.parametrize("moment", START)
def test_ctrl_c_during_the_start(moment: str, sleepy: Project, marker: str, opened: Opens) -> None:
    """The key, which is a signal until the program has the terminal, and a key from then on."""
    terminal = opened()
    wait_for(lambda: START[moment](terminal), 20, moment, pause=0.002)
    terminal.press("ctrl+c")
    well_ended(terminal, 130, marker)


@pytest.mark.parametrize("sent", SIGNALS, ids=lambda sent: signal.Signals(sent).name)
def test_a_signal_during_a_build(sent: int, sleepy: Project, marker: str, opened: Opens) -> None:
    terminal = opened()
    wait_running(terminal, marker)
    terminal.signal(sent)
    well_ended(terminal, SIGNALS[signal.Signals(sent)], marker)


@pytest.mark.parametrize("times", [1, 5])
def test_ctrl_c_during_a_build(times: int, sleepy: Project, marker: str, opened: Opens) -> None:
    terminal = opened()
    wait_running(terminal, marker)
    terminal.press(*["ctrl+c"] * times)
    well_ended(terminal, 130, marker)


def test_signals_one_upon_the_other(sleepy: Project, marker: str, opened: Opens) -> None:
    terminal = opened()
    wait_running(terminal, marker)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if terminal.process.poll() is None:
            terminal.signal(each)
    well_ended(terminal, terminal.process.wait(20), marker)
    assert terminal.process.returncode in SIGNALS.values()


@pytest.mark.parametrize("dialog", ["p", "t", "?", "ctrl+p", "/"])
@pytest.mark.parametrize("sent", [0, signal.SIGTERM], ids=["ctrl+c", "SIGTERM"])
def test_an_end_in_a_dialog(sent: int, dialog: str, three_stages: Project, opened: Opens) -> None:
    words = {
        "p": "Prune the build cache",
        "t": "Build which target?",
        "?": "What the shapes say",
        "ctrl+p": "Search for",
    }
    terminal = opened()
    wait_built(terminal)
    if dialog == "/":
        terminal.press("l")
        terminal.wait_text("copy log")
        terminal.press("/")
        terminal.wait_gone("copy log")  # the search has the focus
    else:
        terminal.press(dialog)
        terminal.wait_text(words[dialog])
    if sent:
        terminal.signal(sent)
    else:
        terminal.press("ctrl+c")
    well_ended(terminal, 143 if sent else 130)


@pytest.mark.parametrize("sent", SIGNALS, ids=lambda sent: signal.Signals(sent).name)
def test_a_signal_while_idle(sent: int, three_stages: Project, opened: Opens) -> None:
    terminal = opened()
    wait_built(terminal)
    terminal.signal(sent)
    well_ended(terminal, SIGNALS[signal.Signals(sent)])


def test_a_signal_while_the_editor_is_open(three_stages: Project, tmp_path: Path, opened: Opens) -> None:
    editor = tmp_path / "ed"
    editor.write_text("#!/bin/sh\necho THE-EDITOR-IS-HERE\nread answer\n")
    editor.chmod(0o755)
    terminal = opened(env={"VISUAL": str(editor)})
    wait_built(terminal)
    terminal.press("e")
    terminal.wait_text("THE-EDITOR-IS-HERE")
    terminal.signal(signal.SIGTERM)
    terminal.press("enter")
    well_ended(terminal, 143)


def test_small_windows(three_stages: Project, opened: Opens) -> None:
    terminal = opened(cols=120, rows=40)
    last = wait_built(terminal)
    for cols, rows in ((20, 5), (1, 1), (2, 50), (300, 1), (20, 5), (80, 24)):
        terminal.resize(cols, rows)
        terminal.press("r", "j", "d", "l", "tab", "?", "escape")
    terminal.wait_text("Steps", "FROM busybox")
    terminal.press("escape", "r")
    wait_built(terminal, last)
    leave(terminal)


@pytest.mark.parametrize(("cols", "rows"), [(20, 5), (1, 1), (80, 24)])
def test_started_in_a_small_window(cols: int, rows: int, three_stages: Project, opened: Opens) -> None:
    terminal = opened(cols=cols, rows=rows)
    terminal.wait(lambda _: hitmiss.clients(), 20, "the client")
    terminal.wait(lambda _: not hitmiss.clients(), 40, "its end")
    terminal.press("j", "d", "l", "tab", "?")
    terminal.resize(120, 40)
    terminal.wait_text("What the shapes say")
    terminal.press("escape")
    terminal.wait_text("Steps", "FROM busybox")
    terminal.wait_gone("What the shapes say")
    leave(terminal)


@pytest.mark.parametrize("key", ["down", "r", "n", "w", "T", "c", "tab", "pagedown", "d"])
def test_a_key_held_down(key: str, three_stages: Project, opened: Opens) -> None:
    terminal = opened()
    wait_built(terminal)
    for _ in range({"T": 1, "tab": 3}.get(key, 25)):
        terminal.press(*[key] * 20)
    terminal.press("c", "?")
    terminal.wait_text("What the shapes say", timeout=60)
    terminal.press("escape")
    terminal.wait_gone("What the shapes say")
    terminal.press("r")
    leave(terminal)


def test_pasted_garbage(three_stages: Project, opened: Opens) -> None:
    garbage = "r\x00q\u202e[red]\n\t😀" + "x" * 5000
    nothing = {"t": "No target is called", "ctrl+p": "No matches"}
    terminal = opened()
    wait_built(terminal)
    for key in ("", "t", "p", "ctrl+p"):
        if key:
            terminal.press(key)
            terminal.wait_text({"t": "Build which", "p": "Prune the", "ctrl+p": "Search for"}.get(key, ""))
        terminal.paste(garbage)
        if key in nothing:  # a key that comes while the field still takes the text would be lost with it
            terminal.wait_text(nothing[key])
        terminal.press("escape")
        terminal.wait_gone("Build which", "Prune the", "Build again now", *nothing.values())
    terminal.press("?")
    terminal.wait_text("What the shapes say")
    terminal.press("escape")
    terminal.wait_gone("What the shapes say")
    leave(terminal)


def test_keys_that_are_not_utf8(three_stages: Project, opened: Opens) -> None:
    terminal = opened()
    wait_built(terminal)
    terminal.send(bytes(range(128, 256)))
    terminal.press("?")
    terminal.wait_text("What the shapes say")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk without a free byte."""
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=16,mode=1777", "none", str(folder)], check=True)
    try:
        with (folder / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_the_disk_of_the_history_is_full(
    engine: PrivateEngine, three_stages: Project, full_disk: Path, opened: Opens
) -> None:
    terminal = opened(env={"XDG_DATA_HOME": str(full_disk)}, **WIDE)
    last = wait_built_whatever_is_said(terminal)
    terminal.wait_text("Nothing can be remembered")
    three_stages.write("src/main", f"{uuid4()}\n")
    terminal.wait(lambda _: number(terminal) > last, 20, "the next build")
    terminal.press("t")
    terminal.wait_text("Build which target?")
    terminal.press("deps", "enter")
    terminal.wait_text("▸ deps")
    leave(terminal)


def wait_built_whatever_is_said(terminal: Terminal) -> int:
    """As `wait_built`, for a screen whose third line has something else to say."""
    terminal.wait(lambda _: tree(terminal) and set(tree(terminal).values()) <= {"hit", "miss"}, 40, "the build to end")
    return number(terminal)


def test_the_disk_for_temporary_files_is_full(
    engine: PrivateEngine, three_stages: Project, full_disk: Path, opened: Opens
) -> None:
    """The build cannot be started, or is; but the program does not fall over."""
    for index in range(16):
        try:
            (full_disk / f"inode{index}").touch()
        except OSError:
            break
    terminal = opened(env={"TMPDIR": str(full_disk), "TMP": "", "TEMP": ""}, **WIDE)
    terminal.wait(lambda shown: "No space left" in shown or "✔ built" in shown, 30, "a sentence, or a build")
    if terminal.process.poll() is None and terminal.was_full_screen:
        leave(terminal)
    assert "Traceback" not in terminal.text()
    assert "error of its own" not in terminal.text()
