"""Which builder works when none is named, read from docker's own files: at once, without starting anything.

The order is buildx's own (docker/buildx, `store/storeutil.GetCurrentInstance`): `BUILDX_BUILDER`, the builder chosen
with `buildx use`, else the builder of the current docker context.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def current_builder() -> str:
    """The name of the builder in use; `default` when nothing says otherwise."""
    if name := os.environ.get("BUILDX_BUILDER"):
        return name
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    buildx = Path(os.environ.get("BUILDX_CONFIG") or config / "buildx")
    if chosen := _text(buildx / "current", "Name"):
        return chosen
    if os.environ.get("DOCKER_HOST"):
        return "default"
    return os.environ.get("DOCKER_CONTEXT") or _text(config / "config.json", "currentContext") or "default"


def _text(path: Path, key: str) -> str:
    try:
        value = json.loads(path.read_bytes()).get(key, "")
    except (OSError, ValueError, AttributeError):
        return ""
    return value if isinstance(value, str) else ""
