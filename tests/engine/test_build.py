"""`hitmiss build --json` on a real engine: every verdict is the engine's own, for every kind of change."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hitmiss.build.model import Status
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.streams import events, fold, recorded, simple_verdicts

pytestmark = pytest.mark.usefixtures("engine_env")

DOCKERFILE = """
    FROM busybox AS base
    WORKDIR /srv/NONCE
    COPY requirements.txt .
    RUN cat requirements.txt > /deps

    FROM base AS dev
    ARG MODE=debug
    ENV LEVEL=1
    COPY src/ src/
    RUN mkdir /out && cat src/main.py > /out/bundle
    RUN echo $MODE

    FROM base AS final
    COPY --from=dev /out /out
    COPY --link requirements.txt /copy
"""
LETTERS = {"hit": "h", "miss": "m", "failed": "f", "skipped": "s", "canceled": "c"}

Report = dict[str, Any]


@pytest.fixture
def webapp(project: Project) -> Project:
    """A project that no engine has seen before."""
    project.dockerfile(DOCKERFILE.replace("NONCE", project.path.parent.name))
    project.write("requirements.txt", f"flask {project.path}\n")
    project.write("src/main.py", "print(1)\n")
    project.write("src/util.py", "")
    project.write("src/notes.md", "ignored")
    project.write(".dockerignore", "**/*.md\nDockerfile\n")
    return project


def build(project: Project, *words: str, code: int = 0) -> Report:
    """One build; what it reports is compared with the engine's own record of it, read in two ways."""
    found = hitmiss.report(*words, ".", cwd=project.path, code=code)
    compare_with_record(found)
    return found


def record_of(found: Report) -> bytes:
    return recorded(found["build"]["id"])


def compare_with_record(found: Report) -> None:
    """Verdicts by place (`linux/amd64 dev 2/3`): the report's, the folded record's, those of a simple reading."""
    assert re.fullmatch(r"[a-z0-9]{25}", found["build"]["id"])
    stream = record_of(found)
    several = len(found["build"]["platforms"]) > 1
    simple = {}
    for name, verdict in simple_verdicts(stream).items():
        place, _, text = name.partition("] ")
        simple[" ".join(place.removeprefix("[").split())] = (verdict, text.split()[0])
    sole = all(len(place.split()) == 1 for place in simple)
    reported = {}
    for step in found["steps"]:
        words = [step["platform"]] if several else []
        words += [] if sole else [step["stage"]]
        place = " ".join([*words, f"{step['index']}/{step['of']}"])
        reported[place] = (step["verdict"], step["instruction"].split()[0])
    assert reported == simple
    folded = fold(events(stream), (), Status(found["build"]["status"]))
    assert sorted(step.verdict.value for step in folded.steps) == sorted(step["verdict"] for step in found["steps"])
    assert folded.context_bytes == found["build"]["context_bytes"]
    assert found["build"]["hits"] == sum(verdict == "hit" for verdict, _ in simple.values())
    assert found["build"]["misses"] == sum(verdict in ("miss", "failed") for verdict, _ in simple.values())


def letters(found: Report) -> str:
    """The verdicts as letters, a word for each stage."""
    stages: dict[str, str] = {}
    for step in found["steps"]:
        stages[step["stage"]] = stages.get(step["stage"], "") + LETTERS[step["verdict"]]
    return " ".join(stages.values())


def edit(name: str, content: str) -> Callable[[Project], object]:
    return lambda project: project.write(name, content)


def replace(name: str, old: str, new: str) -> Callable[[Project], object]:
    def change(project: Project) -> None:
        assert old in project.read(name)
        project.save(name, project.read(name).replace(old, new))

    return change


@dataclass(frozen=True)
class Change:
    """What is done after a first build, and the verdicts of the second."""

    name: str
    deed: Callable[[Project], object]
    verdicts: str
    options: tuple[str, ...] = ()


