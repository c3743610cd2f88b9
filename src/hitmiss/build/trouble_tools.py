"""Programs that a step needs and its image does not have, and the packages that bring them.

The words are those of the shells (busybox ash, dash, bash), of make, runc, setuptools, node-gyp, cargo and others.
"""

from __future__ import annotations

import re
from typing import Final

from hitmiss.build.trouble_case import Advice, Case

_TOOLCHAIN: Final = ("build-essential", "build-base", "gcc gcc-c++ make")
_PACKAGES: Final[dict[str, tuple[str, str, str]]] = {
    "gcc": _TOOLCHAIN,
    "cc": _TOOLCHAIN,
    "c++": _TOOLCHAIN,
    "g++": _TOOLCHAIN,
    "make": _TOOLCHAIN,
    "cmake": ("cmake", "cmake", "cmake"),
    "cargo": ("cargo", "cargo", "cargo"),
    "rustc": ("rustc", "rust", "rust"),
    "go": ("golang-go", "go", "golang"),
    "git": ("git", "git", "git"),
    "curl": ("curl", "curl", "curl"),
    "wget": ("wget", "wget", "wget"),
    "bash": ("bash", "bash", "bash"),
    "unzip": ("unzip", "unzip", "unzip"),
    "xz": ("xz-utils", "xz", "xz"),
    "patch": ("patch", "patch", "patch"),
    "ssh": ("openssh-client", "openssh-client", "openssh-clients"),
    "pkg-config": ("pkg-config", "pkgconf", "pkgconf-pkg-config"),
    "python": ("python3", "python3", "python3"),
    "python3": ("python3", "python3", "python3"),
    "pip": ("python3-pip", "py3-pip", "python3-pip"),
    "pip3": ("python3-pip", "py3-pip", "python3-pip"),
    "node": ("nodejs", "nodejs", "nodejs"),
    "npm": ("npm", "npm", "npm"),
    "pg_config": ("libpq-dev gcc", "postgresql-dev gcc musl-dev", "libpq-devel gcc"),
    "mysql_config": ("default-libmysqlclient-dev gcc", "mariadb-dev gcc musl-dev", "mysql-devel gcc"),
    "Python.h": ("python3-dev gcc", "python3-dev gcc musl-dev", "python3-devel gcc"),
    "ffi.h": ("libffi-dev gcc", "libffi-dev gcc musl-dev", "libffi-devel gcc"),
    "openssl/ssl.h": ("libssl-dev gcc", "openssl-dev gcc musl-dev", "openssl-devel gcc"),
}
"""What brings a program or header: on Debian and Ubuntu, on Alpine, on Fedora and its kin."""

_INSTALL: Final = (
    "RUN apt-get update && apt-get install -y --no-install-recommends {}",
    "RUN apk add --no-cache {}",
    "RUN dnf install -y {}",
)
_APT: Final = r"debian|ubuntu|slim|bookworm|bullseye|trixie|buster|jammy|noble|focal"
_DNF: Final = r"fedora|centos|rocky|alma|\bubi\d|amazonlinux|oraclelinux"
_BARE: Final = r"busybox|distroless|^scratch\b"
_DEBIAN_BASED: Final = re.compile(
    r"^(?:python|node|golang|rust|ruby|php|perl|gcc|openjdk|eclipse-temurin|buildpack-deps|nginx|postgres)(?::|$)"
)

