"""Errors that people meet, recognised from the engine's own words and answered with what to do.

Pure: a build and what is known of its project in, one `Advice` out, or None for what is not recognised: then the
engine's own last sentence stays. Nothing is guessed: each recogniser names where its words come from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hitmiss.build import trouble_asked, trouble_files, trouble_images, trouble_steps
from hitmiss.build.model import Build, Status
from hitmiss.build.trouble_case import Advice, Case, Known

__all__ = ["Advice", "Known", "advice", "notices", "plain_build"]

_RECOGNISERS = (
    trouble_files.missing,
    trouble_asked.asked,
    trouble_images.push,
    trouble_images.image,
    trouble_steps.disk,
)

notices = trouble_images.notices


def advice(build: Build, words: Sequence[str], error: str, known: Known | None = None) -> Advice | None:
    """What is wrong with a failed build and what to do next.

    `words` are the last lines that the failed step wrote, `error` is the client's last sentence without its prefixes.
    """
    case = Case(error, build, tuple(words), known or Known())
    if trouble_steps.of_command(error):  # the command itself stands in it, and may say anything
        return trouble_steps.command(case)
    return next((found for recognise in _RECOGNISERS if (found := recognise(case))), None)


def plain_build(environment: Mapping[str, str]) -> str:
    """What to say where `docker build` is told to do without BuildKit; "" elsewhere.

    The docker command alone looks at the variable (docker/cli, `cmd/docker/builder.go`), buildx never.
    """
    value = environment.get("DOCKER_BUILDKIT", "")
    if value not in ("0", "f", "F", "false", "FALSE", "False"):
        return ""
    return f"DOCKER_BUILDKIT={value} is set: hitmiss builds with BuildKit all the same, `docker build` here does not."


def passes(build: Build) -> bool:
    """Whether the engine failed on what is over by itself: built again, the same goes well.

    containerd may collect the layers of an image whose name moves to another one while that one is unpacked, and
    BuildKit let go of what a build that was just canceled had written (moby/buildkit#6808).
    """
    return build.status is Status.FAILED and any(_PASSES.search(line) for line in build.text)


_PASSES = re.compile(
    r"failed to prepare extraction snapshot .*: parent snapshot \S+ does not exist"
    r"|during finalize: failed to stat active key during commit: snapshot \S+ does not exist"
)