NOTHING: Callable[[Project], object] = lambda project: None  # noqa: E731
CHANGES = (
    Change("nothing", NOTHING, "hhhh hhh hh"),
    Change("touch", lambda project: (project / "src/main.py").touch(), "hhhh hhh hh"),
    Change("edit", edit("src/main.py", "print(22)\n"), "hhhh mmm mh"),
    Change("early cutoff", edit("src/util.py", "not in the bundle\n"), "hhhh mmm hh"),
    Change("chmod", lambda project: (project / "src/main.py").chmod(0o755), "hhhh mmm hh"),
    Change("new file", edit("src/new.py", ""), "hhhh mmm hh"),
    Change("ignored file", edit("src/notes.md", "still ignored"), "hhhh hhh hh"),
    Change("environment", replace("Dockerfile", "LEVEL=1", "LEVEL=2"), "hhhh hmm hh"),
    Change("argument", NOTHING, "hhhh hmm hh", ("--build-arg", "MODE=release")),
    Change("comment", replace("Dockerfile", "FROM base AS dev", "# dev\n\nFROM base AS dev"), "hhhh hhh hh"),
    Change("instruction", replace("Dockerfile", "> /deps", "> /dependencies"), "hhhm mmm mh"),
    Change("dependencies", edit("requirements.txt", "django\n"), "hhmm mmm mm"),
    Change("target", NOTHING, "hhhh hhh", ("--target", "dev")),
    Change("only one stage", NOTHING, "hhhh", ("--target", "base")),
    Change("no cache for a stage", NOTHING, "hhhh mmm hh", ("--no-cache-filter", "dev")),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_verdicts_after_a_change(change: Change, webapp: Project) -> None:
    first = build(webapp)
    assert letters(first) == "hmmm mmm mm"
    change.deed(webapp)
    assert letters(build(webapp, *change.options)) == change.verdicts


def test_no_cache(webapp: Project) -> None:
    build(webapp)
    found = letters(build(webapp, "--no-cache"))
    assert re.fullmatch("h[hm]mm mmm mm", found), "WORKDIR may hit, a FROM has nothing to do"


def test_back_to_what_it_was(webapp: Project) -> None:
    build(webapp)
    webapp.write("src/main.py", "print(22)\n")
    build(webapp)
    webapp.write("src/main.py", "print(1)\n")
    assert letters(build(webapp)) == "hhhh hhh hh"


def test_a_failure(webapp: Project) -> None:
    replace("Dockerfile", "RUN echo $MODE", "RUN echo told >&2 && exit 7")(webapp)
    found = build(webapp, code=1)
    assert re.fullmatch("hmmm mmf s[ms]", letters(found)), "the linked copy waits for nobody"
    assert found["build"]["status"] == "failed"
    assert found["build"]["error"].endswith("did not complete successfully: exit code: 7")
    assert found["build"]["image"] is None
    failed = next(step for step in found["steps"] if step["verdict"] == "failed")
    assert failed["line"] == 11


def test_a_failure_shows_the_source_on_stderr(webapp: Project) -> None:
    replace("Dockerfile", "RUN echo $MODE", "RUN exit 7")(webapp)
    done = hitmiss.run("build", "--json", ".", cwd=webapp.path)
    assert b">>> RUN exit 7" in done.stderr
    assert json.loads(done.stdout)["build"]["status"] == "failed"


def test_parallel_stages(project: Project) -> None:
    stages = [f"FROM busybox AS s{number}\nRUN echo {project.path} {number} > /{number}\n" for number in range(4)]
    copies = "".join(f"COPY --from=s{number} /{number} /\n" for number in range(4))
    project.dockerfile("".join(stages) + "FROM scratch\n" + copies)
    assert letters(build(project)) == "m m m hm mmmm", "equal FROMs are one, shown where BuildKit names it"
    assert letters(build(project)) == "h h h hh hhhh"


@pytest.mark.parametrize("other", ["", "FROM busybox AS other\nRUN echo >/o\n"])
@pytest.mark.parametrize(
    "read",
    [
        "COPY --from=busybox /bin/ls /l",
        "COPY --from=docker.io/library/busybox:latest /bin/ls /l",
        "RUN --mount=from=busybox,target=/m ls /m",
    ],
)
def test_an_image_that_is_also_copied_from(read: str, other: str, project: Project) -> None:
    """However BuildKit calls it, the FROM that was planned comes."""
    taken = "COPY --from=other /o /o\n" if other else ""
    project.dockerfile(f"{other}FROM busybox AS app\n{taken}{read}\n")
    hitmiss.report(".", cwd=project.path)
    planned = json.loads(hitmiss.run("plan", "--json", ".", cwd=project.path).stdout)["steps"]
    found = hitmiss.report(".", cwd=project.path)
    assert [(step["id"], step["verdict"]) for step in found["steps"]] == [(step["id"], "hit") for step in planned]
    assert {step["planned"] for step in planned} == {"will hit"}
    assert sum(step["instruction"].startswith("FROM") for step in planned) == 1


def test_two_builds_of_one_project_at_the_same_time(project: Project) -> None:
    nonce = uuid4().hex
    project.dockerfile(f"""
        FROM busybox AS base
        WORKDIR /app
        COPY rarely .
        FROM base AS assets
        COPY rarely tools/
        RUN cat tools/*; : {nonce}
        FROM base AS final
        COPY --from=assets /app/tools static/
        COPY often .
        RUN sleep 0.3; cat often
    """)
    project.write("rarely", nonce)
    project.write("often", nonce)
    hitmiss.report(cwd=project.path)
    project.write("often", f"{nonce} edited")
    both = [hitmiss.start("build", "--json", cwd=project.path) for _ in range(2)]
    for out, _ in [process.communicate(timeout=60) for process in both]:
        found = [step["verdict"] for step in json.loads(out)["steps"]]
        assert found[:-2] == ["hit"] * 6
        assert set(found[-2:]) <= {"hit", "miss"}


def test_one_broken_of_several_at_once(project: Project) -> None:
    project.dockerfile(
        f"""
        FROM busybox AS slow
        RUN echo {project.path} && sleep 60
        FROM busybox AS broken
        RUN echo {project.path} && sleep 1 && false
        FROM scratch
        COPY --from=slow /etc /a
        COPY --from=broken /etc /b
        """
    )
    assert letters(build(project, code=1)) == "c hf ss"


def test_several_platforms(project: Project) -> None:
    project.dockerfile(
        f"""
        FROM --platform=$BUILDPLATFORM busybox AS build
        WORKDIR {project.path}
        ARG TARGETARCH
        RUN echo $TARGETARCH > /out
        FROM scratch
        COPY --from=build /out /
        COPY data /
        """
    )
    project.write("data", "1")
    found = build(project, "--platform", "linux/amd64,linux/arm64")
    assert found["build"]["platforms"] == ["linux/amd64", "linux/arm64"]
    assert {step["verdict"] for step in found["steps"][1:]} == {"miss"}
    assert [step["instruction"] for step in found["steps"]].count(f"WORKDIR {project.path}") == 1
    project.write("data", "22")
    again = build(project, "--platform", "linux/amd64", "--platform", "linux/arm64")
    assert [s["platform"] for s in again["steps"] if s["verdict"] == "miss"] == ["linux/amd64", "linux/arm64"]


def test_a_sole_stage_and_more_than_ten_steps(project: Project) -> None:
    project.dockerfile("FROM busybox\n" + "".join(f"RUN echo {project.path} {n}\n" for n in range(11)))
    assert letters(build(project)) == "h" + "m" * 11


def test_what_is_said_of_the_build(webapp: Project, engine: PrivateEngine) -> None:
    found = build(webapp, "-t", "hitmiss-test:facts")["build"]
    assert (found["status"], found["target"], found["builder"]) == ("succeeded", "final", "default")
    assert found["platforms"] == ["linux/amd64"]
    assert found["error"] is None
    assert found["duration_s"] > 0
    image = engine.docker("image", "inspect", "--format", "{{.Id}}", "hitmiss-test:facts").stdout.strip()
    assert found["image"] == image
    assert found["context_bytes"] > 50
    again = build(webapp, "-t", "hitmiss-test:facts")["build"]
    assert again["saved_s"] > 0, "what the steps took in the build before"


def test_a_record_plays_to_the_same_verdicts(webapp: Project) -> None:
    from hitmiss.build.recording import read

    found = build(webapp, "--record", "../recorded.jsonl")
    records = read(webapp.path.parent / "recorded.jsonl")
    assert records[0].start is not None
    assert records[0].start.dockerfile == webapp.read("Dockerfile")
    stream = "\n".join(record.line for record in records if record.line).encode()
    assert letters(found) == letters({"steps": [as_step(step) for step in fold(events(stream)).steps]})
    assert (records[-1].end, records[-1].ref) == (Status.SUCCEEDED, found["build"]["id"])
    assert records[-1].image == found["build"]["image"]


def as_step(step: Any) -> dict[str, str]:
    return {"stage": step.stage, "verdict": step.verdict.value}


@pytest.mark.parametrize(
    ("dockerfile", "words", "said"),
    [
        ("FROM busybox\nRUNN x\n", [], "unknown instruction: RUNN"),
        ("FROM busybox\nCOPY x\n", [], "COPY requires at least two arguments"),
        ("FROM busybox\nCOPY --nope a b\n", [], "unknown flag: --nope"),
        ("RUN x\n", [], "no build stage in current context"),
        ("", [], "cannot be empty"),
        ("FROM $NOTHING\n", [], "names no image: the argument NOTHING has no value"),
        ("FROM busybox AS a\nCOPY --from=b / /\nFROM busybox AS b\nCOPY --from=a / /\n", [], "circular dependency"),
        ("FROM busybox AS a\nCOPY --from=b / /\nFROM busybox AS b\nRUN true\nFROM a\n", [], "cannot copy from stage"),
        ("FROM busybox\n", ["--target", "nope"], "There is no stage nope in the Dockerfile."),
        ("FROM busybox\n", ["--secret", "nonsense"], "invalid field 'nonsense'"),
        ("FROM busybox\n", ["--secret", "id=x,src=missing"], "missing"),
        ("FROM busybox\n", ["-t", "NO TAG"], "invalid"),
        ("FROM busybox\n", ["--push"], "tag is needed"),
        ("FROM busybox\n", ["-f", "missing"], "missing"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else None,
)
def test_what_cannot_be_built_is_a_2(dockerfile: str, words: list[str], said: str, project: Project) -> None:
    project.write("Dockerfile", dockerfile)
    found = hitmiss.report(*words, ".", cwd=project.path, code=2)
    assert found["build"]["status"] == "failed"
    assert said in found["build"]["error"]
    assert "\n" not in found["build"]["error"]


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM busybox\nRUN echo 'dockerfile parse error, x could not be found'; exit 1\n",
        "FROM busybox\nRUN echo 'Cannot connect to the Docker daemon. Is the docker daemon running?'; exit 1\n",
        "FROM busybox\nCOPY missing /\n",
        "FROM 127.0.0.1:1/refuses\n",
    ],
)
def test_what_fails_while_it_is_built_is_a_1(dockerfile: str, project: Project) -> None:
    project.write("Dockerfile", dockerfile)
    build_report = hitmiss.report(".", cwd=project.path, code=1)["build"]
    assert build_report["status"] == "failed"
    assert re.fullmatch(r"[a-z0-9]{25}", build_report["id"])


def test_builds_at_the_same_time_have_their_own_records(project: Project) -> None:
    """buildx does not tell the record of a build that failed; it is found among those of the same moment."""
    for name in "abc":
        project.dockerfile(f"FROM busybox\nRUN echo {project.path} {name}; exit 1", f"{name}.Dockerfile")
    words = ["build", "--json", "-f"]
    running = [hitmiss.start(*words, f"{name}.Dockerfile", ".", cwd=project.path) for name in "abc"]
    found = [json.loads(process.communicate(timeout=60)[0]) for process in running]
    for name, each in zip("abc", found, strict=True):
        compare_with_record(each)
        assert f" {name}; exit 1".encode() in record_of(each)
    assert len({each["build"]["id"] for each in found}) == 3


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    found = hitmiss.report("missing", cwd=tmp_path, code=2)
    assert "missing" in found["build"]["error"]
    assert found["steps"] == []


def test_a_dockerfile_from_stdin(project: Project) -> None:
    project.write("data", "1")
    done = hitmiss.run(
        "build", "--json", "-f", "-", ".", cwd=project.path, stdin=b"FROM busybox\nCOPY data /\nRUN true\n"
    )
    assert done.returncode == 0, done.stderr
    assert [step["instruction"] for step in json.loads(done.stdout)["steps"]][1:] == ["COPY data /", "RUN true"]
