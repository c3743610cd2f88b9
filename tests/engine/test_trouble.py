"""Failures made for real on an engine, and what `hitmiss build` says of them: sentence, mend, exit code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import hitmiss, stand_in
from tests.support.project import Project
from tests.support.refusing import Refusing
from tests.support.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

FOREIGN = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01\x00\x00\x00" + bytes(100)
"""The head of a program for arm64, and nothing behind it."""
NOWHERE = "127.0.0.1:1"


def told(project: Project, dockerfile: str, *options: str, code: int = 1) -> str:
    """What the report of a failed build says is wrong."""
    project.dockerfile(dockerfile)
    build = hitmiss.report(*options, ".", cwd=project.path, code=code)["build"]
    assert build["status"] == "failed"
    assert "\n" not in build["error"]
    assert build["error"].endswith(build["advice"])
    return str(build["error"])


# --- files ----------------------------------------------------------------------------------


def test_a_file_of_another_name(project: Project) -> None:
    project.write("requirements.txt")
    said = told(project, "FROM busybox\nCOPY requirement.txt /")
    assert said == "There is no requirement.txt in the context (.). Did you mean requirements.txt?"


def test_a_file_that_the_ignore_file_leaves_out(project: Project) -> None:
    project.write("conf/app.env", "x")
    project.write(".dockerignore", "**/*.env\n")
    assert told(project, "FROM busybox\nCOPY conf/app.env /") == (
        "conf/app.env is there, but the rule `**/*.env` of .dockerignore leaves it out of the context. Take the rule "
        "out, or add `!conf/app.env` below it."
    )


def test_the_ignore_file_of_one_dockerfile(project: Project) -> None:
    project.write("app.env", "x")
    project.write("Dockerfile.dockerignore", "app.*\n")
    said = told(project, "FROM busybox\nRUN --mount=type=bind,source=app.env,target=/app.env true")
    assert said.startswith("app.env is there, but the rule `app.*` of Dockerfile.dockerignore leaves it out")


def test_a_file_above_the_context(project: Project) -> None:
    (project.path.parent / "shared").mkdir(exist_ok=True)
    said = told(project, "FROM busybox\nCOPY ../shared/lib /lib")
    assert said.startswith("../shared/lib lies outside the context, so BuildKit looked for shared/lib inside it.")
    assert "`--build-context other=../shared`" in said


def test_a_link_that_leads_away(project: Project, tmp_path: Path) -> None:
    project.write("x")
    (project / "away").symlink_to(tmp_path)
    said = told(project, "FROM busybox\nCOPY away/nothing /")
    assert said.startswith(f"away/nothing is a link that leads out of the context, to {tmp_path}.")


def test_a_file_that_the_other_stage_does_not_write(project: Project) -> None:
    said = told(project, "FROM busybox AS make\nRUN mkdir /out\nFROM busybox\nCOPY --from=make /out/app /")
    assert said.startswith("`make` has no /out/app, which COPY --from=make /out/app / takes from it.")


# --- commands -------------------------------------------------------------------------------


def test_a_command_that_is_killed(project: Project) -> None:
    said = told(project, "FROM busybox\nRUN sh -c 'kill -9 $$' && echo done")
    assert said.startswith("The step's command was killed (exit code 137), as happens when memory runs out. Give the ")


def test_a_disk_that_is_full(project: Project) -> None:
    said = told(project, "FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=65536 cp /bin/busybox /t/x")
    assert said.startswith("No space is left where the step writes; its tmpfs mount has a size. Raise that, or: Free")


@pytest.mark.parametrize("command", ['["/x"]', "/x"], ids=["runc", "ash"])
def test_a_program_of_another_platform(command: str, project: Project) -> None:
    project.write("x", FOREIGN, mode=0o755)
    said = told(project, f"FROM busybox\nCOPY x /x\nRUN {command}")
    assert said.startswith("/x cannot be run")
    assert "it is made for another platform, or is a script without a `#!` line." in said


@pytest.mark.parametrize("base", ["python:3.12-slim", "alpine:3.20", "busybox"])
def test_a_compiler_that_is_missing(base: str, project: Project) -> None:
    mend = {
        "python:3.12-slim": "`RUN apt-get update && apt-get install -y --no-install-recommends build-essential`.",
        "alpine:3.20": "`RUN apk add --no-cache build-base`.",
        "busybox": "take a base that has it, or copy it with `COPY --from=IMAGE`.",
    }
    said = told(project, f"FROM {base} AS base\nFROM base\nRUN gcc -c main.c")
    assert said.startswith("There is no gcc in the image, which a package needs to be built.")
    assert said.endswith(mend[base])


def test_a_tool_that_runc_does_not_find(project: Project) -> None:
    said = told(project, 'FROM alpine:3.20\nRUN ["git", "status"]')
    assert said == "There is no git in the image. Install it in a step above: `RUN apk add --no-cache git`."


@pytest.mark.parametrize("command", ["/run.sh", '["/run.sh"]'], ids=["ash", "runc"])
def test_a_script_without_its_mode(command: str, project: Project) -> None:
    project.write("run.sh", "#!/bin/sh\ntrue\n", mode=0o644)
    said = told(project, f"FROM busybox\nCOPY run.sh /\nRUN {command}")
    assert said.startswith("/run.sh may not be executed. `chmod +x run.sh`")


@pytest.mark.parametrize("command", ["/run.sh", '["/run.sh"]'], ids=["ash", "runc"])
def test_a_script_with_windows_line_ends(command: str, project: Project) -> None:
    project.write("tools/run.sh", "#!/bin/sh\r\ntrue\r\n", mode=0o755)
    said = told(project, f"FROM busybox\nCOPY tools/run.sh /\nRUN {command}")
    assert said.startswith("tools/run.sh has Windows line ends, which are taken for part of its first line.")


def test_a_script_that_is_not_there(project: Project) -> None:
    said = told(project, "FROM busybox\nRUN /opt/run.sh")
    assert said.startswith("/opt/run.sh is not in the image, or what its `#!` line names is not.")


def test_a_user_that_is_not_there(project: Project) -> None:
    said = told(project, "FROM busybox\nUSER app\nRUN true")
    assert said.startswith("There is no user app in the image. Make it in a step above: `RUN useradd app`")


def test_a_name_that_a_step_does_not_find(project: Project) -> None:
    said = told(project, "FROM busybox\nRUN wget -q http://nothing.invalid/x")
    assert said.startswith("The step could not reach nothing.invalid: its name was not found (DNS).")


@pytest.mark.parametrize("required", [",required=true", ""], ids=["required", "optional"])
def test_a_secret_that_is_not_given(required: str, project: Project) -> None:
    dockerfile = f"FROM busybox\nRUN --mount=type=secret,id=token{required} cat /run/secrets/token"
    assert told(project, dockerfile) == (
        "The secret token is not given. Give it: `--secret id=token,src=FILE` or `id=token,env=NAME`."
    )
    project.write("token", "of no account")
    assert hitmiss.report("--secret", "id=token,src=token", ".", cwd=project.path)["build"]["error"] is None


def test_a_key_that_is_not_given(project: Project) -> None:
    said = told(project, "FROM busybox\nRUN --mount=type=ssh,required=true true")
    assert said == "A step wants the SSH key or agent `default`, and none is given. Give it: `--ssh default`."


# --- images and registries ------------------------------------------------------------------


def test_an_image_that_is_not_there(project: Project, registry: Registry) -> None:
    image = registry.ref("nothing:1")
    assert told(project, f"FROM {image}\nRUN true") == (
        f"{registry.host} has no image {image}. Check its name and tag; if it is one of your own, build it first."
    )


def test_a_registry_that_wants_to_know_who_asks(project: Project) -> None:
    with Refusing(401) as closed:
        said = told(project, f"FROM {closed.host}/app:1\nRUN true")
        assert said.startswith(
            f"{closed.host} does not give out {closed.host}/app:1: it does not exist there, or it is "
        )
        assert f"`docker login {closed.host}`" in said


def test_a_registry_that_has_enough(project: Project) -> None:
    with Refusing(429) as tired:
        assert told(project, f"FROM {tired.host}/app:1\nRUN true") == (
            f"The image {tired.host}/app:1 could not be fetched: {tired.host} takes no more requests for now. Log in "
            f"(`docker login {tired.host}`), or wait."
        )


def test_a_registry_that_is_not_there(project: Project) -> None:
    said = told(project, f"FROM {NOWHERE}/app:1\nRUN true")
    assert said.startswith(
        f"The image {NOWHERE}/app:1 could not be fetched: {NOWHERE} could not be reached: it refused the connection."
    )


def test_a_registry_without_a_name(project: Project) -> None:
    said = told(project, "FROM registry.invalid/app:1\nRUN true")
    assert "registry.invalid could not be reached: its name was not found (DNS)." in said


def test_a_platform_that_an_image_does_not_have(project: Project) -> None:
    said = told(project, "FROM --platform=linux/s390x busybox\nRUN true")
    assert said.startswith("The image busybox:latest does not exist for linux/s390x.")


def test_a_stage_that_stands_below(project: Project) -> None:
    said = told(project, "FROM later AS final\nRUN true\nFROM busybox AS later\nRUN true", "--target", "final")
    assert said.startswith("`later` is a stage of this Dockerfile, but it stands below the line that wants it")


def test_a_builder_image_that_was_never_built(project: Project) -> None:
    project.write(
        "hitmiss.toml",
        '[targets.builder]\ndockerfile = "builder.Dockerfile"\ntags = ["own:builder"]\n'
        '[targets.app]\ntags = ["own:app"]\n',
    )
    project.dockerfile("FROM busybox\nRUN echo built > /out", "builder.Dockerfile")
    said = told(project, "ARG BUILDER_IMAGE=own:builder\nFROM ${BUILDER_IMAGE}\nRUN true", "--target", "app")
    assert said.startswith("The image own:builder, which this build needs, is not there: the target builder makes it. ")
    assert "Build it first: `hitmiss build --target builder`" in said


def test_a_frontend_that_is_not_there(project: Project, registry: Registry) -> None:
    said = told(project, f"# syntax={registry.ref('frontend:1')}\nFROM busybox\nRUN true")
    assert said.startswith(f"The frontend {registry.ref('frontend:1')} of the `# syntax=` line could not be fetched:")


@pytest.mark.parametrize("status", [401, 403])
def test_a_push_that_is_not_allowed(status: int, project: Project) -> None:
    with Refusing(status) as closed:
        said = told(project, "FROM busybox\nRUN true", "--push", "--tag", f"{closed.host}/app:1")
        assert said.startswith(f"The image {closed.host}/app:1 could not be pushed: {closed.host} did not allow it.")


def test_a_cache_that_cannot_be_written(project: Project) -> None:
    said = told(project, "FROM busybox\nRUN true", "--cache-to", f"type=registry,ref={NOWHERE}/c:1")
    assert said.startswith(
        f"The cache could not be exported: {NOWHERE} could not be reached: it refused the connection."
    )


def test_caches_that_are_not_there_fail_no_build(project: Project, registry: Registry) -> None:
    project.dockerfile("FROM busybox\nRUN true")
    refs = (f"type=registry,ref={registry.ref('c:1')}", f"type=registry,ref={NOWHERE}/c:1", "type=local,src=nowhere")
    options = [word for ref in refs for word in ("--cache-from", ref)]
    build = hitmiss.report(*options, ".", cwd=project.path)["build"]
    assert (build["status"], build["error"]) == ("succeeded", None)
    assert sorted(build["notices"]) == [
        "The cache in nowhere was not found (no such file or directory).",
        f"The cache of {NOWHERE}/c:1 was not found ({NOWHERE}: it refused the connection).",
        f"The cache of {registry.ref('c:1')} was not found (there is none yet).",
    ]
    done = hitmiss.run("build", *options, ".", cwd=project.path)
    assert b"! The cache in nowhere was not found (no such file or directory)." in done.stdout


# --- what was asked -------------------------------------------------------------------------


def test_a_target_that_is_not_there(project: Project) -> None:
    said = told(project, "FROM busybox AS base\nFROM base AS final\nRUN true", "--target", "finall", code=2)
    assert said == "There is no stage finall in the Dockerfile. Did you mean final? Its stages: base, final."


def test_a_base_without_a_value(project: Project) -> None:
    said = told(project, "ARG BASE\nFROM ${BASE}\nRUN true", code=2)
    assert said.startswith("FROM ${BASE} names no image: the argument BASE has no value. Give it one: `--build-arg")


def test_a_flag_that_is_none(project: Project) -> None:
    said = told(project, "FROM busybox\nRUN --mont=type=cache,target=/x true", code=2)
    assert said == "RUN has no flag --mont. Did you mean --mount?"


def test_what_is_not_allowed(project: Project) -> None:
    said = told(project, "FROM busybox\nRUN --network=host true")
    assert said.startswith("The build wants network.host, which is not allowed. Allow it with `--allow network.host`")


def test_buildkit_is_used_whatever_is_said_of_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain `docker build` obeys the variable, and refuses the same Dockerfile; buildx never looks at it."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    project.dockerfile("FROM busybox\nRUN --mount=type=cache,target=/x true")
    assert hitmiss.report(".", cwd=project.path)["build"]["status"] == "succeeded"
    said = hitmiss.run("build", ".", cwd=project.path).stderr.decode()
    assert (
        "! DOCKER_BUILDKIT=0 is set: hitmiss builds with BuildKit all the same, `docker build` here does not." in said
    )
    done = subprocess.run(["docker", "build", "."], cwd=project.path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the --mount option requires BuildKit" in done.stderr


def test_podman_under_the_name_of_docker(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What podman 5 says, by containers/podman#20975 and moghtech/komodo#1332."""
    shim = "echo 'Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.\n"
    shim += "Error: unknown flag: --progress\nSee '\"'\"'podman buildx build --help'\"'\"'' >&2; exit 125\n"
    stand_in.install(shim, tmp_path, monkeypatch)
    project.dockerfile("FROM busybox\nRUN true")
    error = hitmiss.report(".", cwd=project.path, code=3)["build"]["error"]
    assert error.startswith("`docker` is podman here, which has no BuildKit. Install Docker's buildx plugin")


