"""What is to be built, read anew from disk: the Dockerfile, the steps that BuildKit will show for a target, and what
they read of the contexts.

It reads the files of the project and nothing else; a Dockerfile that does not parse is a value here, not an error, for
the watch goes on and the screen shows where it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hitmiss.build.model import Expected, Place
from hitmiss.errors import UsageError
from hitmiss.project import context, dockerfile, links, outline, selection
from hitmiss.project.ignore import IgnoreRules
from hitmiss.project.operations import Question, Surroundings
from hitmiss.settings import BuildOptions

_OWN = "linux/amd64"
"""The builder's platform while it is not known."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One reading of a project.

    `name` is the Dockerfile's name as BuildKit prints it, `text` its content ("" when it is not on disk). `error` is
    the sentence for a Dockerfile that does not parse or a target that is not there, `error_line` its line (0: none).
    `target` is the stage that will be built, by its shown name; `targets` are the names that can be asked for: BuildKit
    takes no number, and no `stage-0`, for a stage without a name.
    """

    contexts: context.Contexts
    name: str
    text: str
    error: str
    error_line: int
    target: str
    targets: tuple[str, ...]
    expected: tuple[Expected, ...]
    reach: selection.Reach
    question: Question | None = None
    """What to build, for whoever wants to know its operations; None where the Dockerfile cannot be read."""
    linked: Mapping[str, Definition] = field(default_factory=dict)
    """The targets whose results it builds on, by their names."""

    def folders(self) -> tuple[tuple[str, Path], ...]:
        """Every context that is a folder, by the name that the operations have for it: `base:` is a linked target's."""
        below = ((f"{name}:{context}", path) for name, each in self.linked.items() for context, path in each.folders())
        return (*self.contexts.folders(), *below)

    def texts(self) -> tuple[str, ...]:
        """Its Dockerfile, and those of the targets that it builds on."""
        return (self.text, *(text for each in self.linked.values() for text in each.texts()))

    def rules(self) -> dict[str, IgnoreRules]:
        """The ignore rules of each of `folders`; raises `UsageError` for a refused pattern."""
        below = {
            f"{name}:{context}": rules for name, each in self.linked.items() for context, rules in each.rules().items()
        }
        return self.contexts.rules() | below

    def ignore_files(self) -> dict[str, tuple[Path, ...]]:
        """Where the ignore rules of each of `folders` may stand, the first that is there counts."""
        own = {
            name: self.contexts.ignore_files if name == context.MAIN else (path / ".dockerignore",)
            for name, path in self.contexts.folders()
        }
        return own | {
            f"{name}:{at}": files for name, each in self.linked.items() for at, files in each.ignore_files().items()
        }


def load(
    options: BuildOptions,
    *,
    cwd: Path,
    environment: Mapping[str, str],
    platform: str = "",
    inline: str = "",
    linked: Mapping[str, tuple[str, Definition]] | None = None,
) -> Definition:
    """Read the project that `options` names.

    `platform` is the builder's own, "" while it is not known, `inline` a Dockerfile that stands in no file, `linked`
    the named contexts that another target puts out, with that target's name. Raises `UsageError` when the context or
    the Dockerfile is not there.
    """
    named = options.named_contexts()
    given = "-" if inline else options.file or None
    contexts = context.resolve(options.context, dockerfile=given, named=named, cwd=cwd)
    path = contexts.dockerfile
    text = inline
    if path is not None:
        try:
            text = path.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name the Dockerfile with -f.") from error
    name = path.name if path is not None else "inline" if inline else "Dockerfile"
    values = options.argument_values(environment)
    platforms = options.platform_list()
    error_text, line = "", 0
    expected: tuple[Expected, ...] = ()
    parsed = None
    target = options.target
    targets: tuple[str, ...] = ()
    if path is not None or inline:
        try:
            parsed = dockerfile.parse(text)
            targets = tuple(dict.fromkeys(stage.name for stage in parsed.stages if stage.name))
            stage = parsed.stage(options.target)
            target = stage.shown if stage else options.target
            expected = announce(
                parsed, name, target=options.target, values=values, platforms=platforms, named=named, own=platform
            )
        except dockerfile.DockerfileError as error:
            error_text, line = str(error), error.line
        except UsageError as error:
            error_text = str(error)
    reach = selection.reach_of(
        parsed,
        options.target,
        values,
        named,
        platforms,
        build_platform=platform,
        follow=links.follower(dict(contexts.folders())),
    )
    question = None
    if parsed and not error_text:
        question = Question(
            parsed,
            options.target,
            values,
            named,
            build_platform=platform or _OWN,
            around=_around(options),
            linked={name: each.question for name, (_, each) in (linked or {}).items() if each.question},
        )
    below = dict((linked or {}).values())
    return Definition(contexts, name, text, error_text, line, target, targets, expected, reach, question, below)


def _around(options: BuildOptions) -> Surroundings:
    return Surroundings(options.network, options.add_hosts, options.ulimits, options.shm_size, options.cgroup_parent)


def announce(
    parsed: dockerfile.Dockerfile,
    name: str,
    *,
    target: str = "",
    values: Mapping[str, str] | None = None,
    platforms: Sequence[str] = (),
    named: Mapping[str, str] | None = None,
    own: str = "",
    triggers: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Expected, ...]:
    """The steps that BuildKit will show for a target, stages in the order of their dependencies.

    That is the Dockerfile's order: BuildKit lets no stage read one that stands below it.

    `name` is the Dockerfile's, `own` the builder's platform ("" while it is not known), `triggers` the ONBUILD lines of
    base images by the name in FROM. Raises `UsageError` for an
    unknown target, `DockerfileError` for what BuildKit refuses.
    """
    outlines = outline.steps_of(parsed, target, values, platforms, named, build_platform=own or _OWN, triggers=triggers)
    return tuple(_expected(step, stage, name) for stage in outlines for step in stage.steps)


def _expected(step: outline.StepOutline, stage: outline.StageOutline, file: str) -> Expected:
    # The engine writes an image in full, with its digest; the reader wants the line of the Dockerfile.
    words = step.text.split()
    text = " ".join(words[: _as(words)]) if step.keyword == "FROM" else step.told or step.instruction
    return Expected(
        stage=stage.name,
        index=step.index,
        of=step.of,
        instruction=text,
        place=Place(file, step.start, step.end),
        platform=step.platform or None,
        text=step.text,
        shown=step.instruction if text != step.instruction and not step.told else "",
        secret=step.instruction if step.told else "",
        bare=step.keyword == "FROM" and step.instruction in step.names,
    )


def _as(words: list[str]) -> int:
    lower = [word.lower() for word in words]
    return lower.index("as") if "as" in lower else len(words)
