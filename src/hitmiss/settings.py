"""What a session is told to do: the options of `docker build` under their own names, and the settings files.

Flags and files become frozen values here; every other room reads those. It reads settings files and nothing else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from hitmiss.errors import UsageError
from hitmiss.settings_rules import SETTINGS, WrongError, check
from hitmiss.toml_lines import line_of


class Option(msgspec.Struct, frozen=True):
    """One option of `docker build` that is passed through unchanged."""

    flag: str
    field: str
    kind: Literal["text", "list", "switch"]
    help: str
    short: str = ""


OPTIONS: tuple[Option, ...] = (
    Option("--file", "file", "text", "Name of the Dockerfile (default: PATH/Dockerfile).", "-f"),
    Option("--target", "target", "text", "The build stage to build."),
    Option("--tag", "tags", "list", "Name and optionally a tag of the image (NAME:TAG).", "-t"),
    Option(
        "--build-arg",
        "build_args",
        "list",
        "Set a build argument (NAME=VALUE, or NAME from the environment).",
    ),
    Option("--secret", "secrets", "list", "Secret for the build (id=ID[,src=PATH|,env=NAME])."),
    Option("--ssh", "ssh", "list", "SSH agent socket or keys for the build."),
    Option("--build-context", "build_contexts", "list", "Additional build context (NAME=PATH)."),
    Option("--cache-from", "cache_from", "list", "External cache source."),
    Option("--cache-to", "cache_to", "list", "Cache export destination."),
    Option("--platform", "platforms", "list", "Target platform of the build."),
    Option("--builder", "builder", "text", "The builder to use."),
    Option("--network", "network", "text", "Networking mode of RUN."),
    Option("--pull", "pull", "switch", "Always try to pull newer base images."),
    Option("--no-cache", "no_cache", "switch", "Do not use the cache."),
    Option("--no-cache-filter", "no_cache_filter", "list", "Do not use the cache for these stages."),
    Option("--label", "labels", "list", "Set metadata of the image."),
    Option("--add-host", "add_hosts", "list", "Add a host name (HOST:IP)."),
    Option("--push", "push", "switch", "Push the image when it is built."),
    Option("--load", "load", "switch", "Load the image into the engine when it is built."),
    Option("--output", "outputs", "list", "Output destination (type=local,dest=PATH).", "-o"),
    Option("--annotation", "annotations", "list", "Add an annotation to the image."),
    Option("--attest", "attests", "list", "Attestation parameters."),
    Option("--provenance", "provenance", "text", "Provenance attestation of the image."),
    Option("--sbom", "sbom", "text", "SBOM attestation of the image."),
    Option("--allow", "allows", "list", "Allow an extra privileged entitlement."),
    Option("--shm-size", "shm_size", "text", "Size of /dev/shm of RUN."),
    Option("--ulimit", "ulimits", "list", "Ulimit of RUN."),
    Option("--cgroup-parent", "cgroup_parent", "text", "Parent cgroup of RUN."),
)
"""Every option that is handed to buildx as it was given."""


class BuildOptions(msgspec.Struct, frozen=True):
    """The options of one `docker build`, by the field names of `OPTIONS`, and its context."""

    context: str = "."
    file: str = ""
    target: str = ""
    tags: tuple[str, ...] = ()
    build_args: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    build_contexts: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    builder: str = ""
    network: str = ""
    pull: bool = False
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    add_hosts: tuple[str, ...] = ()
    push: bool = False
    load: bool = False
    outputs: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    attests: tuple[str, ...] = ()
    provenance: str = ""
    sbom: str = ""
    allows: tuple[str, ...] = ()
    shm_size: str = ""
    ulimits: tuple[str, ...] = ()
    cgroup_parent: str = ""

    def arguments(self) -> list[str]:
        """The words after `buildx build`, the context last; exactly what was given, nothing added."""
        words: list[str] = []
        for option in OPTIONS:
            value = getattr(self, option.field)
            if option.kind == "switch":
                words += [option.flag] if value else []
            elif option.kind == "list":
                words += [word for each in value for word in (option.flag, each)]
            elif value:
                words += [option.flag, value]
        return (
            [*words, "--", self.context]
            if self.context.startswith("-") and self.context != "-"
            else [*words, self.context]
        )

    def platform_list(self) -> tuple[str, ...]:
        """The platforms asked for, one each (`--platform a,b` and `--platform a --platform b` mean the same)."""
        return tuple(part for value in self.platforms for part in value.split(",") if part)

    def named_contexts(self) -> dict[str, str]:
        """Named contexts, name → value as given."""
        pairs = (value.partition("=") for value in self.build_contexts)
        return {name: value for name, equals, value in pairs if equals}

    def argument_values(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Build arguments, name → value; one given by name alone takes its value from `environment`."""
        values: dict[str, str] = {}
        for given in self.build_args:
            name, equals, value = given.partition("=")
            if equals:
                values[name] = value
            elif name in environment:
                values[name] = environment[name]
        return values

    def with_arguments(self, values: Mapping[str, str]) -> BuildOptions:
        """The options with these build arguments, name → value, in place of those of the same names."""
        kept = (given for given in self.build_args if given.partition("=")[0] not in values)
        given = (*kept, *(f"{name}={value}" for name, value in values.items()))
        return msgspec.structs.replace(self, build_args=given)


