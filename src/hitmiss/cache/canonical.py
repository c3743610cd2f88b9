"""The one form in which operations stand, whether they come from the engine's provenance or from a Dockerfile's text.

Pure. What counts for BuildKit's key is kept under the names that provenance gives it, what does not is left out. The
rules are those of `solver/llbsolver/ops/{exec,file}.go`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hitmiss.cache.operations import Input, Kind, Operation, Selected
from hitmiss.project.patterns import has_wildcards

NOTHING: Final = -1
"""The place of an input that is not there: scratch."""

ROOT: Final = "/"
PLAIN_ROOT: Final[Mapping[str, Any]] = {"dest": ROOT}
_NETWORKS: Final = {0: "", 1: "host", 2: "none"}
_SECURITIES: Final = {0: "", 1: "insecure"}
_NO_SOURCE: Final = frozenset({1, 2, 4})
"""Mounts of secrets, ssh sockets and tmpfs."""

Fields = dict[str, Any]
"""A part of an operation in the words of provenance: names as there, what is zero or empty left out."""


class Operated:
    """Operations in the order in which they were added; an equal one is not added twice."""

    def __init__(self) -> None:
        self.all: list[Operation] = []
        self._places: dict[tuple[Operation, str], int] = {}

    def add(self, operation: Operation, name: str = "") -> int:
        """The place of `operation`; those of other `name` are others for BuildKit, though their keys are equal."""
        place = self._places.setdefault((operation, name), len(self.all))
        if place == len(self.all):
            self.all.append(operation)
        return place

    # One sort of operation each

    def image(self, identity: str, platform: str, name: str) -> int:
        """A base image; `name` is the full one."""
        return self.add(Operation(Kind.IMAGE, (("identity", identity),), (), platform), name)

    def local(self, name: str) -> int:
        """A context on the client's disk; "" is the main one."""
        return self.add(Operation(Kind.LOCAL, (("name", name),)))

    def remote(self, identity: str, attributes: Mapping[str, str]) -> int:
        """What BuildKit fetches from elsewhere."""
        return self.add(Operation(Kind.REMOTE, tuple(sorted({"identity": identity, **attributes}.items()))))

    def merge(self, places: Sequence[int]) -> int:
        """Layers laid over each other."""
        return self.add(Operation(Kind.MERGE, (), tuple(Input(place) for place in places)))

    def file(self, places: Sequence[int], actions: Sequence[Fields]) -> int:
        """File actions; each has `input` and `secondaryInput` (an index of `places` or of an earlier action)."""
        selected: dict[int, list[Selected]] = {}
        by_key = {each["input"] for each in actions}
        own: list[Fields] = []
        for each in actions:
            ((name, action),) = each["Action"].items()
            number = each["secondaryInput"]
            if name == "copy" and 0 <= number < len(places):
                selected.setdefault(number, []).append(_selected(action))
                # The folder that it is taken from shows in the content alone.
                action = {**action, "src": action["src"].rpartition("/")[2] or ROOT}
            own.append({**each, "Action": {name: action}})
        inputs = tuple(
            Input(place, () if number in by_key else _sorted(selected.get(number, ())))
            for number, place in enumerate(places)
        )
        return self.add(Operation(Kind.FILE, (("actions", text(own)),), inputs))

    def exec(
        self, places: Sequence[int], meta: Fields, mounts: Sequence[Fields], platform: str, others: Fields | None = None
    ) -> int:
        """A command; `others` are the fields beside `meta` and `mounts`."""
        others = others or {}
        selectors: dict[int, list[str]] = {}
        by_content: dict[int, bool] = {}
        own_mounts: list[Fields] = []
        for mount in mounts:
            own_mounts.append(_mount(mount))
            number = mount.get("input", 0)
            if mount.get("mountType", 0) in _NO_SOURCE or number == NOTHING:
                continue
            selector = mount.get("selector", "") or ROOT
            selectors.setdefault(number, []).append(selector)
            safe = mount.get("output", 0) == -1 or mount.get("readonly", False) or selector == ROOT
            # Of several mounts of one input the last decides.
            by_content[number] = safe and mount["dest"] != ROOT
        own = {
            "args": text(meta["args"]),
            "cwd": meta.get("cwd", ROOT),
            "user": meta.get("user", ""),
            "network": _NETWORKS.get(others.get("network", 0), "?"),
            "security": _SECURITIES.get(others.get("security", 0), "?"),
            "mounts": text(own_mounts) if own_mounts != [PLAIN_ROOT] else "",
            "secrets": text(others["secretenv"]) if others.get("secretenv") else "",
            "devices": text(others["cdiDevices"]) if others.get("cdiDevices") else "",
            "hostname": meta.get("hostname", ""),
            "cgroup": meta.get("cgroupParent", ""),
            "limits": text(meta["ulimit"]) if meta.get("ulimit") else "",
            # Their addresses do not count.
            "hosts": text([each.get("Host", "") for each in meta.get("extraHosts") or ()] or ""),
        }
        own = {name: value for name, value in own.items() if value and value != '""'}
        environment = _environment(meta.get("env") or ())
        own |= {f"env {name}": value for name, value in environment}
        # The same variables in another order are another command line for BuildKit.
        own["order"] = " ".join(name for name, _ in environment)
        inputs = tuple(
            Input(place, _of_mounts(selectors.get(number, ())) if by_content.get(number) else ())
            for number, place in enumerate(places)
        )
        return self.add(Operation(Kind.EXEC, tuple(sorted(own.items())), inputs, platform))


