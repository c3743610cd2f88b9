"""The targets of a Dockerfile, as BuildKit's own frontend lists them (`--call=targets`); nothing is built.

python-on-whales lacks `--call`, so this is a question to buildx itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hitmiss.docker import client
from hitmiss.errors import HitmissError, UsageError
from hitmiss.settings import BuildOptions


@dataclass(frozen=True, slots=True)
class Target:
    """A stage that can be built.

    `name` is what `--target` takes; empty for a last stage without a name, which is built when no target is asked for.
    `base` is what follows FROM, as written; `description` is its comment (BuildKit takes the line `# name …` above the
    FROM), `line` counts from 1 (0: not known), `platform` is empty unless the FROM asks for one.
    `file` is the Dockerfile, where targets may have several.
    """

    name: str
    default: bool = False
    base: str = ""
    description: str = ""
    line: int = 0
    platform: str = ""
    file: str = ""


async def targets(options: BuildOptions, cwd: Path) -> tuple[Target, ...]:
    """The Dockerfile's targets in its order. `cwd` is the folder that the options' paths start from.

    Stages in the middle that have no name are left out: BuildKit builds none of them on request (measured: `--target=1`
    is "could not be found").

    Raises `EngineError` when no engine answers, `UsageError` with one sentence when there is no Dockerfile or it does
    not parse, `HitmissError` for what else BuildKit says.
    """
    if "-" in (options.context, options.file):
        raise UsageError("The targets of a Dockerfile from standard input cannot be listed.", "Give it as a file.")
    answer = await client.ask("build", "--call=targets,format=json", *_asked(options).arguments(), cwd=cwd)
    if answer.code:
        raise client.error_of(answer.err) or error_of_dockerfile(client.last_sentence(answer.err), options)
    try:
        listed = msgspec.json.decode(answer.out, type=_Answer)
    except msgspec.DecodeError:
        raise HitmissError("buildx listed the targets in words that hitmiss cannot read.") from None
    return tuple(_target(each) for each in listed.targets or () if each.name or each.default)


def _asked(options: BuildOptions) -> BuildOptions:
    """The options that say which Dockerfile it is and how it reads; outputs and secrets would only lead to errors."""
    return BuildOptions(
        context=options.context,
        file=options.file,
        build_args=options.build_args,
        build_contexts=options.build_contexts,
        builder=options.builder,
        platforms=options.platforms,
    )


class _Position(msgspec.Struct, frozen=True):
    line: int = 0


class _Range(msgspec.Struct, frozen=True):
    start: _Position = _Position()


class _Location(msgspec.Struct, frozen=True):
    ranges: list[_Range] | None = None


class _Listed(msgspec.Struct, frozen=True):
    """One entry of BuildKit's `frontend/subrequests/targets`."""

    name: str = ""
    default: bool = False
    base: str = ""
    description: str = ""
    platform: str = ""
    location: _Location | None = None


class _Answer(msgspec.Struct, frozen=True):
    targets: list[_Listed] | None = None


def _target(listed: _Listed) -> Target:
    ranges = (listed.location.ranges if listed.location else None) or []
    return Target(
        name=listed.name,
        default=listed.default,
        base=listed.base,
        description=listed.description,
        line=ranges[0].start.line if ranges else 0,
        platform=listed.platform,
    )


def error_of_dockerfile(sentence: str, options: BuildOptions) -> HitmissError:
    """What BuildKit said of a Dockerfile, as one sentence that names the file and the line."""
    name = options.file or "Dockerfile"
    if found := re.search(r"dockerfile parse error on line (\d+): (.+)", sentence):
        return UsageError(f"{name}:{found[1]} does not parse: {found[2].rstrip('.')}.", "Mend the line.")
    if re.search(r"failed to read dockerfile: .*no such file", sentence):
        place = "" if options.context == "." or options.file else f" in {options.context}"
        return UsageError(f"There is no {name}{place}.", "Make one, or name it with `--file`.")
    if found := re.search(r'unable to prepare context: path "(.+)" not found', sentence):
        return UsageError(f"There is no folder {found[1]}.", "Name the context's folder.")
    if "file with no instructions" in sentence or "no build stage in current context" in sentence:
        return UsageError(f"{name} has no FROM.", "A Dockerfile needs one.")
    return HitmissError(f"The targets of {name} cannot be listed: {sentence.rstrip('.')}.")
