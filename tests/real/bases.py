"""Base images that run nothing: every command only writes a digest of what it was given to where stages copy from.

A digest depends on the command, the variables and the files in the working folder. A path is written anew by commands
that name it or that run in a folder above it, unless it is the repository's own, so that a stage that ran again may
well leave some bytes as they were. An image is told from the others by a file with its name.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import tarfile
from typing import Any

from tests.real.needs import PLATFORM, Needs, environment
from tests.support.images import BUSYBOX, CONFIG, EPOCH, INDEX, LAYER, MANIFEST, full_name

HOME = "/.stand"
SHELLS = ("sh", "bash", "ash", "env")
_ROOTS = ("dev", "etc", "home", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "usr/bin", "usr/lib", "var")
_ROOT_LINKS = {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "usr/sbin": "bin"}

SCRIPT = f"""#!{HOME}/busybox sh
# Runs nothing: what comes out depends on the command, the variables and the files in the working folder alone.
b={HOME}/busybox
digest=$({{
  $b printf '%s\\n' "$0" "$PWD" "$@"
  $b env | $b grep -vE '^(HOSTNAME|SHLVL|_)=' | $b sort
  for word in "$@"; do if [ -f "$word" ]; then $b sha256sum "$word"; fi; done
  $b find "$PWD" \\( -path /proc -o -path /sys -o -path /dev -o -path {HOME} -o -path /run -o -path /etc/hosts \\
    -o -path /etc/resolv.conf -o -path /etc/hostname \\) -prune -o -type f -print0 \\
    | $b sort -z | $b xargs -0 -r $b sha256sum
  $b find "$PWD" \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o -type l -print | $b sort
}} 2>/dev/null | $b sha256sum)
while read -r own path; do
  if [ $own = y ] && [ -e "$path" ]; then continue; fi
  case $path in */) $b mkdir -p "$path"; file=${{path}}stand.out ;; *) $b mkdir -p "${{path%/*}}/"; file=$path ;; esac
  if [ -d "$file" ]; then file=$file/stand.out; fi
  # As real commands do, this one leaves alone what is neither in its folder nor named by it.
  name=${{path%/}}
  near=
  case $path in "${{PWD%/}}"/*) if [ "$PWD" != / ]; then near=1; fi ;; esac
  case $* in *"${{name##*/}}"*) near=1 ;; esac
  if [ -e "$file" ] && [ -z "$near" ]; then continue; fi
  echo "$digest" >"$file"
  $b chmod 755 "$file"
done <{HOME}/outputs 2>/dev/null
exit 0
"""


def archive(names: set[str], needs: Needs) -> bytes:
    """An archive for `docker load` with an image for each of `names`; the same arguments give the same bytes."""
    blobs: dict[str, bytes] = {}

    def put(kind: str, data: bytes, **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data), **more}

    common = put(LAYER, _layer(needs))
    entries = []
    for name in sorted(names):
        own = put(LAYER, _tar({"etc/stand-in-image": f"{name}\n".encode()}))
        manifests = []
        for machine in ("amd64", "arm64"):
            config = put(CONFIG, _config(name, machine, [common["digest"], own["digest"]]))
            image = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [common, own]}
            manifests.append(put(MANIFEST, _json(image), platform={"os": "linux", "architecture": machine}))
        index = put(INDEX, _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
        entries.append({**index, "annotations": {"io.containerd.image.name": full_name(name)}})
    blobs["index.json"] = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    blobs["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    return _tar(blobs)


def _config(name: str, machine: str, layers: list[str]) -> bytes:
    base = environment(name)
    made = {"created": EPOCH, "created_by": "stand-in base image"}
    return _json(
        {
            "created": EPOCH,
            "os": PLATFORM.partition("/")[0],
            "architecture": machine,
            "config": {"Env": [f"{key}={value}" for key, value in base.env], "Cmd": ["sh"], "WorkingDir": base.workdir},
            "rootfs": {"type": "layers", "diff_ids": layers},
            "history": [made] * len(layers),
        }
    )


def _layer(needs: Needs) -> bytes:
    programs = {f"/usr/bin/{name}" for name in SHELLS}
    for program in needs.programs:
        programs.add(_real(program) if "/" in program else f"/usr/bin/{program}")
    outputs = sorted(path for path in needs.outputs if _real(path) not in programs)
    files = {path.lstrip("/"): SCRIPT.encode() for path in programs}
    files[f"{HOME}/busybox".lstrip("/")] = BUSYBOX.read_bytes()
    files[f"{HOME}/outputs".lstrip("/")] = "".join(f"{'ny'[path in needs.own]} {path}\n" for path in outputs).encode()
    files |= {"etc/passwd": _passwd(needs), "etc/group": _group(needs)}
    for path in outputs:
        if path in needs.present:
            files[_real(f"{path}stand.out" if path.endswith("/") else path).lstrip("/")] = b"from the base image\n"
    folders = {*_ROOTS, *(_real(posixpath.dirname(path.rstrip("/"))).lstrip("/") for path in outputs)}
    return _tar(files, folders, _ROOT_LINKS)


def _real(path: str) -> str:
    """A path of the image with the links at its root followed."""
    for link, target in _ROOT_LINKS.items():
        if path == f"/{link}" or path.startswith(f"/{link}/"):
            return f"/{target if link != 'usr/sbin' else 'usr/bin'}{path.removeprefix('/' + link)}"
    return path


def _passwd(needs: Needs) -> bytes:
    lines = ["root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/:/bin/false"]
    users = sorted(needs.users - {"root", "nobody"})
    lines += [f"{user}:x:{1000 + number}:{1000 + number}::/home/{user}:/bin/sh" for number, user in enumerate(users)]
    return "".join(f"{line}\n" for line in lines).encode()


def _group(needs: Needs) -> bytes:
    groups = sorted((needs.users | needs.groups) - {"root", "nogroup"})
    lines = ["root:x:0:", "nogroup:x:65534:", *(f"{name}:x:{1000 + number}:" for number, name in enumerate(groups))]
    return "".join(f"{line}\n" for line in lines).encode()


def _tar(files: dict[str, bytes], folders: set[str] | None = None, links: dict[str, str] | None = None) -> bytes:
    """Folders that anybody may write to (a step may run as any user), links, then files that may be run."""
    wanted = set(folders or ())
    for path in (*wanted, *files):
        while path := posixpath.dirname(path):
            wanted.add(path)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(wanted - {""} - (links or {}).keys()):
            info = _info(path, 0o777, tarfile.DIRTYPE)
            tar.addfile(info)
        for path, target in sorted((links or {}).items()):
            info = _info(path, 0o777, tarfile.SYMTYPE)
            info.linkname = target
            tar.addfile(info)
        for path, data in sorted(files.items()):
            if path in wanted:
                continue
            info = _info(path, 0o755, tarfile.REGTYPE)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _info(path: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.mode, info.type, info.mtime = mode, kind, 1704067200
    return info


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
