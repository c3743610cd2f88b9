"""`python3 -m tests.support.install [--screenshots]`: what the tests need of the system, on Debian as root.

Standard library only, since it runs before there is a venv. Quick and silent when everything is there. It adds
Debian's `sid` as a second source that nothing is taken from unless asked for, and installs the engine from it; it
never starts a daemon, and leaves none that would start by itself.
"""

import contextlib
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PLUGINS = ("/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/local/lib/docker/cli-plugins")
SOURCE = Path("/etc/apt/sources.list.d/hitmiss-sid.sources")
PIN = Path("/etc/apt/preferences.d/hitmiss-sid")
GUARD = Path("/usr/sbin/policy-rc.d")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

VERSIONED = {
    "dockerd": ((28,), "docker.io/sid"),
    "docker": ((28,), "docker-cli/sid"),
    "docker-buildx": ((0, 24), "docker-buildx/sid"),
    "docker-compose": ((2, 35), "docker-compose/sid"),
}
"""Program → the oldest version that will do, and the package that has it."""

PLAIN = {
    "containerd": "docker.io/sid",
    "runc": "docker.io/sid",
    "docker-registry": "docker-registry",
    "git": "git",
    "tmux": "tmux",
    "ip": "iproute2",
    "iptables": "iptables",
    "ps": "procps",
}
FONTS = {
    "truetype/hack/Hack-Regular.ttf": "fonts-hack",
    "truetype/dejavu/DejaVuSansMono.ttf": "fonts-dejavu-core",
    "opentype/noto/NotoSansCJK-Regular.ttc": "fonts-noto-cjk",
}
UNITS = ("docker.service", "docker.socket", "containerd.service", "docker-registry.service")


class CannotInstallError(Exception):
    """The message is one sentence for whoever ran it."""


@dataclass(frozen=True)
class Source:
    """Where the machine's own Debian packages come from; `signed_by` may be a whole key, or nothing."""

    uri: str
    signed_by: str


