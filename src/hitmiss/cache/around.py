"""What the options of a build make of each RUN, whatever its instruction says. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from hitmiss.cache.operations import Operation

ARGUMENTS: Final = ("$BUILDKIT_SANDBOX_HOSTNAME", "$BUILDKIT_CACHE_MOUNT_NS")
"""Build arguments that count for a RUN though it does not see them."""

SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - a mount, no file of ours


def options(operation: Operation) -> dict[str, str]:
    """The options that show in a RUN, with what was given for them: `--ulimit` → `nofile=1:2`.

    Of hosts, only the names show.
    """
    found = {
        "--network": operation.value("network"),
        "--add-host": ", ".join(map(str, _listed(operation, "hosts"))),
        "--ulimit": ", ".join(_limit(each) for each in _listed(operation, "limits")),
        "--shm-size": "".join(_size(each) for each in _listed(operation, "mounts")),
        "--cgroup-parent": operation.value("cgroup"),
    }
    return {name: value for name, value in found.items() if value}


def _listed(operation: Operation, name: str) -> list[Any]:
    return list(json.loads(operation.value(name) or "[]"))


def _limit(found: dict[str, Any]) -> str:
    return f"{found['Name']}={found.get('Soft', 0)}:{found.get('Hard', 0)}"


def _size(mount: dict[str, Any]) -> str:
    return str(mount.get("TmpfsOpt", {}).get("size", "")) if mount["dest"] == SHARED_MEMORY else ""