def text(value: object) -> str:
    """A value as JSON, the same for equal ones."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _environment(env: Sequence[str]) -> list[tuple[str, str]]:
    found = (each.partition("=") for each in env)
    return [(name, value) for name, _, value in found]


def _mount(mount: Fields) -> Fields:
    """What counts of a mount: the selector shows in the content alone, a cache's name only where it is the default."""
    kept = {name: value for name, value in mount.items() if name != "selector"}
    cache = kept.get("cacheOpt")
    if cache is not None and not _by_default(cache, mount["dest"]):
        kept["cacheOpt"] = {}
    return kept


def _by_default(cache: Fields, target: str) -> bool:
    """Whether a cache mount says nothing that the default would not: then BuildKit's key keeps its name."""
    name = cache.get("ID", "")
    _, slash, rest = name.partition("/")
    return not cache.get("sharing", 0) and (name == target or bool(slash and rest == target))


def _selected(copy: Fields) -> Selected:
    source = copy["src"]
    return Selected(
        source,
        bool(copy.get("allowWildcard")) and has_wildcards(source),
        tuple(copy.get("include_patterns") or ()),
        tuple(copy.get("exclude_patterns") or ()),
        bool(copy.get("followSymlink")),
    )


def _sorted(found: Sequence[Selected]) -> tuple[Selected, ...]:
    """In BuildKit's order, without the plain paths that lie under another one."""
    plain = [each for each in found if not (each.wildcards or each.include or each.exclude)]
    kept: list[Selected] = []
    for follow in (False, True):
        paths = _outermost([each.source for each in plain if each.follow == follow])
        kept += [Selected(path, follow=follow) for path in paths]
    kept += [each for each in found if each.wildcards or each.include or each.exclude]
    return tuple(sorted(kept, key=lambda each: each.source))


def _of_mounts(selectors: Sequence[str]) -> tuple[Selected, ...]:
    paths = _outermost(selectors)
    return (Selected(ROOT),) if ROOT in paths else tuple(Selected(path, follow=True) for path in paths)


def _outermost(paths: Sequence[str]) -> list[str]:
    """Sorted, without those that lie under another one."""
    found = set(paths)
    return sorted(
        path for path in found
        if not any(path != other and path.startswith(other.rstrip("/") + "/") for other in found)
    )  # fmt: skip
