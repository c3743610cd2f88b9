"""What the words of a stage can refer to: its ARGs and ENVs, its working folder, and how sure that is.

Pure. The rules are those of BuildKit's `dockerfile2llb`. What only the base image knows (its ENV, its WORKDIR) is not
known here; a word that depends on it is *undecided*, and the callers say what they make of that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hitmiss.project.patterns import clean
from hitmiss.project.platforms import parts
from hitmiss.project.syntax import DockerfileError, Instruction
from hitmiss.project.words import WordError, expand
from hitmiss.settings import looks_secret

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH in a stage whose base sets none."""

_SHORTEST: Final = 3
"""A shorter value is found in others by chance."""

Values = dict[str, str | None]
"""Variables by name; None stands for "set, but the value is not known here"."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word after expansion; `decided` is false where a name in it could not be looked up here."""

    text: str
    decided: bool


def fill(word: str, values: Mapping[str, str | None], *, complete: bool, escape: str, raw: bool = False) -> Word:
    """Expand `word`; `complete` says that a name missing from `values` is truly unset.

    `raw` is how BuildKit fills in the names of RUN steps: quotes stay, unset variables stay as written. Raises
    `WordError`.
    """
    found = expand(word, values.get, escape=escape, raw_quotes=raw, skip_unset=raw)
    unsure = {name for name in found.unset if name in values} if complete else found.unset
    return Word(found.text, not unsure)


def platform_values(build: str, target: str, stage: str, overrides: Mapping[str, str]) -> Values:
    """The automatic arguments (BUILDPLATFORM, TARGETARCH, …); unknown where a platform is ""."""
    values: Values = {}
    for prefix, platform in (("BUILD", build), ("TARGET", target)):
        system, machine, variant = parts(platform) if platform else (None, None, None)
        values |= {
            f"{prefix}PLATFORM": platform or None,
            f"{prefix}OS": system,
            f"{prefix}OSVERSION": "" if platform else None,
            f"{prefix}ARCH": machine,
            f"{prefix}VARIANT": variant,
        }
    values["TARGETSTAGE"] = stage or "default"
    return {name: overrides.get(name, value) for name, value in values.items()}


def global_values(
    arguments: tuple[Instruction, ...], automatic: Values, build_args: Mapping[str, str], escape: str
) -> Values:
    """What a FROM line can refer to: the automatic arguments and the ARGs before the first FROM."""
    values = dict(automatic)
    for instruction in arguments:
        for name, default in declared(instruction):
            if name in build_args:
                values[name] = build_args[name]
            elif default is not None:
                word = _filled(default, values, instruction, complete=True, escape=escape)
                values[name] = word.text if word.decided else None
    return values


def declared(instruction: Instruction) -> tuple[tuple[str, str | None], ...]:
    """The names of an ARG with their defaults (None: no default)."""
    found = (arg.partition("=") for arg in instruction.args)
    return tuple((name, value if sep else None) for name, sep, value in found)


@dataclass(frozen=True, slots=True)
class Base:
    """What a base image's configuration says about the stages on it."""

    env: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"
    user: str = ""
    shell: tuple[str, ...] = ()


