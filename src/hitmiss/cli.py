"""The command line. What a command needs is imported when it runs, so that `--help` and the first frame are quick."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hitmiss import __version__
from hitmiss.errors import UsageError
from hitmiss.settings import OPTIONS, BuildOptions

_SCREEN = "\0screen"
"""The command that nobody names; no word of a command line can be this."""


class Commands(click.Group):
    """A group that takes `hitmiss [OPTIONS] [PATH]` for the full screen when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if not args or (args[0] not in self.commands and args[0] not in own):
            args = [_SCREEN, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("hitmiss", "[OPTIONS] [PATH]")
        formatter.write_usage("hitmiss", "COMMAND [OPTIONS] …", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        screen = self.commands[_SCREEN]
        with formatter.section("Options of the screen (those of docker build, and its own)"):
            rows = (param.get_help_record(ctx) for param in screen.params)
            formatter.write_dl([row for row in rows if row])


def build_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """All options of `docker build`, under their own names; the command gets them as one `BuildOptions`."""

    def with_options(**given: Any) -> Any:
        values = {"context": given.pop("path")}
        for option in OPTIONS:
            value = given.pop(option.field)
            values[option.field] = tuple(value) if option.kind == "list" else value
        return command(BuildOptions(**values), **given)

    with_options.__doc__ = command.__doc__
    with_options.__name__ = command.__name__
    with_options.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Callable[..., Any] = click.argument("path", default=".")(with_options)
    for option in reversed(OPTIONS):
        names = [option.field, option.flag, *([option.short] if option.short else [])]
        if option.kind == "switch":
            decorated = click.option(*names, is_flag=True, help=option.help)(decorated)
        elif option.field == "file":
            decorated = click.option(*names, multiple=True, callback=_only_one, help=option.help, metavar="TEXT")(
                decorated
            )
        else:
            decorated = click.option(
                *names,
                multiple=option.kind == "list",
                default=() if option.kind == "list" else "",
                help=option.help,
                metavar="TEXT",
            )(decorated)
    return decorated


def _only_one(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> str:
    """The file that is given. Bake and compose take several, so that the last of them is not what anybody meant."""
    if len(given) > 1:
        raise UsageError(
            f"-f names one file here, and {len(given)} are given.",
            "COMPOSE_FILE names several compose files; docker-bake.override.hcl is read after docker-bake.hcl.",
        )
    return given[0] if given else ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="hitmiss")
def main() -> None:
    """Watch BuildKit rebuild your image step by step, hit or miss, on every save."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("The folder you are in is gone.", "`cd` into it again, or into another one.") from None


def _record_option(command: Callable[..., Any]) -> Callable[..., Any]:
    kind = click.Path(dir_okay=False, path_type=Path)
    decorated: Callable[..., Any] = click.option("--record", type=kind, help="Write the builds' stream to a file.")(
        command
    )
    return decorated


class _Unnamed(click.Context):
    """Of the command that nobody names: its usage speaks of `hitmiss` alone."""

    @property
    def command_path(self) -> str:
        return self.parent.command_path if self.parent else ""


class _Screen(click.Command):
    context_class = _Unnamed


@main.command(_SCREEN, cls=_Screen, hidden=True)
@build_options
@click.option("--on-change", type=click.Choice(["restart", "queue", "manual"]), help="What a save during a build does.")
@click.option(
    "--settle", type=click.IntRange(0, 60_000), metavar="MS", help="Quiet period after a save, in milliseconds."
)
@click.option("--theme", metavar="NAME", help="hitmiss-dark, hitmiss-light, or any theme of Textual.")
@_record_option
def screen(
    options: BuildOptions, on_change: str | None, settle: int | None, theme: str | None, record: Path | None
) -> None:
    """The full screen: watch, rebuild on save, show every step."""
    word = options.context
    if word in main.commands and not Path(word).exists():
        raise UsageError(
            f"{word} is a command of hitmiss, and stands before the options.", f"Write it first: `hitmiss {word} …`."
        )
    from hitmiss import screen as live

    sys.exit(live.run(options, on_change=on_change, settle=settle, theme=theme, record=record))


@main.command()
@build_options
@click.option("--json", "as_json", is_flag=True, help="Print one hitmiss.build/1 report on stdout, and nothing else.")
@_record_option
def build(options: BuildOptions, as_json: bool, record: Path | None) -> None:
    """Build once, without the screen: a step tree at the end, or one JSON report."""
    from hitmiss import headless

    sys.exit(headless.run(options, as_json=as_json, record=record))


_PROJECT = click.option("-C", "--project", default=".", metavar="PATH", help="The project: its build context.")


@main.command()
@build_options
@click.option("--json", "as_json", is_flag=True, help="Print one hitmiss.plan/1 report on stdout, and nothing else.")
def plan(options: BuildOptions, as_json: bool) -> None:
    """What a build would do, and how long it would take, without building."""
    from hitmiss import lookback

    sys.exit(lookback.plan(options, as_json=as_json))


@main.command()
@click.argument("step", default="")
@_PROJECT
@click.option("--build", "number", type=click.IntRange(1), metavar="N", help="Of build N; the last one when not given.")
@click.option("--json", "as_json", is_flag=True, help="Print the steps as in hitmiss.build/1, and nothing else.")
def why(step: str, project: str, number: int | None, as_json: bool) -> None:
    """Why the steps of the last build ran. STEP is an id, a line of the Dockerfile, or part of an instruction."""
    from hitmiss import lookback

    sys.exit(lookback.explain(step, project, number=number, as_json=as_json))


@main.command()
@_PROJECT
@click.option("-n", "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one hitmiss.history/1 report on stdout, and nothing else.")
def history(project: str, limit: int, as_json: bool) -> None:
    """Past builds of this project, newest first, and how often plans were right."""
    from hitmiss import lookback

    sys.exit(lookback.history(project, limit=limit, as_json=as_json))


class _Number(click.IntRange):
    """The number of a build."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is no build's number, as `hitmiss history` lists them.", param, ctx)


@main.command()
@click.argument("old", type=_Number(1))
@click.argument("new", type=_Number(1))
@_PROJECT
@click.option("--json", "as_json", is_flag=True, help="Print one hitmiss.diff/1 report on stdout, and nothing else.")
def diff(old: int, new: int, project: str, as_json: bool) -> None:
    """What differs between two remembered builds."""
    from hitmiss import lookback

    sys.exit(lookback.diff(old, new, project, as_json=as_json))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=click.FloatRange(min=0.0),
    default=1.0,
    show_default=True,
    help="2 is twice as fast, 0 shows the end at once.",
)
@click.option("--theme", metavar="NAME", help="hitmiss-dark, hitmiss-light, or any theme of Textual.")
def replay(file: Path, speed: float, theme: str | None) -> None:
    """The screen on a recorded stream."""
    from hitmiss import screen as live

    sys.exit(live.replay(file, speed=speed, theme=theme))


