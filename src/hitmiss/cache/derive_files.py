"""COPY, ADD and WORKDIR as the operations on files that BuildKit makes of them. Pure."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hitmiss.cache.canonical import NOTHING, Fields
from hitmiss.project.operations import Operation as Work
from hitmiss.project.patterns import clean
from hitmiss.project.scope import Scope
from hitmiss.project.syntax import Heredoc, Instruction, heredoc_word
from hitmiss.project.words import expand

if TYPE_CHECKING:
    from hitmiss.cache.derive import Deriver

_TRUE: Final = frozenset({"1", "t", "true"})
_WEB: Final = ("http://", "https://")
_GIT: Final = re.compile(r"(?:git|ssh)://.+|[\w.-]+@[\w.-]+:.+|https?://[^#?]+\.git(?:[#?].*)?", re.DOTALL)
_WITH_MODE: Final = {"mode": -1}


def workdir(to: Deriver, work: Work) -> int:
    """The place of a WORKDIR: it makes the folder."""
    scope = work.scope
    assert scope
    path = clean(scope.workdir) if scope.workdir is not None else scope.folder
    mkdir: Fields = {
        "path": path, "mode": 0o755, "makeParents": True, "timestamp": -1 if to.created is None else to.created,
    }  # fmt: skip
    if scope.user:
        mkdir["owner"] = _owner(scope.user)
    return _file(to, to.below(work), [(NOTHING, {"mkdir": mkdir})])


def made(to: Deriver, name: str, content: str, mode: int) -> int:
    """The place of a file that holds the content of a heredoc."""
    data = base64.b64encode(content.encode(errors="surrogateescape")).decode()
    mkfile: Fields = {"path": clean(f"/{name}"), "mode": mode, **({"data": data} if data else {}), "timestamp": -1}
    return _file(to, NOTHING, [(NOTHING, {"mkfile": mkfile})])


def copy(to: Deriver, work: Work) -> tuple[int, int]:
    """The place of a COPY or ADD, and of what later steps are put on."""
    command, scope = work.command, work.scope
    assert command
    assert scope
    copying = _Copy(to, command.instruction, scope)
    source = to.last(command.source) if command.source else None
    actions = [(place, {"copy": fields}) for place, fields in copying.actions(source)]
    below = to.below(work)
    # With --chmod a --link is taken for none.
    if copying.linked and not copying.chmod:
        place = _file(to, NOTHING, actions)
        return place, to.out.merge([below, place]) if below != NOTHING else place
    place = _file(to, below, actions)
    return place, place


class _Copy:
    """One COPY or ADD."""

    def __init__(self, to: Deriver, instruction: Instruction, scope: Scope) -> None:
        self.to = to
        self.instruction = instruction
        self.scope = scope
        self.adds = instruction.keyword == "ADD"
        self.chmod = self._flag("chmod")
        self.linked = instruction.flag("link").lower() in _TRUE

    def actions(self, source: int | None) -> list[tuple[int, Fields]]:
        """What is copied, in BuildKit's order: the input and the words of each action. `source` is that of --from."""
        dest = self._dest(self.instruction.args[-1])
        files: list[tuple[int, Fields]] = []
        docs: list[tuple[int, Fields]] = []
        for word in self.instruction.args[:-1]:
            if not self.instruction.json and (announced := heredoc_word(word)):
                docs.append(self._heredoc(announced, dest))
                continue
            path = self.scope.told(word)
            if self.adds and _GIT.fullmatch(path):
                files.append((self._repository(path), self._fields("/", dest)))
            elif self.adds and path.startswith(_WEB):
                files.append(self._web(path, dest))
            else:
                files.append((self.to.main if source is None else source, self._files(path, dest)))
        return files + docs

    def _flag(self, name: str) -> str:
        return self.scope.told(self.instruction.flag(name))

    def _fields(self, source: str, dest: str) -> Fields:
        fields: Fields = {"src": source, "dest": dest, "createDestPath": True, "timestamp": -1, **self._mode()}
        if chown := self._flag("chown"):
            fields["owner"] = _owner(chown)
        if exclude := self.instruction.flag_values("exclude"):
            fields["exclude_patterns"] = list(exclude)
        return fields

    def _mode(self) -> Fields:
        if not self.chmod:
            return dict(_WITH_MODE)
        if re.fullmatch(r"[0-7]+", self.chmod):
            return {"mode": mode} if (mode := int(self.chmod, 8)) else {}
        return {"modeStr": self.chmod}

    def _files(self, path: str, dest: str) -> Fields:
        """One source in a context, a stage or an image."""
        patterns: list[str] = []
        if self.instruction.flag("parents").lower() in _TRUE:
            pivot, sep, pattern = path.partition("/./")
            path, pattern = (pivot, pattern) if sep else ("/", path)
            patterns = [(pattern if pattern.startswith("/") else clean("/" + pattern)).removeprefix("/")]
        fields = self._fields(clean("/" + path), dest)
        fields |= dict.fromkeys(("followSymlink", "dirCopyContents", "allowWildcard", "allowEmptyWildcard"), True)
        if patterns:
            fields["include_patterns"] = patterns
        unpack = self.instruction.flag("unpack", str(self.adds)).lower() in _TRUE
        if unpack:
            fields["attemptUnpackDockerCompatibility"] = True
        return fields

    def _heredoc(self, announced: Heredoc, dest: str) -> tuple[int, Fields]:
        """A heredoc: a file of its content, and the copy of it."""
        doc = next((each for each in reversed(self.instruction.heredocs) if each.name == announced.name), announced)
        content = doc.text
        if doc.expand:
            content = expand(content, self._value, escape="\\", skip_quotes=True).text
        return made(self.to, doc.name, content, 0o644), self._fields(clean(f"/{doc.name}"), dest)

    def _value(self, name: str) -> str | None:
        value = self.scope.env.get(name)
        if value is not None:
            return value
        unknown = name in self.scope.env or not self.scope.complete
        return self.scope.written.get(name, f"${{{name}}}") if unknown else None

    def _web(self, url: str, dest: str) -> tuple[int, Fields]:
        name = clean(urlsplit(url).path).rpartition("/")[2]
        name = name if name not in ("", ".") else "__unnamed__"
        attributes = {"http.filename": name}
        if checksum := self._flag("checksum"):
            attributes["http.checksum"] = checksum
        fields = self._fields(f"/{name}", dest)
        if self.instruction.flag("unpack").lower() in _TRUE:
            fields["attemptUnpackDockerCompatibility"] = True
        return self.to.out.remote(url, attributes), fields

    def _repository(self, url: str) -> int:
        attributes: dict[str, str] = {}
        if self.instruction.flag("keep-git-dir").lower() in _TRUE:
            attributes["git.keepgitdir"] = "true"
        if checksum := self._flag("checksum"):
            attributes["git.checksum"] = checksum
        return self.to.out.remote(repository(url), attributes)

    def _dest(self, word: str) -> str:
        """The destination against the working folder; a `/` or `/.` at its end has a meaning and stays."""
        path = self.scope.told(word)
        if path in ("", "."):
            path = "./"
        if path.startswith("/"):
            short = clean(path)
        elif self.scope.workdir is None and not self.scope.folder.startswith("/"):
            short = clean(f"{self.scope.folder or '.'}/{path}")
        else:
            short = clean(f"/{self.scope.workdir or self.scope.folder}/{path}")
        if path.endswith("/"):
            return short if short.endswith("/") else short + "/"
        if path.endswith("/."):
            return (short if short == "/" else short + "/") + "."
        return short


