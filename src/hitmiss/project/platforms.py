"""Platform names (`linux/arm64/v8`) in the form in which BuildKit prints them.

Pure. The rules are those of containerd's `platforms` package for the systems that BuildKit builds for.
"""

from __future__ import annotations

from typing import Final

_MACHINES: Final = {
    "aarch64": ("arm64", ""),
    "arm64": ("arm64", ""),
    "armel": ("arm", "v6"),
    "armhf": ("arm", "v7"),
    "i386": ("386", ""),
    "x86-64": ("amd64", ""),
    "x86_64": ("amd64", ""),
}
_PLAIN_VARIANTS: Final = {("amd64", "v1"), ("arm64", "8"), ("arm64", "v8")}
_SYSTEMS: Final = frozenset({"linux", "windows", "darwin", "freebsd", "wasi"})


def parts(platform: str) -> tuple[str, str, str]:
    """System, machine and variant of a platform name, made plain (`linux/aarch64` is linux, arm64, "")."""
    found = platform.lower().split("/")
    if len(found) == 1:
        found = [found[0], "amd64"] if found[0] in _SYSTEMS else ["linux", found[0]]
    system, machine, variant = found[0], found[1], "/".join(found[2:])
    plain, usual = _MACHINES.get(machine, (machine, ""))
    variant = variant or usual
    if (plain, variant) in _PLAIN_VARIANTS:
        variant = ""
    if plain == "arm" and variant in ("", "7"):
        variant = "v7"
    return system, plain, variant


def shown(platform: str) -> str:
    """`platform` as BuildKit prints it."""
    return "/".join(part for part in parts(platform) if part)


def crossing(base: str, wanted: str) -> str:
    """What BuildKit prints after a step's platform when the stage builds for another: `->arm64`, or ""."""
    here, there = parts(base), parts(wanted)
    if here[0] != there[0]:
        return "->" + shown(wanted)
    if here[1] != there[1]:
        return "->" + "/".join(part for part in there[1:] if part)
    return ""
