"""A bridge and addresses of its own for each private daemon.

Two daemons on one bridge break each other, and an address that something else on this machine uses must not be
taken. So an address range is chosen under a lock, out of those that no interface and no route touches. A claimed
bridge holds its range from `claim` on, and it goes last: from then on the range may be another's.
"""

import contextlib
import fcntl
import ipaddress
import json
import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.wait import wait_for

POOL = ipaddress.IPv4Network("10.224.0.0/12")
LOCK = Path("/tmp/hitmiss-network.lock")
PREFIX = "hm"
"""What the names of claimed bridges begin with; a daemon's own names for networks are different."""


@dataclass(frozen=True)
class Network:
    """A claimed bridge: `block` is a /20 whose first /24 is the bridge's and whose second half is for compose."""

    bridge: str
    block: str

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return next(ipaddress.IPv4Network(self.block).subnets(new_prefix=24))

    @property
    def pool(self) -> ipaddress.IPv4Network:
        """What the daemon may give to the networks that it is asked to make."""
        return list(ipaddress.IPv4Network(self.block).subnets(new_prefix=21))[1]


def claim(record: Path) -> Network:
    """Make a bridge with an address of its own, and write to `record` what `release` needs."""
    with _lock():
        taken = _ranges()
        blocks = list(POOL.subnets(new_prefix=20))
        random.shuffle(blocks)
        block = next((b for b in blocks if not any(b.overlaps(t) for t in taken)), None)
        if block is None:
            raise OSError(f"No free range of addresses is left in {POOL}.")
        network = Network(bridge=f"{PREFIX}{os.urandom(4).hex()}", block=str(block))
        record.write_text(json.dumps(asdict(network)))
        address = f"{network.subnet.network_address + 1}/{network.subnet.prefixlen}"
        _ip("link", "add", "name", network.bridge, "type", "bridge")
        _ip("address", "add", address, "dev", network.bridge)
        _ip("link", "set", network.bridge, "up")
    return network


def read(record: Path) -> Network:
    """What `claim` wrote."""
    return Network(**json.loads(record.read_text()))


def release(network: Network) -> None:
    """Remove the bridge, those that the daemon made for compose networks, and what is plugged into them."""

    def made_by_the_daemon() -> set[str]:
        return {*bridges(network)} - {network.bridge}

    def gone() -> bool:
        for name in made_by_the_daemon() or {network.bridge}:
            # A daemon that was killed may have left pairs whose other end never came to a container.
            for port in Path("/sys/class/net", name).glob("brif/*"):
                _delete(port.name)
            _delete(name)
        return not made_by_the_daemon() and not exists(network)

    wait_for(gone, 10, f"the bridge {network.bridge} to be gone")


def bridges(network: Network) -> list[str]:
    """The bridges that have an address in the network's block, which after `release` may be another's: then none."""
    block = ipaddress.IPv4Network(network.block)
    names = [
        link["ifname"]
        for link in json.loads(_ip("-json", "-4", "address", "show", "type", "bridge") or "[]")
        for address in link.get("addr_info", [])
        if "local" in address and ipaddress.IPv4Address(address["local"]) in block
    ]
    anothers = any(name.startswith(PREFIX) and name != network.bridge for name in names)
    return [] if anothers else names


def exists(network: Network) -> bool:
    """Whether the bridge is there."""
    return Path("/sys/class/net", network.bridge).exists()


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    with LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ranges() -> list[ipaddress.IPv4Network]:
    """The address ranges in use on this machine, as its interfaces and its routes tell."""
    ranges = []
    for link in json.loads(_ip("-json", "-4", "address") or "[]"):
        for address in link.get("addr_info", []):
            if "local" in address:
                text = f"{address['local']}/{address['prefixlen']}"
                ranges.append(ipaddress.IPv4Interface(text).network)
    routes = json.loads(_ip("-json", "-4", "route", "show", "table", "all") or "[]")
    targets = [route["dst"] for route in routes if route.get("dst", "default") != "default"]
    ranges += [ipaddress.IPv4Network(target, strict=False) for target in targets]
    return [r for r in ranges if r.prefixlen > 0]


def _delete(name: str) -> None:
    with contextlib.suppress(OSError):
        # It is gone already.
        _ip("link", "delete", name)


def _ip(*words: str) -> str:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for _ in range(5):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, env={**os.environ, "PATH": path})
        if "interrupted" not in done.stderr:
            break
        # A list during which another interface came or went is to be asked for again.
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
