"""A RUN as the operation that BuildKit makes of it: command line, variables, mounts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hitmiss.cache.around import SHARED_MEMORY
from hitmiss.cache.canonical import NOTHING, Fields
from hitmiss.cache.derive_files import by_number, made
from hitmiss.project.operations import Operation as Work
from hitmiss.project.patterns import clean
from hitmiss.project.scope import Scope
from hitmiss.project.stages import State
from hitmiss.project.syntax import Instruction, heredoc_word

if TYPE_CHECKING:
    from hitmiss.cache.derive import Deriver

DEFAULT_SHELL: Final = ("/bin/sh", "-c")
_PIPES: Final = "/dev/pipes/"
_NO_VARIABLES: Final = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})
"""Arguments that BuildKit does not hand to a RUN."""
_NETWORKS: Final = {"host": 1, "none": 2}
_TRUE: Final = frozenset({"1", "t", "true"})
_SHARING: Final = {"private": 1, "locked": 2}
_CACHE, _SECRET, _SSH, _TMPFS = 3, 1, 2, 4
_UNITS: Final = "bkmgtp"


def run(to: Deriver, work: Work) -> int:
    """The place of a RUN."""
    command, scope = work.command, work.scope
    assert command
    assert scope
    instruction = command.instruction
    mounts = _Mounts(to, scope)
    mounts.bind("/", to.below(work), {})
    args = _args(instruction, scope, mounts)
    for mount, source in command.mounts:
        mounts.add({name: scope.told(value) for name, value in mount.options.items()}, _state(to, source))
    around = to.run.question.around
    if size := _bytes(around.shm_size):
        mounts.bind(SHARED_MEMORY, NOTHING, {"output": -1, "mountType": _TMPFS, "TmpfsOpt": {"size": size}})
    network = instruction.flag("network").lower() or around.network
    others: Fields = {
        "network": _NETWORKS.get(network, 0),
        "security": int(instruction.flag("security").lower() == "insecure"),
        "secretenv": mounts.variables,
    }
    found, places, env = mounts.found()
    values = {name: value for name, value in _variables(scope) if name not in _NO_VARIABLES}
    if env and "SSH_AUTH_SOCK" not in values:
        values["SSH_AUTH_SOCK"] = env
    meta: Fields = {
        "args": args,
        "cwd": scope.folder if scope.workdir is None else scope.workdir,
        "user": scope.user or "",
        "hostname": to.run.question.build_args.get("BUILDKIT_SANDBOX_HOSTNAME", ""),
        "env": [f"{name}={value}" for name, value in values.items()],
        "cgroupParent": around.cgroup_parent,
        "extraHosts": [{"Host": host} for host in _hosts(around.hosts)],
        "ulimit": [_limit(limit) for limit in sorted(around.ulimits)],
    }
    return to.out.exec(places, meta, found, work.platform, others)


def _hosts(given: Sequence[str]) -> list[str]:
    """The names of the hosts that are added, as `name:ip` or `name=ip`."""
    return [re.split("[:=]", host, maxsplit=1)[0] for host in given]


def _limit(given: str) -> Fields:
    """`nofile=1:2` in provenance's words; a soft limit alone is the hard one too."""
    name, _, values = given.partition("=")
    soft, sep, hard = values.partition(":")
    found = {"Soft": _number(soft), "Hard": _number(hard if sep else soft)}
    return {"Name": name, **{key: value for key, value in found.items() if value}}


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else 0


def _variables(scope: Scope) -> list[tuple[str, str]]:
    return [
        (name, value if value is not None else scope.written.get(name, f"${{{name}}}"))
        for name, value in scope.env.items()
    ]


def _args(instruction: Instruction, scope: Scope, mounts: _Mounts) -> list[str]:
    """The command line; the script of a heredoc with a `#!` is mounted."""
    args = list(instruction.args)
    docs = instruction.heredocs
    if instruction.json:
        return args
    if docs and heredoc_word(args[0]):
        script = docs[0].text
        if script.startswith("#!"):
            mounts.script(docs[0].name, script)
            args = [clean(_PIPES + docs[0].name)]
        else:
            args = [script]
    elif docs:
        args = ["".join((args[0], *(f"\n{doc.content}{doc.name}" for doc in docs)))]
    return [*(scope.shell or DEFAULT_SHELL), " ".join(args)]


def _state(to: Deriver, source: State | None) -> int | None:
    """What a mount's `from=` gives; None where it names nothing."""
    return to.last(source) if source else None


