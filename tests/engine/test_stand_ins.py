"""What the private engine has: base images with stand-ins for package managers, a cache, a registry."""

import json

import pytest

from tests.support.engine import DockerCommandError, PrivateEngine
from tests.support.project import Project
from tests.support.registry import Registry
from tests.support.steps import hits

WEB = """
    FROM python:3.12-slim AS base
    WORKDIR /app
    COPY requirements.txt .
    RUN pip install -r requirements.txt

    FROM base AS test
    COPY src/ src/
    RUN python -m compileall src

    FROM base
    COPY --from=test /app/src src/
    RUN adduser -D web && id web
"""


@pytest.fixture
def web(project: Project) -> Project:
    project.dockerfile(WEB)
    project.write("requirements.txt", "flask==3.1.2\nuvicorn[standard]>=0.34  # the server\n")
    project.write("src/main.py", "print('hello')\n")
    return project


def test_a_tag_can_move(engine: PrivateEngine, project: Project) -> None:
    project.dockerfile("FROM moving:1\nRUN true")
    engine.import_base("moving:1")
    engine.build(project.path)
    assert all(hits(engine.build(project.path)).values())
    engine.import_base("moving:1", marker="newer")
    assert not hits(engine.build(project.path))["[2/2] RUN true"]


def test_a_real_dockerfile_builds_unchanged(empty_cache: PrivateEngine, web: Project) -> None:
    first = empty_cache.build(web.path, "--tag", "web:test")
    assert not hits(first)["[base 4/4] RUN pip install -r requirements.txt"]
    assert all(hits(empty_cache.build(web.path)).values())
    # The stand-ins give the same bytes for the same inputs, so a stage that ran again cuts off early.
    web.write("src/main.py", "print('hello')\n# more\n")
    steps = hits(empty_cache.build(web.path))
    assert [name for name, hit in steps.items() if not hit] == [
        "[test 1/2] COPY src/ src/",
        "[test 2/2] RUN python -m compileall src",
        "[stage-2 1/2] COPY --from=test /app/src src/",
        "[stage-2 2/2] RUN adduser -D web && id web",
    ]
    web.write("src/main.py", "print('hello')\n")
    assert all(hits(empty_cache.build(web.path)).values())


SITE = "lib/python3.12/site-packages"

STANDINS = [
    ("node:22-slim", "npm ci", "node_modules/vue/package.json"),
    ("node:22-slim", "npm run build", "dist/index.html"),
    ("python:3.12-slim", "uv sync", f".venv/{SITE}/six/__init__.py"),
    ("python:3.12-slim", "python3 -m venv v && v/bin/pip install -rx.txt", f"v/{SITE}/six-1.17.0.dist-info/METADATA"),
    ("python:3.12-slim", "python src/gen.py x.txt -o out/x", "out/x"),
    ("debian:12-slim", "apt-get update && apt-get install -y curl=8.1", "/usr/share/doc/curl/copyright"),
    ("alpine:3.20", "apk add --no-cache curl git", "/usr/share/doc/git"),
    ("debian:12-slim", "make -j4 app", "build/app"),
    ("debian:12-slim", "go mod download && go build -o /out/app .", "/out/app"),
    ("debian:12-slim", "bash -o pipefail -c 'groupadd -g 900 g && useradd -m -u 901 u && id u'", "/home/u"),
]


def test_stand_ins_write_what_the_real_tools_would(engine: PrivateEngine, project: Project) -> None:
    project.write("package.json", '{"dependencies": {"vue": "^3.5"}}')
    project.write("package-lock.json", "{}")
    project.write("pyproject.toml", 'dependencies = [\n  "flask[async]",\n  "six>=1",\n]\n')
    project.write("x.txt", "six==1.17.0\n")
    project.write("go.mod", "module x\nrequire a.b/c v1.2.0\n")
    project.write("src/a.go", "package a")
    project.write("src/a.js", "let a")
    project.write("src/gen.py", "pass")
    project.write("Makefile", "all:")
    stages = [
        f"FROM {base} AS s{i}\nWORKDIR /w\nCOPY . .\nRUN {command}\nRUN test -e {written} && touch /ok"
        for i, (base, command, written) in enumerate(STANDINS)
    ]
    last = ["FROM scratch", *(f"COPY --from=s{i} /ok /{i}" for i in range(len(stages)))]
    project.dockerfile("\n".join([*stages, *last]))
    engine.build(project.path)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("pip install -r missing.txt", "Could not open requirements file"),
        ("npm ci", "Could not read package.json"),
        ("apt-get install -y curl", "Unable to locate package curl"),
        ("python missing.py", "No such file or directory"),
    ],
)
def test_stand_ins_fail_as_the_real_tools_would(
    engine: PrivateEngine, project: Project, command: str, said: str
) -> None:
    project.dockerfile(f"FROM debian:12-slim\nRUN {command}")
    with pytest.raises(DockerCommandError, match=said):
        engine.docker("buildx", "build", "--progress=plain", str(project.path))


def test_a_cache_mount_spares_the_downloads(empty_cache: PrivateEngine, project: Project) -> None:
    mount = "--mount=type=cache,target=/root/.cache/pip"
    project.dockerfile(f"FROM python:3.12-slim\nCOPY r.txt .\nRUN {mount} pip install -r r.txt")
    for text, cached in (("six==1.17.0\n", False), ("six==1.17.0\nflask==3.1.2\n", True)):
        project.write("r.txt", text)
        said = empty_cache.docker("buildx", "build", "--progress=plain", str(project.path)).stderr
        assert ("Using cached six" in said) is cached


def test_a_build_for_two_platforms(engine: PrivateEngine, project: Project) -> None:
    project.dockerfile("FROM python:3.12-slim\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch && python --version")
    steps = hits(engine.build(project.path, "--platform=linux/amd64,linux/arm64"))
    assert {name[: name.index(" ")] for name in steps} >= {"[linux/amd64", "[linux/arm64"}


def test_empty_cache_does_what_buildx_prune_does(empty_cache: PrivateEngine, web: Project) -> None:
    engine = empty_cache
    engine.build(web.path)
    before = engine.images()
    engine.empty_cache()
    assert json.loads(engine.api("GET", "/system/df?type=build-cache"))["BuildCache"] == []
    assert engine.docker("buildx", "prune", "--all", "--force").stdout.split() == ["Total:", "0B"]
    assert engine.images() == before
    again = hits(engine.build(web.path))
    assert not any(again.values())


def test_cache_goes_through_the_registry(
    empty_cache: PrivateEngine, second_engine: PrivateEngine, registry: Registry, web: Project
) -> None:
    ref = registry.ref("web:cache")
    empty_cache.build(web.path, f"--cache-to=type=registry,ref={ref},mode=max")
    assert "web" in registry.names()
    second_engine.empty_cache()
    steps = hits(second_engine.build(web.path, f"--cache-from=type=registry,ref={ref}"))
    assert "[base 4/4] RUN pip install -r requirements.txt" in steps
    assert [name for name, hit in steps.items() if not hit] == []


def test_an_image_goes_to_the_registry(engine: PrivateEngine, registry: Registry, web: Project) -> None:
    engine.build(web.path, "--tag", registry.ref("app:1"), "--push")
    assert "app" in registry.names()
