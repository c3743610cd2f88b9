"""The `docker` command that builds the same as hitmiss does, to copy. Starts nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hitmiss.docker import endpoint
from hitmiss.project.find import Kind
from hitmiss.settings import BuildOptions, looks_secret
from hitmiss.workspace import Workspace


def equivalent(space: Workspace, options: Mapping[str, BuildOptions]) -> str:
    """The command for what is chosen of a workspace, one line; values that look secret are left to the environment.

    `options` are those of each target that is built, by its name. It goes to the workspace's folder first, where that
    is not the one that hitmiss was started in.
    """
    there = "" if space.cwd == _here() else f"cd {shlex.quote(str(space.cwd))} && "
    return there + _command(space, options)


def _here() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was deleted meanwhile
        return None


def _command(space: Workspace, options: Mapping[str, BuildOptions]) -> str:
    builder = space.flags.builder
    context = endpoint.needed_context(builder)
    docker = ["docker", *(["--context", context] if context else [])]
    on = ["--builder", builder] if builder else []
    values = {name: space.arguments.get(name, {}) for name in options}
    if space.kind is Kind.COMPOSE and all(each == values[space.chosen[0]] for each in values.values()):
        pairs = values[space.chosen[0]].items()
        own = [word for pair in pairs for word in ("--build-arg", _said(*pair))]
        return shlex.join([*docker, "compose", "build", *on, *own, *space.chosen])
    if space.at_once:
        own = [f"--set={name}.args.{_said(*pair)}" for name in values for pair in values[name].items()]
        return shlex.join([*docker, "buildx", "bake", *on, *own, *space.chosen])
    return " && ".join(shlex.join([*docker, *_build(each)]) for each in options.values())


def _said(name: str, value: str) -> str:
    """An argument as it is written; a value that looks secret is left to the environment."""
    return name if looks_secret(name) else f"{name}={value}"


def _build(options: BuildOptions) -> list[str]:
    """The words after `docker` for one Dockerfile."""
    names = (given.partition("=")[0] for given in options.build_args)
    arguments = tuple(
        name if looks_secret(name) else given for name, given in zip(names, options.build_args, strict=True)
    )
    return ["build", *msgspec.structs.replace(options, build_args=arguments).arguments()]