class _Mounts:
    """The mounts of one RUN, in BuildKit's order: by target, then secrets, then ssh sockets."""

    def __init__(self, to: Deriver, scope: Scope) -> None:
        self.to = to
        self.scope = scope
        self.bound: list[tuple[Fields, int]] = []
        self.secrets: list[Fields] = []
        self.sockets: list[Fields] = []
        self.variables: list[Fields] = []

    def bind(self, target: str, place: int, more: Fields) -> None:
        """Mount what an operation puts out."""
        self.bound.append(({"dest": target, **more}, place))

    def script(self, name: str, content: str) -> None:
        """Mount a file of that content under `/dev/pipes`."""
        self.bind(_PIPES, made(self.to, name, content, 0o755), {"selector": "/", "readonly": True, "output": -1})

    def add(self, options: Mapping[str, str], source: int | None) -> None:
        """One `--mount`, its values filled in; `source` is what its `from=` names."""
        match options.get("type", "bind").lower():
            case "secret":
                self._secret(options)
            case "ssh":
                self._socket(options)
            case "tmpfs":
                size = _bytes(options.get("size", ""))
                more: Fields = {"TmpfsOpt": {"size": size} if size else {}}
                self.bind(self._target(options), NOTHING, {"output": -1, "mountType": _TMPFS, **more})
            case kind:
                self._files(options, source, kind)

    def found(self) -> tuple[list[Fields], list[int], str]:
        """The mounts, the inputs that they point at, and the value of SSH_AUTH_SOCK ("": none)."""
        places: list[int] = []
        mounts: list[Fields] = []
        for mount, place in sorted(self.bound, key=lambda pair: str(pair[0]["dest"])):
            if place != NOTHING and place not in places:
                places.append(place)
            number = places.index(place) if place != NOTHING else NOTHING
            mounts.append({**mount, "input": number} if number else mount)
        for number, socket in enumerate(self.sockets):
            socket["dest"] = socket["dest"] or f"/run/buildkit/ssh_agent.{number}"
        return [*mounts, *self.secrets, *self.sockets], places, self.sockets[0]["dest"] if self.sockets else ""

    def _files(self, options: Mapping[str, str], source: int | None, kind: str) -> None:
        """A bind or cache mount."""
        cache = kind == "cache"
        if not options.get("from"):
            source = NOTHING if cache else self.to.main
        place = NOTHING if source is None else source
        target = self._target(options)
        more: Fields = {"output": -1}
        if options.get("readonly", "false" if cache else "true").lower() in _TRUE:
            more["readonly"] = True
        selector = clean("/" + options.get("source", ""))
        if selector != "/":
            more["selector"] = selector
        elif any(options.get(name) for name in ("uid", "gid", "mode")):
            place = self._owned(options, place)
            more["selector"] = "/cache"
        if cache:
            name = options.get("id") or clean(options.get("target", ""))
            opt: Fields = {"ID": f"{self.to.cache_namespace}/{name}"}
            if sharing := _SHARING.get(options.get("sharing", "").lower()):
                opt["sharing"] = sharing
            more |= {"mountType": _CACHE, "cacheOpt": opt}
        self.bind(target, place, more)

    def _owned(self, options: Mapping[str, str], place: int) -> int:
        """The folder that a cache mount with an owner or a mode starts with."""
        owner = {
            "user": by_number(int(options.get("uid") or 0)),
            "group": by_number(int(options.get("gid") or 0)),
        }
        mode = int(options.get("mode") or "755", 8)
        mkdir: Fields = {"path": "/cache", "mode": mode, "owner": owner, "timestamp": -1}
        on = 0 if place != NOTHING else NOTHING
        action: Fields = {"input": on, "secondaryInput": NOTHING, "output": 0, "Action": {"mkdir": mkdir}}
        return self.to.out.file([place] if place != NOTHING else [], [action])

    def _target(self, options: Mapping[str, str]) -> str:
        target = options.get("target", "")
        if target.startswith("/"):
            return target
        if self.scope.workdir is None and not self.scope.folder.startswith("/"):
            return clean(f"{self.scope.folder or '.'}/{target}")
        return clean(f"/{self.scope.workdir or self.scope.folder}/{target}")

    def _secret(self, options: Mapping[str, str]) -> None:
        target, variable = options.get("target", ""), options.get("env")
        name = options.get("source") or options.get("id") or target.rpartition("/")[2]
        optional = {} if _required(options) else {"optional": True}
        if variable is not None:
            self.variables.append({"ID": name, "name": variable, **optional})
        if target or variable is None:
            opt = {"ID": name, **_owner(options, 0o400), **optional}
            dest = target or "/run/secrets/" + name.rpartition("/")[2]
            self.secrets.append({"input": NOTHING, "dest": dest, "mountType": _SECRET, "secretOpt": opt})

    def _socket(self, options: Mapping[str, str]) -> None:
        opt: Fields = {**_owner(options, 0o600), **({} if _required(options) else {"optional": True})}
        if options.get("id"):
            opt["ID"] = options["id"]
        target = options.get("target", "")
        self.sockets.append({"input": NOTHING, "dest": target, "mountType": _SSH, "SSHOpt": opt})


def _required(options: Mapping[str, str]) -> bool:
    return options.get("required", "").lower() in _TRUE


def _owner(options: Mapping[str, str], mode: int) -> Fields:
    found = {name: int(options[name]) for name in ("uid", "gid") if options.get(name, "").isdecimal()}
    found["mode"] = int(options.get("mode") or oct(mode)[2:], 8)
    return {name: value for name, value in found.items() if value}


def _bytes(size: str) -> int:
    """`1.5m` → 1572864, as docker/go-units reads it; 0 for what is no size."""
    found = re.fullmatch(r"(\d+(?:\.\d+)*) ?([kmgtp])?i?b?", size.strip().lower())
    return int(float(found[1]) * 1024 ** _UNITS.index(found[2] or "b")) if found else 0
