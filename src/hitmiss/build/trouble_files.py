"""Files that a COPY, an ADD or a bind mount does not find: left out, outside, of another name, or never made.

BuildKit, `cache/contenthash`: `"/path": not found`, the path cleaned and made absolute.
"""

from __future__ import annotations

import posixpath
import re

from hitmiss.build.trouble_case import Advice, Case, Known, meant


def missing(case: Case) -> Advice | None:
    """A path that is not in the context, the stage or the image that it is taken from."""
    found = re.search(r'"/([^"]*)": not found$', case.error)
    step = case.step
    if not found or step is None or "failed to calculate checksum" not in case.error:
        return None
    path, text = found[1], step.instruction
    source = re.search(r"(?:--from=|\bfrom=)([^\s,]+)", text)
    if source:
        return Advice(
            f"`{source[1]}` has no /{path}, which {_short(text)} takes from it.",
            f"Look at what `{source[1]}` writes, and where (WORKDIR counts).",
        )
    written = _as_written(path, text)
    if written.startswith(".."):
        return Advice(
            f"{written} lies outside the context, so BuildKit looked for {path} inside it.",
            f"Give a context that holds it, or name a second one: `--build-context other={posixpath.dirname(written)}` "
            f"and `COPY --from=other {posixpath.basename(written)} …`.",
        )
    return _in_context(path, case.known)


def _in_context(path: str, known: Known) -> Advice:
    if known.context == "-":
        return Advice(
            f"There is no {path} in what came by standard input: a Dockerfile that comes there has no context.",
            "Name the folder that holds the sources: `-f - FOLDER` reads the Dockerfile alone from there.",
        )
    if rule := known.rule(path):
        return Advice(
            f"{path} is there, but the rule `{rule}` of {known.ignore_file} leaves it out of the context.",
            f"Take the rule out, or add `!{path}` below it.",
        )
    if target := known.leads(path):
        return Advice(
            f"{path} is a link that leads out of the context, to {target}.",
            "Put a copy in its place, or give a context that holds both.",
        )
    folder, name = _first_missing(path, known)
    where = f"{folder} of the context" if folder else f"the context ({known.context})"
    close = meant(name, known.entries(folder))
    if close and folder:
        close = close.replace("mean ", f"mean {folder}/", 1)
    return Advice(
        f"There is no {name} in {where}.",
        close
        or "Paths are taken from the context's root, not from the Dockerfile's folder: check it, or make it first.",
    )


def _first_missing(path: str, known: Known) -> tuple[str, str]:
    """The deepest folder that is there, and what is not in it."""
    folder = ""
    for name in path.split("/"):
        if name not in known.entries(folder):
            return folder, name
        folder = posixpath.join(folder, name)
    return posixpath.dirname(path), posixpath.basename(path)


def _as_written(path: str, text: str) -> str:
    """The source as the instruction has it, for one that was cleaned: `../x` becomes `/x`."""
    words = re.split(r"[\s,\"\[\]]+", text)
    sources = [word.partition("=")[2] if word.startswith(("source=", "src=")) else word for word in words]
    for word in sources:
        if ".." in word and posixpath.normpath(f"/{word}").strip("/") == path:
            return posixpath.normpath(word)
    return path


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