# --- where it is shown ------------------------------------------------------------------------


def test_the_engines_own_sentence_where_nothing_is_recognised(project: Project) -> None:
    project.dockerfile("FROM busybox\nRUN echo no; exit 3")
    build = hitmiss.report(".", cwd=project.path, code=1)["build"]
    assert "advice" not in build
    assert build["error"] == ('process "/bin/sh -c echo no; exit 3" did not complete successfully: exit code: 3')


def test_on_a_terminal_it_is_the_last_thing_said(project: Project) -> None:
    project.dockerfile("FROM alpine:3.20\nRUN gcc -c main.c")
    done = hitmiss.run("build", ".", cwd=project.path)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-2:] == [
        "✖ There is no gcc in the image, which a package needs to be built.",
        "  Install it in a step above: `RUN apk add --no-cache build-base`.",
    ]


def test_a_recording_has_it_too(project: Project, tmp_path: Path) -> None:
    project.dockerfile("FROM alpine:3.20\nRUN gcc -c main.c")
    recorded = tmp_path / "recorded.jsonl"
    assert hitmiss.run("build", "--record", str(recorded), ".", cwd=project.path).returncode == 1
    assert '"advice":"Install it in a step above' in recorded.read_text().splitlines()[-1]


def test_no_secret_is_in_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2222")
    project.dockerfile("ARG API_TOKEN\nFROM ${API_TOKEN}.invalid/x:1\nRUN true")
    done = hitmiss.run("build", "--json", "--build-arg", "API_TOKEN", ".", cwd=project.path)
    assert done.returncode == 1
    assert b"hunter2222" not in done.stdout + done.stderr
    assert b"could not be reached" in done.stdout
