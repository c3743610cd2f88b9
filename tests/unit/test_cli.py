"""The command line: options of `docker build` go through as they were given; wrong usage is a sentence and a 2."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hitmiss import __version__, headless
from hitmiss import screen as screens
from hitmiss.cli import main
from hitmiss.errors import UsageError
from hitmiss.settings import OPTIONS, BuildOptions, Option

COMMANDS = ["build", "demo", "doctor", "replay", "plan", "why", "history", "diff", "init"]
VALUES = ("plain", "with spaces", "a=b,c=d", "-leading", "--leading", "", "ünï", "[red]x[/red]", "$HOME `x` ; *")


class Caught:
    """What a command was run with."""

    options: BuildOptions
    named: dict[str, Any]


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> Caught:
    found = Caught()

    def take(options: BuildOptions, **named: Any) -> int:
        found.options, found.named = options, named
        return 0

    monkeypatch.setattr(headless, "run", take)
    monkeypatch.setattr(screens, "run", take)
    return found


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words, prog_name="hitmiss")


def hitmiss(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The real program."""
    return subprocess.run(
        [sys.executable, "-m", "hitmiss", *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("command", [["build"], []], ids=["build", "screen"])
@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_each_option_goes_through_as_it_was_given(option: Option, command: list[str], caught: Caught) -> None:
    for flag in filter(None, (option.flag, option.short)):
        for value in VALUES if option.kind != "switch" else ("",):
            given = [flag] if option.kind == "switch" else [flag, value]
            twice = given * 2 if option.kind == "list" else given
            result = run(*command, *twice, "folder")
            assert result.exit_code == 0, result.output
            long = [option.flag, *given[1:]] * (2 if option.kind == "list" else 1)
            wanted = [] if option.kind == "text" and not value else long
            assert caught.options.arguments() == [*wanted, "folder"]


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.kind != "switch"], ids=lambda option: option.flag)
def test_a_value_may_be_written_with_an_equals_sign(option: Option, caught: Caught) -> None:
    assert run("build", f"{option.flag}=a=b").exit_code == 0
    assert caught.options.arguments() == [option.flag, "a=b", "."]


def test_all_together_keep_their_order(caught: Caught) -> None:
    words = ["-t", "a", "--label", "x=1", "-t", "b", "--build-arg", "A", "--pull", "-o", "type=local,dest=out"]
    assert run("build", *words, "dir").exit_code == 0
    options = caught.options
    assert (options.tags, options.labels, options.build_args) == (("a", "b"), ("x=1",), ("A",))
    assert options.outputs == ("type=local,dest=out",)
    assert options.pull
    assert not options.no_cache