_NAMED: Final = (
    r"exec: \"([\w.+-]+)\": executable file not found in \$PATH",
    r"C compiler \"([\w.+-]+)\" not found",
    r"command '([\w./+-]+)' failed: No such file or directory",
    r"unable to execute '([\w./+-]+)': No such file or directory",
    r"linker `([\w.+-]+)` not found",
    r"gyp ERR! stack Error: not found: ([\w.+-]+)",
    r"(pg_config|mysql_config)(?: executable)?:? not found",
    r"fatal error: ([\w./+-]+\.h): No such file or directory",
    r"make(?:\[\d+\])?: ([\w.+-]+): (?:No such file or directory|Command not found|not found)",
    r"spawn ([\w.+-]+) ENOENT",
    r"env: (?:can't execute )?[‘'\"]?([\w.+-]+)[’'\"]?: No such file or directory",
)
_SHELL: Final = re.compile(
    r"(?:^|[/ ])(?:ba|da|a|z)?sh: (?:line \d+: |\d+: )?([\w.+-]+): (?:command )?not found"
    r"|^\S+: (?:line )?\d+: ([\w.+-]+): (?:command )?not found"
)
_UNNAMED: Final = (
    (r"gyp ERR! find Python|Could not find any Python installation to use", "python3"),
    (r"Cargo, the Rust package manager, is not installed|can't find Rust compiler", "cargo"),
    (r"CMake must be installed|Could not find `?cmake`? executable", "cmake"),
    (r"CMAKE_C(?:XX)?_COMPILER not set|no acceptable C compiler found", "gcc"),
)


def missing(case: Case) -> Advice | None:
    """A tool that is not in the image of the failed step."""
    name = _name(case)
    if not name:
        return None
    if name == "sudo":
        return Advice("There is no sudo in the image.", "Leave it out: a RUN is root's, unless a USER stands above it.")
    if name.endswith(".h"):
        return Advice(f"The header {name}, which a compiler needs, is not in the image.", _mend(name, case))
    needed = ", which a package needs to be built," if name in ("gcc", "cc", "g++", "c++", "make", "cargo") else ""
    return Advice(f"There is no {name} in the image{needed.rstrip(',') if needed else ''}.", _mend(name, case))


def _name(case: Case) -> str:
    for pattern in _NAMED:
        if found := case.said(pattern):
            return _plain(found[1])
    for pattern, name in _UNNAMED:
        if case.said(pattern):
            return name
    if case.error.endswith("exit code: 127") and (found := case.said(_SHELL.pattern)):
        return _plain(found[1] or found[2])
    return ""


def _plain(name: str) -> str:
    """`/usr/bin/x86_64-linux-gnu-gcc` → `gcc`."""
    if name.endswith(".h"):
        return name
    return re.sub(r"^.*-(gcc|g\+\+|cc)$", r"\1", name.rpartition("/")[2])


def _mend(name: str, case: Case) -> str:
    kind = family(case)
    packages = _PACKAGES.get(name)
    if kind == "bare":
        return "Its base has no package manager: take a base that has it, or copy it with `COPY --from=IMAGE`."
    if packages is None:
        return "Install the package that brings it in a step above, or look at its name and at PATH."
    lines = [line.format(package) for line, package in zip(_INSTALL, packages, strict=True)]
    if kind in (index := {"apt": 0, "apk": 1, "dnf": 2}):
        return f"Install it in a step above: `{lines[index[kind]]}`."
    return f"Install it in a step above: `{lines[0]}` (Alpine: `{lines[1].removeprefix('RUN ')}`)."


def family(case: Case) -> str:
    """The package manager of the failed step's base: `apt`, `apk`, `dnf`, `bare` for none, "" where that is not known.

    A package manager that a step of the same stage runs is the surest sign; else the name of the base tells.
    """
    step = case.step
    own = [each for each in case.build.steps if step and each.stage == step.stage]
    for each in own:
        if found := re.search(
            r"\b(apt-get|apt|apk|dnf|microdnf|yum) (?:-\S+ )*(?:install|add|update)\b", each.instruction
        ):
            return {"apt-get": "apt", "apk": "apk"}.get(found[1], "apt" if found[1] == "apt" else "dnf")
    base = case.known.bases.get(step.stage, "") if step else ""
    if not base:
        base = next((each.instruction.split()[-1] for each in own if each.instruction.startswith("FROM ")), "")
    base = base.lower().removeprefix("docker.io/library/").removeprefix("docker.io/")
    for pattern, kind in ((r"alpine", "apk"), (_DNF, "dnf"), (_APT, "apt"), (_BARE, "bare")):
        if re.search(pattern, base):
            return kind
    return "apt" if _DEBIAN_BASED.search(base) else ""