def repository(url: str) -> str:
    """The identifier of a git repository: the same for every protocol."""
    address, _, fragment = url.partition("#")
    scheme, sep, rest = address.partition("://")
    if not sep:
        host, _, path = scheme.partition(":")
        rest = f"{host}/{path}"
    host, _, path = rest.rpartition("@")[2].partition("/")
    return f"git://{host}{clean('/' + path)}" + (f"#{fragment}" if fragment else "")


def _owner(text: str) -> Fields:
    """`user:group` of a --chown or USER: numbers as they are, names looked up where the step runs."""
    user, sep, group = text.partition(":")
    return {"user": _id(user), **({"group": _id(group)} if sep else {})}


def _id(name: str) -> Fields:
    if name == "root" or not name:
        return {"User": {}}
    if re.fullmatch(r"[+-]?[0-9]+", name):
        return by_number(int(name))
    return {"User": {"byName": {"name": name}}}


def by_number(number: int) -> Fields:
    """An owner by number."""
    return {"User": {"byId": number} if number else {}}


def _file(to: Deriver, below: int, sources: list[tuple[int, Fields]]) -> int:
    """The place of a file operation: its first action is put on `below`, each other on the one before."""
    places = [below] if below != NOTHING else []
    places += [place for place in dict.fromkeys(place for place, _ in sources) if place not in (NOTHING, below)]
    actions: list[Fields] = []
    for number, (source, action) in enumerate(sources):
        on = len(places) + number - 1 if number else (0 if below != NOTHING else NOTHING)
        actions.append(
            {
                "input": on,
                "secondaryInput": places.index(source) if source != NOTHING else NOTHING,
                "output": 0 if number == len(sources) - 1 else -1,
                "Action": action,
            }
        )
    return to.out.file(places, actions)
