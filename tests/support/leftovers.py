"""Whether an engine that was stopped left anything on the machine."""

from pathlib import Path

from tests.support import network, scratch


def left_behind(folder: Path, bridge: network.Network) -> list[str]:
    """What there still is of the engine that lived in `folder`."""
    left = [str(folder)] if folder.exists() else []
    left += [f"process {pid}" for pid in [*scratch.family(folder), *scratch.clients(folder)]]
    left += [f"mount {point}" for point in scratch.mounts(folder)]
    left += [f"bridge {name}" for name in network.bridges(bridge)]
    if network.exists(bridge):
        left.append(f"bridge {bridge.bridge}")
    groups = [scratch.CGROUPS / folder.name, *scratch.CGROUPS.glob(f"*/{folder.name}")]
    return left + [str(group) for group in groups if group.exists()]