@dataclass(slots=True)
class Scope:
    """The variables and the working folder at one point of a stage.

    `env` is what a RUN sees, in BuildKit's order (what was set last is last); `lasting` is the part of it that a stage
    built on this one starts with anew (ENV, not ARG); `complete` is true where a name missing from `env` is truly unset
    (the base is scratch, or known); `workdir` is None where the base image decides it; `user` and `shell` are None
    until an instruction sets them. `written` are the values of the variables that are set but not known, as the
    Dockerfile has them; `folder` is the working folder as far as it is known: from the base's own ("") on, or from the
    root.
    """

    globals: Mapping[str, str | None]
    build_args: Mapping[str, str]
    escape: str
    complete: bool = False
    workdir: str | None = None
    user: str | None = None
    shell: tuple[str, ...] | None = None
    env: Values = field(default_factory=dict)
    lasting: Values = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    folder: str = ""

    @classmethod
    def of_base(
        cls, base: Base, globals_: Mapping[str, str | None], build_args: Mapping[str, str], escape: str
    ) -> Scope:
        """The scope at the start of a stage on an image whose configuration is known."""
        start: Values = {**dict(base.env)}
        start.setdefault("PATH", DEFAULT_PATH)
        # An image's folder counts from the root.
        workdir = base.workdir if base.workdir.startswith("/") else clean(f"/{base.workdir}")
        return cls(
            globals_, build_args, escape, True, workdir, base.user or None, base.shell or None,
            env=dict(start), lasting=start, folder=workdir,
        )  # fmt: skip

    @classmethod
    def of_scratch(cls, globals_: Mapping[str, str | None], build_args: Mapping[str, str], escape: str) -> Scope:
        """The scope at the start of a `FROM scratch`."""
        return cls.of_base(Base(), globals_, build_args, escape)

    def child(self) -> Scope:
        """The scope at the start of a stage that is built on this one."""
        passed = {name: value for name, value in self.env.items() if name not in self.lasting}
        return replace(self, env=passed | self.lasting, lasting=dict(self.lasting), written=dict(self.written))

    def frozen(self) -> Scope:
        """A copy that stays as it is."""
        return replace(self, env=dict(self.env), lasting=dict(self.lasting), written=dict(self.written))

    def fill(self, word: str, *, raw: bool = False, extra: Mapping[str, str] | None = None) -> Word:
        """Expand a word of this stage (see `fill`); `extra` overlays the variables. Raises `WordError`."""
        values: Values = {**self.env, **extra} if extra else self.env
        return fill(word, values, complete=self.complete, escape=self.escape, raw=raw)

    def credentials(self) -> frozenset[str]:
        """The variables that hold one: their name looks secret, or the value of such a one is in theirs."""
        named = {name for name in self.env if looks_secret(name)}
        values = [value for name in named if len(value := self.env[name] or "") >= _SHORTEST]
        holding = (name for name, value in self.env.items() if value and any(each in value for each in values))
        return frozenset((*named, *holding))

    def without(
        self, word: str, hidden: Collection[str], *, raw: bool = False, extra: Mapping[str, str] | None = None
    ) -> str:
        """Expand a word as `fill` does, with the variables `hidden` as written. Raises `WordError`."""
        values: Values = {**self.env, **extra} if extra else self.env

        def lookup(name: str) -> str | None:
            if name in hidden:
                return None
            return values.get(name) if raw else values.get(name) or ""

        return expand(word, lookup, escape=self.escape, raw_quotes=raw, skip_unset=True).text

    def told(self, word: str) -> str:
        """`word` filled in; what only the base image knows stands as written. Raises `WordError`."""
        found = self.fill(word)
        if found.decided:
            return found.text
        return expand(word, self._known, escape=self.escape, skip_unset=True).text

    def _known(self, name: str) -> str | None:
        value = self.env.get(name)
        return self.written.get(name) if value is None else value

    def enter(self, instruction: Instruction) -> None:
        """Take over what `instruction` changes. Raises `DockerfileError` for a word that BuildKit cannot read."""
        match instruction.keyword:
            case "ENV":
                self._set_env(instruction)
            case "ARG":
                self._declare(instruction)
            case "WORKDIR":
                text = " ".join(instruction.args)
                word = self._word(text, instruction)
                self.workdir = joined(self.workdir, word.text) if word.decided else None
                path = word.text if word.decided else self.told(text)
                self.folder = path if path.startswith("/") else clean(f"{self.folder or '.'}/{path}")
            case "USER":
                text = " ".join(instruction.args)
                word = self._word(text, instruction)
                self.user = word.text if word.decided else self.told(text)
            case "SHELL":
                self.shell = instruction.args

    def _set_env(self, instruction: Instruction) -> None:
        # All values of one ENV are filled in before any of them is set.
        pairs = [
            (self._word(name, instruction), *self._value(value, instruction))
            for name, value in zip(instruction.args[::2], instruction.args[1::2], strict=True)
        ]
        for name, value, written in pairs:
            if name.decided:
                self._set(name.text, value, written)
                self.lasting[name.text] = value

    def _declare(self, instruction: Instruction) -> None:
        for name, default in declared(instruction):
            if name in self.build_args:
                self._set(name, self.build_args[name])
            elif default is not None:
                self._set(name, *self._value(default, instruction))
            elif name in self.globals:
                self._set(name, self.globals[name])

    def _set(self, name: str, value: str | None, written: str | None = None) -> None:
        """Set a variable: it is the last one then."""
        self.env.pop(name, None)
        self.env[name] = value
        self.written[name] = f"${{{name}}}" if written is None else written

    def _value(self, text: str, instruction: Instruction) -> tuple[str | None, str]:
        """A value, None where it is not known, and how it is written."""
        word = self._word(text, instruction)
        return (word.text, word.text) if word.decided else (None, self.told(text))

    def _word(self, text: str, instruction: Instruction) -> Word:
        return _filled(text, self.env, instruction, complete=self.complete, escape=self.escape)


def joined(workdir: str | None, path: str) -> str | None:
    """A path against the working folder; None where that is not known and counts. An absolute path stays as it is."""
    if path.startswith("/"):
        return path
    return None if workdir is None else clean(f"{workdir}/{path}")


def _filled(text: str, values: Values, instruction: Instruction, *, complete: bool, escape: str) -> Word:
    try:
        return fill(text, values, complete=complete, escape=escape)
    except WordError as error:
        raise DockerfileError(str(error), instruction.start) from None