@main.command()
@click.argument("name", default="webapp")
@click.option("--theme", metavar="NAME", help="hitmiss-dark, hitmiss-light, or any theme of Textual.")
@click.option("--recorded", is_flag=True, help="Play the recorded demo even where an engine is there.")
def demo(name: str, theme: str | None, recorded: bool) -> None:
    """The screen on an example project that ships with hitmiss."""
    from hitmiss import screen as live

    sys.exit(live.demo(name, theme=theme, recorded=recorded))


@main.command()
@_PROJECT
@click.option("--print", "only_print", is_flag=True, help="Print the file on stdout, and write nothing.")
def init(project: str, only_print: bool) -> None:
    """Write a settings file, with comments, from what is in the project's folder."""
    from hitmiss import init as settings_file

    sys.exit(settings_file.run(project, only_print=only_print))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """What is missing on this machine, and the command that mends it."""
    import asyncio

    from rich.console import Console

    from hitmiss.doctor import examine
    from hitmiss.report.doctor import print_findings, print_json

    findings = asyncio.run(examine())
    sys.exit(print_json(findings) if as_json else print_findings(findings, Console()))


def need_terminal() -> None:
    """Raises `UsageError` where there is no terminal for the full screen."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The full screen needs a terminal.", "`hitmiss build` builds without one.")
