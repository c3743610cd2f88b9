"""Steps whose command failed: memory, disk, foreign programs, scripts that cannot be run, names that are not found.

BuildKit says how a command ended (`solver/llbsolver/ops/exec.go`: `process "…" did not complete successfully: …`);
why is in what the command, the shell or runc wrote last.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from hitmiss.build import trouble_tools
from hitmiss.build.trouble_case import Advice, Case

_PROCESS = re.compile(r'process "(?P<command>.*)" did not complete successfully: (?P<end>.*)$', re.DOTALL)
_SHELL = r"(?:/usr)?/bin/(?:a|ba|da|k|z)?sh"
_HOST = r"[\w-]+(?:\.[\w-]+)+"


def of_command(error: str) -> bool:
    """Whether an error is that of a command which a step ran."""
    return bool(_PROCESS.match(error))


def ending(error: str) -> str:
    """How the command of a step ended, as `exit code: 3`; "" for another error."""
    found = _PROCESS.match(error)
    return found["end"] if found else ""


def telling(lines: Sequence[str]) -> str:
    """The last line of a command's output that says more than that it failed; "" where there is none."""
    return next((line.strip() for line in reversed(lines) if line.strip() and not _HOLLOW.match(line)), "")


_HOLLOW = re.compile(
    r"\s*make(?:\[\d+\])?: (?:\*\*\* |Leaving directory)"
    r"|npm (?:error|ERR!)\s*(?:A complete log of this run .*|\S+_logs\S+)?$"
    r"|\[notice\] |compilation terminated\.$"
)
"""How make, npm, pip and gcc end after what went wrong was said."""


def command(case: Case) -> Advice | None:
    """Why a step's command failed, where that is one of the common reasons."""
    found = _PROCESS.match(case.error)
    if not found:
        return None
    end = found["end"]
    return (
        _memory(case, end)
        or _space(case)
        or _foreign(case, end)
        or _user(end)
        or _secret(case)
        or _script(case, end)
        or trouble_tools.missing(case)
        or _name(case)
    )


def disk(case: Case) -> Advice | None:
    """A disk that is full while BuildKit itself writes."""
    if not re.search(r"no space left on device|disk quota exceeded", case.error, re.IGNORECASE):
        return None
    return Advice("No space is left on the builder's disk.", _PRUNE)


_PRUNE = "Free some: the key `p` prunes the cache, or `docker buildx prune`; `docker system df` shows what takes it."


def _memory(case: Case, end: str) -> Advice | None:
    """BuildKit adds `cannot allocate memory` where the kernel says so (`executor/runcexecutor`, `detectOOM`)."""
    mend = "Give the engine more memory, or let the step do less at once (`make -j2`, fewer workers)."
    if "cannot allocate memory" in end:
        return Advice("The step was killed: its memory ran out.", mend)
    if case.said(r"JavaScript heap out of memory"):
        return Advice(
            "Node's heap ran out of memory.",
            "Give it more: `NODE_OPTIONS=--max-old-space-size=4096` before the command, and the engine as much.",
        )
    if re.match(r"exit code: 137\b", end) or case.said(r"Killed signal terminated program"):
        return Advice("The step's command was killed (exit code 137), as happens when memory runs out.", mend)
    return None


def _space(case: Case) -> Advice | None:
    if not case.said(r"(?i)no space left on device|disk quota exceeded|not enough free space"):
        return None
    step = case.step
    if step and re.search(r"type=tmpfs\S*size=", step.instruction):
        return Advice(
            "No space is left where the step writes; its tmpfs mount has a size.", f"Raise that, or: {_PRUNE}"
        )
    return Advice("No space is left where the step writes.", _PRUNE)


def _foreign(case: Case, end: str) -> Advice | None:
    """A program for another machine, or a shell that is not there (runc, `exec format error`; ash reads it as text)."""
    shell = case.said(rf"exec:? \"?({_SHELL})\"?: (?:stat \S+: )?no such file or directory")
    if shell:
        return Advice(
            f"There is no {shell[1]} in the image, and RUN needs it.",
            'Write the command as a list (`RUN ["program", "argument"]`), or take a base that has a shell.',
        )
    program = case.said(r"exec:? \"?(\S+?)\"?: exec format error") or case.said(
        r"(\S+): (?:line )?\d+: \S*ELF.*: not found$"
    )
    program = program or case.said(r"(\S+): cannot execute binary file")
    if not program:
        return None
    wanted, own = _platform(case), case.known.own
    name = program[1].rstrip(":")
    if wanted and wanted != own and (own or re.fullmatch(_SHELL, name)):
        return Advice(
            f"The builder cannot run programs of {wanted}{f': its own platform is {own}' if own else ''}.",
            f"Install an emulator (`docker run --privileged --rm tonistiigi/binfmt --install {_binfmt(wanted)}`), or "
            f"build {f'with `--platform {own}`' if own else 'for its own platform'}.",
        )
    here = wanted or own
    return Advice(
        f"{name} cannot be run{f' on {here}' if here else ''}: it is made for another platform, or is a script without "
        "a `#!` line.",
        "Take the program for this platform (`$TARGETARCH` is its name), or begin the script with `#!/bin/sh`.",
    )