@pytest.mark.parametrize(
    ("words", "context"),
    [([], "."), (["dir"], "dir"), (["--", "-odd"], "-odd"), (["-"], "-"), (["-f", "x", "build"], "build")],
)
def test_without_a_command_it_is_the_screen(
    words: list[str], context: str, caught: Caught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("build").mkdir()
    assert run(*words).exit_code == 0
    assert caught.options.context == context
    assert caught.named == {"on_change": None, "settle": None, "theme": None, "record": None}


def test_a_folder_called_like_the_screen(caught: Caught) -> None:
    assert run("screen").exit_code == 0
    assert caught.options.context == "screen"


def test_the_screens_own_options(caught: Caught) -> None:
    words = ["--on-change", "queue", "--settle", "250", "--theme", "nord", "--record", "file", "dir"]
    assert run(*words).exit_code == 0
    assert caught.named == {"on_change": "queue", "settle": 250, "theme": "nord", "record": Path("file")}


def test_the_builds_own_options(caught: Caught) -> None:
    assert run("build", "--json", "--record", "file").exit_code == 0
    assert caught.named == {"as_json": True, "record": Path("file")}
    assert run("build").exit_code == 0
    assert caught.named == {"as_json": False, "record": None}


def test_help_lists_every_command_and_option() -> None:
    for words in (["--help"], ["-h"]):
        result = run(*words)
        assert result.exit_code == 0
        for name in COMMANDS:
            assert re.search(rf"^  {name}  +\w", result.output, re.MULTILINE), name
        for option in OPTIONS:
            assert re.search(rf"{option.flag}\b", result.output), option.flag
        assert result.output.startswith("Usage: hitmiss [OPTIONS] [PATH]\n       hitmiss COMMAND")
        assert max(map(len, result.output.splitlines())) <= 110
    assert set(COMMANDS) == {name for name, command in main.commands.items() if not command.hidden}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: hitmiss {command} [OPTIONS]")


def test_version() -> None:
    assert run("--version").output == f"hitmiss, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on-change", "never"], "'never' is not one of 'restart', 'queue', 'manual'"),
        (["diff", "a", "b"], "'a' is no build's number, as `hitmiss history` lists them."),
        (["--settle", "soon"], "'soon' is not a valid integer range"),
        (["--settle", "-1"], "-1 is not in the range"),
        (["--nonsense"], "No such option '--nonsense'"),
        (["build", "--nonsense"], "No such option '--nonsense'"),
        (["build", "one", "two"], "Got unexpected extra argument (two)"),
        (["build", "--target"], "Option '--target' requires an argument"),
        (["replay"], "Missing argument 'FILE'"),
        (["replay", "--speed", "-1", "x"], "-1.0 is not in the range"),
        (["build", "--record", "/", "."], "is a directory"),
    ],
)
def test_wrong_usage(words: list[str], said: str) -> None:
    done = hitmiss(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "hitmiss screen" not in done.stderr, "that is no word of the command line"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build", "missing"], "missing"),
        (["build", "."], "Dockerfile"),
        (["build", "-f", "other", "."], "other"),
        (["build", "-f", "a.hcl", "-f", "b.hcl"], "-f names one file here, and 2 are given."),
        (["-f", "a.yaml", "-f", "b.yaml"], "COMPOSE_FILE names several compose files"),
        (["build", "-o", "-", "."], "stdout is the report's."),
        (["build", "-o", "type=tar", "."], "stdout is the report's."),
        (["build", "-o", "type=tar,dest=-", "."], "stdout is the report's."),
        ([], "The full screen needs a terminal. `hitmiss build` builds without one."),
        (["."], "The full screen needs a terminal."),
        (["attach"], "attach is no command of hitmiss, and no folder here. `hitmiss --help` lists the commands."),
        (
            ["-t", "foo", "plan"],
            "plan is a command of hitmiss, and stands before the options. Write it first: `hitmiss plan …`.",
        ),
        (["--no-cache", "no-such-dir"], "no-such-dir is no command of hitmiss, and no folder here."),
        (["replay", "missing"], "The full screen needs a terminal."),
        (["demo"], "The full screen needs a terminal."),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words: list[str], said: str, tmp_path: Path) -> None:
    done = hitmiss(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert re.fullmatch(r"hitmiss: [^\n]+\n", done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize("words", [[], ["build"], ["plan"], ["why"], ["history"], ["init"]], ids=" ".join)
def test_a_folder_that_is_gone(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hitmiss.__main__ import main as program

    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(sys, "argv", ["hitmiss", *words])
    with pytest.raises(SystemExit) as caught:
        program()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("hitmiss: The folder you are in is gone. `cd` into it again")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('settle = 5\ntheme = "no-such"', "hitmiss.toml:2: There is no theme called no-such. Themes: hitmiss-dark, "),
        ('[keys]\nrebuild = "f5"\nnothing = "x"', "hitmiss.toml:3: The settings remap a key of 'nothing'"),
        ('[keys]\nrebuild = "no key"', "hitmiss.toml:2: The settings give rebuild the key 'no key'"),
    ],
)
def test_what_the_screen_has_not_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "hitmiss.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        screens._settings(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/{said}")
    (tmp_path / "hitmiss.toml").unlink()
    (tmp_path / "pyproject.toml").write_text("[tool.hitmiss]\n" + text.replace("[keys]", "[tool.hitmiss.keys]"))
    with pytest.raises(UsageError, match=r"pyproject\.toml:[34]: "):
        screens._settings(tmp_path)


def test_themes_that_there_are(tmp_path: Path) -> None:
    for name in ("hitmiss-light", "nord"):
        (tmp_path / "hitmiss.toml").write_text(f'theme = "{name}"')
        assert screens._settings(tmp_path).theme == name
    with pytest.raises(UsageError, match="There is no theme called foo"):
        screens._check_theme("foo")


def test_a_record_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY x /\n")
    done = hitmiss("build", "--record", "no/such/folder", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr
        == "hitmiss: no/such/folder cannot be written: No such file or directory. Give another file to --record.\n"
    )


def test_an_error_of_our_own_is_kept_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hitmiss.__main__ import main as program

    def broken(*_: object, **__: object) -> int:
        raise RuntimeError("something odd")

    monkeypatch.setattr(headless, "run", broken)
    monkeypatch.setattr(sys, "argv", ["hitmiss", "build"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        program()
    assert caught.value.code == 1
    said = capsys.readouterr().err
    (kept,) = tmp_path.glob("hitmiss-crash-*.txt")
    assert (
        said
        == f"hitmiss: hitmiss met an error of its own (RuntimeError: something odd). Please report it with {kept}.\n"
    )
    assert "RuntimeError: something odd" in kept.read_text()


def test_an_interrupt_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from hitmiss.__main__ import main as program

    def stopped(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(headless, "run", stopped)
    monkeypatch.setattr(sys, "argv", ["hitmiss", "build"])
    with pytest.raises(SystemExit) as caught:
        program()
    assert caught.value.code == 130
