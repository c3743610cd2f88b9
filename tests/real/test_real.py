"""The machinery itself: what a Dockerfile needs, a judge that sees what is wrong, and a small repository built."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.real.__main__ import main
from tests.real.figures import Judge
from tests.real.needs import context_sources, needs_of, offline
from tests.real.series import Seen

DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG GO=1.25
FROM golang:${GO}@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef AS build
WORKDIR /src
ADD https://example.org/tool.tgz /tool.tgz
COPY go.mod ./
RUN go mod download
COPY . .
RUN ["make", "all"]
FROM alpine AS final
SHELL ["/bin/bash", "-c"]
RUN <<EOF
#!/usr/bin/env python3
print("x")
EOF
COPY --from=build --chown=app:staff /src/out/*.so /usr/lib/
COPY --from=build /src/out/tool /usr/bin/
COPY --from=nginx:1 /etc/nginx /etc/nginx
USER app
RUN id
"""


def test_a_dockerfile_is_made_to_need_no_network() -> None:
    text, notes = offline(DOCKERFILE)
    assert "syntax" not in text
    assert "ADD" not in text
    assert "FROM golang:${GO}-0123456789ab AS build" in text
    assert notes == ["left out: ADD https://example.org/tool.tgz /tool.tgz"]


def test_what_a_dockerfile_needs() -> None:
    text, _ = offline(DOCKERFILE)
    needs = needs_of(text, "", {"GO": "1.26"}, {})
    assert needs.images == {"golang:1.26-0123456789ab", "alpine", "nginx:1"}
    assert needs.outputs == {"/src/out/x.so", "/src/out/tool/", "/etc/nginx/"}
    assert needs.present == {"/etc/nginx/"}
    assert needs.users == {"app"}
    assert needs.groups == {"staff"}
    assert needs.programs == {"make", "/bin/bash", "/usr/bin/env"}
    assert context_sources(text, "", {}) == ["go.mod", "."]


def test_the_repository_tells_files_from_folders() -> None:
    text, _ = offline(DOCKERFILE)
    needs = needs_of(text, "", {}, {"out/tool": False})
    assert "/src/out/tool" in needs.outputs
    assert needs.own == {"/src/out/tool"}


def _step(**other: Any) -> dict[str, Any]:
    cause = {"kind": "files-changed", "root": "s:2", "detail": "x", "files": [{"path": "a"}], "against": 1}
    step = {"id": "s:2", "stage": "s", "index": 2, "of": 2, "instruction": "COPY a a", "platform": "linux/amd64"}
    return {**step, "verdict": "miss", "planned": "will run", "cause": cause, **other}


def _judged(planned: dict[str, Any], done: dict[str, Any], truth: str) -> Judge:
    judge = Judge(lambda old, new: frozenset({"a"}), ".", "Dockerfile")
    first = Seen("1" * 40, "", "FROM x")
    judge.take(first)
    judge.take(replace(first, commit="2" * 40, plan=[planned], steps=[done], truth={"linux/amd64 s 2": truth}))
    return judge


def test_the_judge_sees_what_is_wrong() -> None:
    assert _judged(_step(), _step(), "miss").figures.lines == []
    wrong = _judged(_step(), _step(), "hit").figures
    assert (wrong.verdicts_wrong, wrong.plan_wrong, len(wrong.failures)) == (1, 1, 2)
    cause = _step()["cause"]
    assert _judged(_step(), _step(cause={**cause, "kind": "unknown"}), "miss").figures.unknown == 1
    assert _judged(_step(), _step(cause=None), "miss").figures.unknown == 1
    for doubt in ({"files": [{"path": "b"}]}, {"kind": "evicted"}, {"kind": "instruction-changed"}, {"root": "s:9"}):
        assert _judged(_step(), _step(cause={**cause, **doubt}), "miss").figures.doubtful == 1, doubt
    depends = _step(planned="depends")
    found = _judged(depends, depends, "miss").figures
    assert (found.depends, found.plan_wrong) == (1, 1), "no stage is read whose bytes could decide"
    assert _judged(_step(planned="will hit"), _step(), "miss").figures.plan_wrong == 1
    assert _judged(depends, _step(), "miss").figures.plan_wrong == 1, "the build's own report says otherwise"


@pytest.mark.engine
def test_a_small_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = tmp_path / "project"
    repo.mkdir()

    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y.z", *words], cwd=repo, check=True)

    git("init", "--quiet")
    (repo / "Dockerfile").write_text(DOCKERFILE)
    for number, name in enumerate(["go.mod", "main.c", "main.c", "README"]):
        (repo / name).write_text(f"{number}\n")
        git("add", "-A")
        git("commit", "--quiet", "-m", f"change {name}")
    out = tmp_path / "out.json"
    assert main([str(repo), "--commits", "4", "--json", str(out)]) == 0, capsys.readouterr().out
    (report,) = json.loads(out.read_text())
    assert report["figures"]["builds"] == 4
    causes = report["figures"]["causes"]
    assert causes["files-changed"] == 3
    assert "stage-output-changed" in causes
    assert "commits   4, built 4, skipped 0" in capsys.readouterr().out