def _binfmt(platform: str) -> str:
    system = platform.split("/")
    return system[1] if len(system) > 1 else platform


def _platform(case: Case) -> str:
    """What the step is built for; the stream writes `linux/amd64->arm64` for one that runs on another."""
    step = case.step
    asked = re.search(r"--platform=(\S+)", case.line)
    if step and step.platform:
        system, arrow, target = step.platform.partition("->")
        return f"{system.partition('/')[0]}/{target}" if arrow else system
    if asked and "$" not in asked[1]:
        return asked[1]
    return case.build.platforms[0] if len(case.build.platforms) == 1 else ""


def _user(end: str) -> Advice | None:
    found = re.search(r"unable to find user (\S+): no matching entries", end)
    if not found:
        return None
    return Advice(
        f"There is no user {found[1]} in the image.",
        f"Make it in a step above: `RUN useradd {found[1]}` (Alpine: `adduser -D {found[1]}`).",
    )


def _secret(case: Case) -> Advice | None:
    """A secret that the step may do without, by BuildKit's leave, and does not."""
    found = case.said(r"/run/secrets/([\w.-]+)\W.*No such file or directory")
    step = case.step
    if not found or found[1] in case.known.given or step is None or "type=secret" not in step.instruction:
        return None
    return not_given(found[1])


def not_given(name: str) -> Advice:
    """What to say of a secret that a step wants."""
    return Advice(
        f"The secret {name} is not given.", f"Give it: `--secret id={name},src=FILE` or `id={name},env=NAME`."
    )


def _script(case: Case, end: str) -> Advice | None:
    found = case.said(r"(/?[\w./+-]+): Permission denied$") if end == "exit code: 126" else None
    found = found or case.said(r'exec: "(\S+)": permission denied')
    if found:
        name = posixpath.basename(found[1])
        return Advice(
            f"{found[1]} may not be executed.",
            f"`chmod +x {name}` (in git: `git update-index --chmod=+x {name}`), or `COPY --chmod=755` it.",
        )
    if case.said(r"\\r['’]?: (?:No such file|command not found)|illegal option -\s*$|\^M: bad interpreter"):
        found = case.said(r"(/?[\w./+-]+): (?:line )?\d+: |^(/?[\w./+-]+): ")
        return _line_ends(posixpath.basename(found[1] or found[2]) if found else "", case, sure=True)
    found = case.said(r"exec (/\S+): no such file or directory") or case.said(r'exec: "(/\S+)": stat ')
    if not found and end == "exit code: 127":
        found = case.said(r"sh: (?:line \d+: |\d+: )?(\.{0,2}/?[\w.+-]*/[\w./+-]+): not found")
        found = found or case.said(r"(\.{0,2}/?[\w.+-]*/[\w./+-]+): No such file or directory")
    return _line_ends(found[1], case) if found else None


def _line_ends(path: str, case: Case, *, sure: bool = False) -> Advice:
    name = posixpath.basename(path)
    culprit = case.known.windows(name) if name else ""
    if culprit or sure:
        return Advice(
            f"{culprit or 'A script of this step'} has Windows line ends, which are taken for part of its first line.",
            f"Save it with LF line ends (`sed -i 's/\\r$//' {culprit or 'FILE'}`; in git: `*.sh text eol=lf` in "
            ".gitattributes).",
        )
    return Advice(
        f"{path} is not in the image, or what its `#!` line names is not.",
        "Look at the COPY that should bring it, at WORKDIR, and at the script's first line.",
    )


def _name(case: Case) -> Advice | None:
    """A step that asks the network for a name and gets none (curl, wget, apt, apk, git, pip, npm)."""
    found = (
        case.said(rf"(?:Could not resolve(?: host:)?|Temporary failure resolving) '?({_HOST})'?")
        or case.said(rf"bad address '({_HOST})'|unable to resolve host address ['‘]({_HOST})")
        or case.said(rf"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ({_HOST})")
        or case.said(rf"({_HOST}).{{0,80}}(?:Temporary failure in name resolution|Name or service not known)")
    )
    if not found:
        return None
    host = next(group for group in found.groups() if group)
    if case.step and re.match(r"RUN\s.*--network=none\b", case.step.instruction):
        return Advice(
            f"The step could not reach {host}: it has no network (--network=none).",
            "Take that flag away, or fetch what it needs in a step above.",
        )
    return Advice(
        f"The step could not reach {host}: its name was not found (DNS).",
        "Look at the engine's network and DNS, or build with `--network host`.",
    )