_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
"""A word of a name: `API_KEY`, `api-key2` and `ApiKey` have two."""
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:pass|pat|private|keys?|[a-z]*(?:auth(?:entication|orization)?|pword|"
    r"(?:(?:access|api|auth|deploy|private|secret|ssh)key|credential|passphrase|passwd|password|secret|token)s?))(?:_|$)"
    r"|_pwd(?:_|$)"  # PWD alone is a folder
)
_OPEN_NAME = re.compile(r"(?:^|_)(?:file|public|version)(?:_|$)")


def looks_secret(name: str) -> bool:
    """Whether a build argument's name says that its value is nobody's business.

    It has a word for a credential, and none that BuildKit's own check takes for a sign that it is no such one
    (`frontend/dockerfile/dockerfile2llb`, SecretsUsedInArgOrEnv). A word counts whole, or at the end of a longer one:
    `PGPASSWORD` is one, `TOKENIZERS` and `BYPASS` are none.
    """
    words = "_".join(_WORD.findall(name)).lower()
    return bool(_SECRET_NAME.search(words)) and not _OPEN_NAME.search(words)


class Secret(msgspec.Struct, frozen=True):
    """Where a secret is: the name of an environment variable, or the path of a file. Never the secret itself."""

    env: str = ""
    file: str = ""


class Watch(msgspec.Struct, frozen=True, rename="kebab"):
    """Rules of the watch: the paths of a context whose saves start nothing."""

    ignore: tuple[str, ...] = ()


class Target(msgspec.Struct, frozen=True, rename="kebab"):
    """One image, as the file has it: paths start from the file's folder, placeholders in tags are not filled in."""

    context: str = "."
    dockerfile: str = ""
    target: str = ""
    needs: tuple[str, ...] = ()
    args: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    contexts: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    push: bool = False
    load: bool = False
    outputs: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    triggers: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, rename="kebab"):
    """What `hitmiss.toml` (or `[tool.hitmiss]` of a `pyproject.toml`) may say; flags win over it."""

    on_change: Literal["restart", "queue", "manual"] = "restart"
    settle: int = 100
    """Quiet period after a save, in milliseconds."""
    theme: str = ""
    """A Textual theme; empty: hitmiss's own, dark."""
    keys: dict[str, str] = {}
    """Action → key or keys, comma separated."""
    watch: Watch = Watch()
    targets: dict[str, Target] = {}
    """The images to build, in the file's order; none: what the folder itself has is built."""

    def key(self, action: str, usual: str) -> str:
        """The key of an action, which without these settings is the `usual` one."""
        return next((key for name, key in self.keys.items() if name.replace("-", "_") == action), usual)


