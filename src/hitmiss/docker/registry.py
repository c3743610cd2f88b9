"""Where the tag of a base image points: on the engine, as it was pulled, and on the image's registry today.

With the `docker` driver BuildKit takes an image that the engine has without asking its registry, unless told `--pull`;
and that leaves the engine's own tag where it was, so that the next build without it goes back to the old image.
"""

from __future__ import annotations

import msgspec

from hitmiss.docker import client, provenance
from hitmiss.errors import HitmissError
from hitmiss.project.operations import full_name

_ASK_S = 5.0
"""How long a registry may take to answer, in seconds."""


async def here(name: str, builder: str | None = None) -> frozenset[str]:
    """The digests by which the engine knows an image of the registry that `name` speaks of.

    None for an image that it does not have, one named by its digest, and one that was built, loaded or tagged here as
    far as the engine tells: nothing is known then of where its name should point.
    """
    found = None if "@" in name else await provenance.inspected(name, builder, version="")
    if found is None or (found.descriptor and found.descriptor.annotations):
        return frozenset()
    pairs = (each.rpartition("@") for each in found.repo_digests or ())
    return frozenset(digest for other, _, digest in pairs if _repository(other) == _repository(name))


async def there(name: str, builder: str | None = None) -> str:
    """The digest of the tag on its registry; "" where that cannot be asked within a few seconds, or does not have it.

    The client asks, so that its log-ins count.
    """
    on = ["--builder", builder] if builder else []
    try:
        words = ("imagetools", "inspect", *on, "--format", "{{json .Manifest}}", "--", name)
        answer = await client.ask(*words, timeout_s=_ASK_S)
        return "" if answer.code else msgspec.json.decode(answer.out, type=_Manifest).digest
    except (HitmissError, OSError, msgspec.DecodeError):
        return ""


class _Manifest(msgspec.Struct):
    """The part that an index and the manifest of a single image have alike."""

    digest: str = ""


def _repository(name: str) -> str:
    return full_name(name).rpartition(":")[0]
