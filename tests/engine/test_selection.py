"""What sources select, against the engine: every file holds its own path, so a copy says where it is from."""

from __future__ import annotations

import os
import random
import subprocess
from typing import Any

import pytest

from hitmiss.project.dockerfile import parse
from hitmiss.project.links import follower
from hitmiss.project.selection import reach_of

pytestmark = pytest.mark.engine

SPECS = int(os.environ.get("HITMISS_COPY_SPECS", "150"))
"""Random COPY lines that are compared, in one build."""

FILES = (
    "a.txt",
    "b.txt",
    "b.md",
    "a b.txt",
    "src/main.py",
    "src/util.py",
    "src/s.txt",
    "src/deep/x.py",
    "src/deep/y.md",
    "src/deep/z/zz.txt",
    "docs/d.md",
    "docs/e.md",
    "docs/deep/dx.py",
    "docs/deep/dc.md",
    "[x].txt",
    "x.txt",
    "odd/a*b",
    "odd/aXb",
    "lib/v1/l1.txt",
    "lib/v2/l2.txt",
    "lib/v2/lb.txt",
    ".hidden/h",
    "src/.env",
)
"""No two have one name, so that none is written over by another."""
LINKS = {
    "link": "src",
    "src/up": "../docs",
    "to-file": "src/main.py",
    "docs/abs": "/lib/v2",
    "twice": "link/deep",
    "odd/l.txt": "../a.txt",
}

WRITTEN = (
    "COPY . DEST",
    "COPY a.txt DEST",
    "COPY src DEST",
    "COPY src/ DEST",
    "COPY src/. DEST",
    "COPY /src/deep DEST",
    "COPY ./src/../docs DEST",
    "COPY ../../a.txt DEST",
    "COPY *.txt DEST",
    "COPY src/*.py DEST",
    "COPY */*.txt DEST",
    "COPY s*/d*/*.py DEST",
    "COPY [ab].txt DEST",
    "COPY [^a].txt DEST",
    "COPY ?.md DEST",
    "COPY *.none DEST",
    "COPY a.txt b.md src/deep DEST",
    'COPY ["a b.txt", "DEST"]',
    "COPY \\[x\\].txt DEST",
    "COPY [[]x].txt DEST",
    "COPY odd/a\\*b DEST",
    "COPY odd/a*b DEST",
    "COPY */ DEST",
    "COPY lib/* DEST",
    "COPY lib/*/l1.txt DEST",
    "COPY .* DEST",
    "ADD src/*.py DEST",
    "ADD docs DEST",
    "COPY --link src/deep DEST",
    "COPY --chown=1:1 docs DEST",
    "COPY --exclude=*.md . DEST",
    "COPY --exclude=*.md docs DEST",
    "COPY --exclude=**/*.md . DEST",
    "COPY --exclude=*.md docs/*.md DEST",
    "COPY --exclude=deep src docs DEST",
    "COPY --exclude=** --exclude=!deep/x.py src DEST",
    "COPY --exclude=src/deep . DEST",
    "COPY --exclude=l1.txt lib/* DEST",
    "ADD --exclude=*.py src DEST",
    "COPY link DEST",
    "COPY link/deep DEST",
    "COPY link/*.py DEST",
    "COPY src/up DEST",
    "COPY to-file DEST",
    "COPY docs/abs/l2.txt DEST",
    "COPY twice DEST",
    "COPY twice/z DEST",
    "COPY odd/*.txt DEST",
    "COPY src DEST",
    "COPY l*k DEST",
    "COPY *ink/deep DEST",
    "COPY li*/ DEST",
    "COPY <<E DEST\nx\nE",
    "COPY <<E a.txt DEST\nx\nE",
    "RUN --mount=target=/m,source=src mkdir -p DEST && cp -r /m DEST",
    "RUN --mount=target=/m mkdir -p DEST && cp -r /m DEST",
    "RUN --mount=target=/m,source=src/deep/x.py mkdir -p DEST && cp /m DEST",
    "RUN --mount=target=/m,src=link/deep mkdir -p DEST && cp -r /m DEST",
    "RUN --mount=type=bind,dst=/m,source=/docs/deep/../d.md mkdir -p DEST && cp /m DEST",
    "RUN --mount=type=cache,target=/m mkdir -p DEST && cp -r /m DEST",
)
WIDER = ("COPY o[^a]d/a* DEST", "COPY [^.]*[^t] DEST")
"""Where a class can match a slash, more is told than is selected."""


def test_what_copy_selects(engine: Any, project: Any) -> None:
    root = project.path
    for name in FILES:
        project.write(name, name)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    chance = random.Random(11)
    specs = [*WRITTEN, *WIDER, *(_spec(chance) for _ in range(SPECS))]
    text = "".join(f"FROM busybox AS s{n}\n{spec.replace('DEST', f'/out/{n}/')}\n" for n, spec in enumerate(specs))
    groups = range(0, len(specs), 40)
    for start in groups:
        numbers = range(start, min(start + 40, len(specs)))
        text += f"FROM scratch AS g{start}\n" + "".join(f"COPY --from=s{n} /out* /s{n}/\n" for n in numbers)
    text += "FROM scratch\n" + "".join(f"COPY --from=g{start} / /\n" for start in groups)
    (root.parent / "Dockerfile").write_text(text)
    out = root.parent / "out"
    done = subprocess.run(
        [
            "docker",
            "buildx",
            "build",
            "--progress=plain",
            "-f",
            "../Dockerfile",
            "--output",
            f"type=local,dest={out}",
            ".",
        ],
        cwd=root,
        env=engine.env(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    reach = reach_of(parse(text), follow=follower({"": root}))
    wrong = []
    for number, spec in enumerate(specs):
        found = (out / f"s{number}").rglob("*")
        copied = {path.read_text() for path in found if path.is_file() and not path.is_symlink()} & set(FILES)
        told = {
            name
            for name in FILES
            if any(step.stage == f"s{number}" for step in reach.steps_reading("", name, folder=False))
        }
        if told != copied and not (spec in WIDER and told > copied):
            wrong.append(f"{spec}: needlessly {sorted(told - copied)}, missed {sorted(copied - told)}")
    assert not wrong, "\n".join(wrong)


def _spec(chance: random.Random) -> str:
    parts = ("*", "*.txt", "*.py", "?.md", "[a-c]*", "src", "docs", "deep", "s*", "d*", "lib", "v?", "z", "*x*", "l*")
    flags = [f"--exclude={_pattern(chance)}" for _ in range(chance.choice([0, 0, 1, 2]))]
    # BuildKit wants the part before the first wildcard to exist.
    first = ("*", "s*", "d*", "*x*", "l*", "[a-c]*", "src/*", "docs/d*", "lib/v?")
    sources = [
        "/".join([chance.choice(first), *(chance.choice(parts) for _ in range(chance.randint(0, 2)))])
        for _ in range(chance.choice([1, 1, 2]))
    ]
    return " ".join(["COPY", *flags, *sources, "DEST"])


def _pattern(chance: random.Random) -> str:
    parts = ("*", "**", "*.txt", "*.md", "src", "deep", "a*", "z", "v2", "docs", "!deep", "**/*.py")
    return "/".join(chance.choice(parts) for _ in range(chance.randint(1, 2)))