def load(folder: Path, user_file: Path | None = None) -> Settings:
    """The settings for a project folder: the user's own file, then the project's, key by key.

    Reads `hitmiss.toml`, or `[tool.hitmiss]` of `pyproject.toml`, in `folder`. Raises `UsageError` naming the file,
    the line, the key and what is allowed there.
    """
    given: dict[str, Any] = {}
    keys: dict[str, str] = {}
    if user_file:
        given = _checked(user_file, (), own=True)
        keys |= given.get("keys", {})
    own, shared = folder / "hitmiss.toml", folder / "pyproject.toml"
    table = _checked(own, ()) if _is_file(own) else _checked(shared, _IN_PYPROJECT)
    given |= table
    keys |= table.get("keys", {})
    return msgspec.convert({**given, "keys": keys}, Settings)


def place(folder: Path, user_file: Path, path: tuple[str, ...]) -> str:
    """Where a setting that `load` gave is written: file and line."""
    own, shared = folder / "hitmiss.toml", folder / "pyproject.toml"
    project = (own, ()) if _is_file(own) else (shared, _IN_PYPROJECT)
    for file, at in (project, (user_file, ())):
        table: Any = tomllib.loads(text) if (text := _read(file, b"hitmiss" if at else b"")) else {}
        for part in (*at, *path):
            table = table.get(part) if isinstance(table, dict) else None
        if table is not None:
            return f"{file}:{line_of(text, (*at, *path))}"
    return str(project[0])


def warnings(settings: Settings) -> tuple[str, ...]:
    """What is allowed in the settings and yet unwise, one sentence each."""
    return tuple(
        f"targets.{name}.args.{key} looks like a secret, and whoever has the image can read an argument: "
        f"give it by [targets.{name}.secrets]."
        for name, target in settings.targets.items()
        for key, value in target.args.items()
        if value and looks_secret(key)
    )


_IN_PYPROJECT = ("tool", "hitmiss")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that cannot be read; whoever wants to build it says so
        return False


def _checked(path: Path, at: tuple[str, ...], *, own: bool = False) -> dict[str, Any]:
    """The settings of a file, from the table `at`; `own` is the user's own file, which knows no project."""
    text = _read(path, b"hitmiss" if at else b"")
    if not text:
        return {}
    table = _parsed(path, text)
    for part in at:
        table = table.get(part, {}) if isinstance(table, dict) else {}
    try:
        if not isinstance(table, dict):
            raise WrongError((), f"{'.'.join(at)} is no table.", f"Write it as [{'.'.join(at)}].")
        if own and "targets" in table:
            raise WrongError(("targets",), "targets belong to a project.", "Move them to the project's hitmiss.toml.")
        return check(table, SETTINGS)
    except WrongError as error:
        line = line_of(text, (*at, *error.path))
        where = f"{path}:{line}" if line else str(path)
        raise UsageError(f"{where}: {error.message}", error.mend) from None


def _read(path: Path, word: bytes) -> str:
    """The text of a file, "" when it is not there.

    With a `word` (of a file that others write in too) it is also "" when the word is not in it, or it cannot be read.
    """
    try:
        content = path.read_bytes()
        if word not in content:
            return ""
        return content.decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        return ""
    except OSError as error:
        if word:
            return ""
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Mend the file, or remove it.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}.", "Mend the file, or remove it.") from error


def _parsed(path: Path, text: str) -> Any:
    try:
        return tomllib.loads(text, parse_float=Decimal)  # so that 3.10 stays 3.10
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{path}:{line[1] if line else text.rstrip().count(chr(10)) + 1}"  # "at end of document"
        raise UsageError(f"{where} is not TOML: {error}.", "Mend the file, or remove it.") from error