def main(words: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    try:
        install(screenshots="--screenshots" in words)
    except CannotInstallError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def install(*, screenshots: bool = False) -> None:
    """Install what is missing, if anything is."""
    packages = missing(screenshots=screenshots)
    if not packages:
        return
    _check_machine(packages)
    print(f"Installing {', '.join(packages)} …", file=sys.stderr, flush=True)
    before = {unit for unit in UNITS if _unit_exists(unit)}
    written = _add_sid() if any(package.endswith("/sid") for package in packages) else []
    try:
        with _no_service_starts():
            _apt("update")
            _apt("install", "--yes", "--no-install-recommends", *packages)
    except CannotInstallError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    finally:
        _disable(unit for unit in UNITS if unit not in before and _unit_exists(unit))
    version.cache_clear()
    left = missing(screenshots=screenshots)
    if left:
        raise CannotInstallError(
            f"Debian's packages {', '.join(left)} are installed and still do not give what they should."
        )


def missing(*, screenshots: bool = False) -> list[str]:
    """The packages whose program is not there, or too old, each once."""
    with ThreadPoolExecutor() as pool:
        found = dict(zip(VERSIONED, pool.map(version, map(program, VERSIONED)), strict=True))
    packages = [package for name, (oldest, package) in VERSIONED.items() if found[name] < oldest]
    packages += [package for name, package in PLAIN.items() if program(name) is None]
    if not is_static(Path("/bin/busybox")):
        packages.append("busybox-static")
    if screenshots:
        packages += [package for file, package in FONTS.items() if not Path("/usr/share/fonts", file).exists()]
    return list(dict.fromkeys(packages))


def search_path() -> str:
    """PATH with the folders of the administrator, which a plain `su` leaves out."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/bin", "/bin"))


def program(name: str) -> str | None:
    """Where `name` is: of several docker clients the newest, a plugin in the folders that every client reads."""
    if name.startswith(("docker-buildx", "docker-compose")):
        return next((f"{folder}/{name}" for folder in PLUGINS if os.access(f"{folder}/{name}", os.X_OK)), None)
    if name == "docker":
        paths = {os.path.realpath(Path(folder, name)) for folder in search_path().split(os.pathsep)}
        clients = [path for path in sorted(paths) if os.access(path, os.X_OK) and not Path(path).is_dir()]
        return max(clients, key=version) if len(clients) > 1 else next(iter(clients), None)
    return shutil.which(name, path=search_path())


@lru_cache
def version(path: str | None) -> tuple[int, ...]:
    """What a program says of itself; empty, so older than any, when it is not there or does not run."""
    if path is None:
        return ()
    question = "version" if "/cli-plugins/" in path else "--version"
    try:
        done = subprocess.run([path, question], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    number = re.search(r"\d+(\.\d+)+", done.stdout)
    return tuple(int(part) for part in number[0].split(".")) if number else ()


def is_static(path: Path) -> bool:
    """Whether an ELF program needs no other file: it names no interpreter."""
    try:
        data = path.read_bytes()
        bits, order = data[4], "<" if data[5] == 1 else ">"
        at, size, count = (
            (*struct.unpack_from(f"{order}Q", data, 32), *struct.unpack_from(f"{order}HH", data, 54))
            if bits == 2
            else (*struct.unpack_from(f"{order}I", data, 28), *struct.unpack_from(f"{order}HH", data, 42))
        )
        kinds = [struct.unpack_from(f"{order}I", data, at + i * size)[0] for i in range(count)]
    except (OSError, IndexError, struct.error):
        return False
    return data[:4] == b"\x7fELF" and 3 not in kinds


# Debian's sources.


def find_source(texts: Iterable[tuple[str, str]], codename: str) -> Source | None:
    """The first source of Debian's main archive among files given as (name, content)."""
    suites = {codename, "stable", "oldstable", "testing"}
    for name, text in texts:
        entries = _stanzas(text) if name.endswith(".sources") else _lines(text)
        for entry in entries:
            uris = [uri for uri in entry.get("uris", "").split() if "debian" in uri and "security" not in uri]
            if (
                uris
                and "deb" in entry.get("types", "").split()
                and suites & set(entry.get("suites", "").split())
                and "main" in entry.get("components", "").split()
                and entry.get("enabled", "yes").strip().lower() not in ("no", "false", "0")
            ):
                return Source(uri=uris[0], signed_by=entry.get("signed-by", ""))
    return None


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    """Each stanza of a deb822 file: field in small letters → value, its further lines as they stand."""
    for block in re.split(r"\n\s*\n", text):
        entry: dict[str, str] = {}
        field = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and field:
                entry[field] += f"\n{line}"
            elif ":" in line:
                field, _, value = line.partition(":")
                field = field.strip().lower()
                entry[field] = value.strip()
        if entry:
            yield entry


def _lines(text: str) -> Iterator[dict[str, str]]:
    """Each line of the older format, as the same fields."""
    for line in text.splitlines():
        match = re.match(r"\s*(deb)\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            kind, options, uri, suite, components = match.groups()
            pairs = dict(option.split("=", 1) for option in (options or "").split() if "=" in option)
            yield {
                "types": kind,
                "uris": uri,
                "suites": suite,
                "components": components,
                "signed-by": pairs.get("signed-by", "").replace(",", " "),
            }


def sid_source(source: Source) -> str:
    """The stanza for `sid` from the same mirror with the same key."""
    key = source.signed_by or (str(KEYRING) if KEYRING.exists() else "")
    stanza = f"Types: deb\nURIs: {source.uri}\nSuites: sid\nComponents: main\n"
    return stanza + (f"Signed-By: {key}\n" if key.startswith("/") else f"Signed-By:{_inline(key)}\n" if key else "")


def _inline(key: str) -> str:
    return key if key.startswith("\n") else f" {key}"


def _add_sid() -> list[Path]:
    """Write the second source and its pin, where there is none yet; the files written."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    texts = [(f.name, f.read_text()) for f in files if f.suffix in (".list", ".sources") and f.is_file()]
    source = find_source(texts, _release().get("VERSION_CODENAME", ""))
    if source is None:
        raise CannotInstallError("No source of Debian's main archive was found under /etc/apt.")
    written = []
    pin = "Package: *\nPin: release n=sid\nPin-Priority: 50\n"
    # The pin first: without it, an update in between would see all of sid.
    for path, text in ((PIN, pin), (SOURCE, sid_source(source))):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            written.append(path)
    return written


# The machine.


def _release() -> dict[str, str]:
    with contextlib.suppress(OSError):
        lines = Path("/etc/os-release").read_text().splitlines()
        return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    return {}


def can_install() -> bool:
    """Whether this is a machine whose packages may be installed from here."""
    return _is_debian() and os.geteuid() == 0


def _is_debian() -> bool:
    return _release().get("ID") == "debian" and shutil.which("apt-get", path=search_path()) is not None


def _check_machine(packages: list[str]) -> None:
    names = ", ".join(package.partition("/")[0] for package in packages)
    if not _is_debian():
        raise CannotInstallError(f"The tests need {names}: install them by hand, this can do so only on Debian.")
    if os.geteuid() != 0:
        raise CannotInstallError(f"The tests need {names}: run this as root, who can install them.")


def _apt(*words: str) -> None:
    command = ["apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3", *words]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "PATH": search_path()}
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise CannotInstallError(f"`apt-get {words[0]}` failed: {' '.join(said[:2]) or 'it said nothing'}")


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """While packages are installed, Debian's own guard forbids their scripts to start a service."""
    if GUARD.exists():
        yield
        return
    GUARD.write_text("#!/bin/sh\nexit 101\n")
    GUARD.chmod(0o755)
    try:
        yield
    finally:
        GUARD.unlink(missing_ok=True)


def _unit_exists(unit: str) -> bool:
    return any(Path(folder, "systemd/system", unit).exists() for folder in ("/lib", "/usr/lib", "/etc"))


def _disable(units: Iterable[str]) -> None:
    """Services that came with the packages are not to start when the machine does."""
    names = list(units)
    if names and shutil.which("systemctl", path=search_path()):
        subprocess.run(["systemctl", "disable", *names], check=False, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
