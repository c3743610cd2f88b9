"""Base images without a hub: a static busybox and stand-ins for package managers, as an OCI archive.

Pure: reads files and makes bytes, knows no engine. The same arguments give the same bytes, so that two engines
which load an archive agree on every digest. Each image is an index of two platforms over the same layers: what is
called linux/arm64 holds this machine's busybox too, which is all that a multi-platform build here needs.
"""

import hashlib
import io
import json
import platform
import stat
import subprocess
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import Any

STANDINS = Path(__file__).with_name("standins")
BUSYBOX = Path("/bin/busybox")
DEFAULT_NAMES = ("busybox:latest", "python:3.12-slim", "node:22-slim", "alpine:3.20", "debian:12-slim")

ALIASES = {
    "adduser": "useradd",
    "addgroup": "useradd",
    "groupadd": "useradd",
    "apt": "apt-get",
    "flask": "gunicorn",
    "nginx": "gunicorn",
    "npx": "npm",
    "pip3": "pip",
    "pnpm": "npm",
    "python3": "python",
    "uvicorn": "gunicorn",
    "yarn": "npm",
}
"""Further names of stand-ins; most scripts look at the name under which they were called."""

FOLDERS = (
    *("dev", "etc", "home", "opt", "proc", "root", "run", "srv", "sys", "tmp"),
    *("usr", "usr/bin", "usr/lib", "usr/share"),
    *("usr/local", "usr/local/bin", "usr/local/lib", "usr/local/share", "usr/local/share/stand-in"),
    *("var", "var/cache", "var/lib", "var/log", "var/tmp"),
)
LINKS = {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "usr/sbin": "bin", "var/run": "/run"}
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/os-release": 'NAME="Stand-in"\nID=stand-in\nPRETTY_NAME="Stand-in base image of hitmiss"\n',
}

USERS = {"node": {"passwd": "node:x:1000:1000::/home/node:/bin/sh\n", "group": "node:x:1000:\n"}}
"""Users that the hub's images of that name have."""

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EPOCH = "2024-01-01T00:00:00Z"


def full_name(name: str) -> str:
    """`python` → `docker.io/library/python:latest`, as an engine keeps it."""
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    name = f"{first}/{rest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


@lru_cache(maxsize=8)
def archive(names: tuple[str, ...], marker: str = "", pace_ms: int = 0) -> bytes:
    """An archive for `docker load` in which each of `names` is the same image.

    Another `marker` makes another image, for a tag that moves; `pace_ms` is how long a line of a stand-in takes.
    """
    layers = [_layer(marker, pace_ms)]
    return _archive(dict.fromkeys(names, layers))


@lru_cache(maxsize=8)
def archive_apart(names: tuple[str, ...], marker: str = "", pace_ms: int = 0) -> bytes:
    """The same, but each of `names` is an image of its own with what the hub's has beside, so that one can take
    another's place and be told from it."""
    common = _layer("", pace_ms)
    return _archive({name: _layers_of(name, marker, common) for name in names})


def _layers_of(name: str, marker: str, common: bytes) -> list[bytes]:
    """The layers of the image that stands in for the hub's `name`."""
    kind = name.rpartition("/")[2].partition(":")[0]
    own = {"etc/stand-in-image": f"{name}\n{marker}".encode()}
    if kind == "uv":  # nothing but the program, to be copied from
        script = (STANDINS / "uv").read_bytes()
        return [_files({**own, "uv": script, "uvx": script}, 0o755)]
    if kind in USERS:
        own |= {f"etc/{file}": (FILES[f"etc/{file}"] + line).encode() for file, line in USERS[kind].items()}
    return [common, _files(own, 0o644)]


def _archive(images: dict[str, list[bytes]]) -> bytes:
    """An archive with an image for each name, made of its layers."""
    blobs: dict[str, bytes] = {}

    def put(kind: str, data: bytes, **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data), **more}

    entries = []
    for name, contents in images.items():
        layers = [put(LAYER, content) for content in contents]
        manifests = []
        for system in _platforms():
            config = put(CONFIG, _json(_config([layer["digest"] for layer in layers], system)))
            image = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
            manifests.append(put(MANIFEST, _json(image), platform=system))
        index = put(INDEX, _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
        entries.append({**index, "annotations": {"io.containerd.image.name": full_name(name)}})
    blobs["index.json"] = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    blobs["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    return _files(blobs, 0o644)


def _platforms() -> list[dict[str, str]]:
    """This machine's platform first: an engine takes the first that it can run."""
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    others = [name for name in ("amd64", "arm64") if name != here]
    return [{"os": "linux", "architecture": name} for name in (here, *others)]


def _config(layers: list[str], system: dict[str, str]) -> dict[str, Any]:
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "created": EPOCH,
        **system,
        "config": {"Env": [path], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": layers},
        "history": [{"created": EPOCH, "created_by": "stand-in base image"}] * len(layers),
    }


def _layer(marker: str, pace_ms: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in FOLDERS:
            _add(tar, folder, None, 0o1777 if folder in ("tmp", "var/tmp") else 0o755)
        for path, target in LINKS.items():
            _link(tar, path, target)
        _add(tar, "usr/bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for applet in _applets():
            _link(tar, f"usr/bin/{applet}", "busybox")
        for script in sorted(STANDINS.iterdir()):
            if script.name == "lib.sh":
                _add(tar, "usr/local/share/stand-in/lib.sh", script.read_bytes(), 0o644)
            elif script.stat().st_mode & stat.S_IXUSR:
                _add(tar, f"usr/local/bin/{script.name}", script.read_bytes(), 0o755)
        for name, target in ALIASES.items():
            _link(tar, f"usr/local/bin/{name}", target)
        _add(tar, "usr/local/share/stand-in/pace", f"{pace_ms}\n".encode(), 0o644)
        for path, text in FILES.items():
            _add(tar, path, text.encode(), 0o644)
        if marker:
            _add(tar, "etc/stand-in-marker", marker.encode(), 0o644)
    return out.getvalue()


def _applets() -> list[str]:
    """What this busybox can do, without the link that would lie over busybox itself and without package tools."""
    done = subprocess.run([str(BUSYBOX), "--list"], check=True, capture_output=True, text=True)
    return sorted(set(done.stdout.split()) - {"busybox", "dpkg", "dpkg-deb", "rpm", "rpm2cpio"})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _files(files: dict[str, bytes], mode: int) -> bytes:
    """An archive of files, in the order of their paths."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in sorted(files.items()):
            _add(tar, path, data, mode)
    return out.getvalue()


def _info(path: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.mode = mode
    info.mtime = 1704067200
    return info


def _add(tar: tarfile.TarFile, path: str, data: bytes | None, mode: int) -> None:
    """A file, or without data a folder."""
    info = _info(path, mode)
    if data is None:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    else:
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def _link(tar: tarfile.TarFile, path: str, target: str) -> None:
    info = _info(path, 0o777)
    info.type = tarfile.SYMTYPE
    info.linkname = target
    tar.addfile(info)
