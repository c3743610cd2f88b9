"""What a session is told to do: the options of `docker build` under their own names, and the settings files.

Flags and files become frozen values here; every other room reads those. It reads settings files and nothing else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from hitmiss.errors import UsageError


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


_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?|secret|token|api_?key|credential|auth|private|access_?key", re.IGNORECASE
)


def looks_secret(name: str) -> bool:
    """Whether a build argument's name says that its value is nobody's business."""
    return bool(_SECRET_NAME.search(name))


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What `hitmiss.toml` (or `[tool.hitmiss]` of a `pyproject.toml`) may say; flags win over it."""

    on_change: Literal["restart", "queue", "manual"] = "restart"
    settle: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 100
    """Quiet period after a save, in milliseconds."""
    theme: str = ""
    """A Textual theme; empty: hitmiss's own, dark."""
    keys: dict[str, str] = {}
    """Action → key or keys, comma separated."""


_TAKES = {
    "on-change": "restart, queue or manual",
    "settle": "a whole number of milliseconds from 0 to 60000",
    "theme": "the name of a theme",
    "keys": 'a table of actions and keys (rebuild = "r")',
}
"""What each setting takes, in words."""


def load(folder: Path, user_file: Path | None = None) -> Settings:
    """The settings for a project folder: the user's own file, then the project's, key by key.

    Reads `hitmiss.toml`, or `[tool.hitmiss]` of `pyproject.toml`, in `folder`. Raises `UsageError` naming the file,
    the key and what is allowed there.
    """
    given: dict[str, Any] = {}
    keys: dict[str, str] = {}
    if user_file:
        given = _checked(user_file, _read(user_file))
        keys |= given.get("keys", {})
    own, shared = folder / "hitmiss.toml", folder / "pyproject.toml"
    table = _checked(own, _read(own)) if _is_file(own) else _checked(shared, _table_of(shared))
    given |= table
    keys |= table.get("keys", {})
    return msgspec.convert({**given, "keys": keys}, Settings)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that cannot be read; whoever wants to build it says so
        return False


def _table_of(path: Path) -> dict[str, Any]:
    """`[tool.hitmiss]` of a `pyproject.toml`; what else is in that file, or wrong with it, is not our business."""
    try:
        if b"hitmiss" not in path.read_bytes():
            return {}
    except OSError:
        return {}
    tool = _read(path).get("tool")
    table = tool.get("hitmiss", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{path}: tool.hitmiss is no table.", "Write it as [tool.hitmiss].")
    return table


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Mend the file, or remove it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.", "Mend the file, or remove it.") from error


def _checked(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    for key, value in table.items():
        if key not in _TAKES:
            raise UsageError(f"{path}: there is no setting called {key!r}.", f"Settings: {', '.join(_TAKES)}.")
        try:
            msgspec.convert({key: value}, Settings)
        except msgspec.ValidationError as error:
            raise UsageError(f"{path}: {key} = {value!r} is not allowed.", f"It takes {_TAKES[key]}.") from error
    return table
