"""The engine's words, as it or its sources have them, and what a user is told of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from hitmiss.build.model import Build, Stage, Step, Verdict
from hitmiss.build.trouble import Advice, Known, advice, notices, plain_build
from hitmiss.build.trouble_steps import telling
from hitmiss.project.nearby import nearby
from hitmiss.settings import BuildOptions
from tests.support.project import Project

KNOWN = Known(stages=("deps", "build", "final"))


@dataclass(frozen=True)
class Failure:
    """A build that failed: by a step (`text`), by BuildKit's own work (`work`), or before either."""

    error: str
    output: tuple[str, ...] = ()
    text: str = ""
    work: str = ""
    base: str = ""
    known: Known = KNOWN
    platforms: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    builder: str = "default"

    def build(self) -> Build:
        steps = [Step("build:1", "build", 1, 2, f"FROM {self.base}", verdict=Verdict.HIT)] if self.base else []
        if self.text:
            steps.append(Step("build:2", "build", 2, 2, self.text, verdict=Verdict.FAILED, error=self.error))
        internals = (Step("i", "", 0, 0, self.work, verdict=Verdict.FAILED, error=self.error),) if self.work else ()
        stages = (Stage("build", "build", None, tuple(steps)),)
        return Build(
            stages=stages, internals=internals, platforms=self.platforms, text=self.words, builder=self.builder
        )

    def advice(self) -> Advice | None:
        return advice(self.build(), self.output, self.error, self.known)


def image(name: str, error: str, known: Known = KNOWN, platforms: tuple[str, ...] = (), line: str = "") -> Failure:
    """An image whose metadata cannot be had; the client says the error after the image's name."""
    words = (f"   1 | >>> {line}",) if line else ()
    work = f"[internal] load metadata for {name}"
    return Failure(error, work=work, known=known, platforms=platforms, words=words)


def ran(end: str, *output: str, text: str = "RUN x", base: str = "", known: Known = KNOWN, on: str = "") -> Failure:
    """A command that failed (BuildKit, `solver/llbsolver/ops/exec.go`)."""
    error = f'process "/bin/sh -c x" did not complete successfully: {end}'
    return Failure(error, output, text, base=base, known=known, platforms=(on,) if on else ())


def copied(path: str, text: str, known: Known = KNOWN) -> Failure:
    """A path that is not found (BuildKit, `cache/contenthash`)."""
    return Failure(f'failed to calculate checksum of ref 9uq::ytd: "{path}": not found', text=text, known=known)


def check(failure: Failure, told: str) -> None:
    found = failure.advice()
    assert found is not None
    assert f"{found.sentence} | {found.mend}" == told


# --- images ---------------------------------------------------------------------------------

DENIED = (
    "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: "
    "authorization failed"
)
"""containerd, `core/remotes/docker/resolver.go`."""
RATE = (
    "failed to copy: httpReadSeeker: failed open: unexpected status from GET request to "
    "https://registry-1.docker.io/v2/library/python/manifests/sha256:58ce: 429 Too Many Requests\ntoomanyrequests: You "
    "have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)
"""As docker/build-push-action#1539 and elastic/golang-crossbuild#659 quote it."""
OFFLINE = 'failed to do request: Head "https://{0}/v2/x": dial tcp: lookup {0} on 10.0.0.1:53: no such host'
REFUSED = 'failed to do request: Head "https://127.0.0.1:1/v2/x": dial tcp 127.0.0.1:1: connect: connection refused'
NO_ROUTE = 'failed to do request: Head "https://10.1.2.3/v2/x": dial tcp 10.1.2.3:443: connect: no route to host'
PLAIN_HTTP = 'failed to do request: Head "https://vm:5000/v2/x": http: server gave HTTP response to HTTPS client'
NO_HANDSHAKE = "tls: first record does not look like a TLS handshake"
UNTRUSTED = 'failed to do request: Head "https://r.io/v2/x": tls: failed to verify certificate: x509: unknown authority'
TOKEN = "failed to fetch anonymous token: unexpected status from GET request to http://r.io/token?x: 401 Unauthorized"
NETWORK = "Look at the network, the proxy and the name {}. An image of your own is built first."
FETCH = "The image {0} could not be fetched: {1} could not be reached: {2}. | "

IMAGES = {
    "a typo": (
        image("docker.io/library/pyhton:3.12-slim", DENIED),
        "Docker Hub does not give out pyhton:3.12-slim: it does not exist there, or it is private. | "
        "Did you mean python:3.12-slim?",
    ),
    "nearly the name of a stage": (
        image("docker.io/library/biuld:latest", DENIED),
        "Docker Hub does not give out biuld:latest: it does not exist there, or it is private. | "
        "Did you mean the stage build?",
    ),
    "nearly the name of an image that is there": (
        image("docker.io/library/voice:bulider", DENIED, known=Known(images=("voice:builder",))),
        "Docker Hub does not give out voice:bulider: it does not exist there, or it is private. | "
        "Did you mean voice:builder?",
    ),
    "private, or one's own": (
        image("reg.example.com/app:1", DENIED),
        "reg.example.com does not give out reg.example.com/app:1: it does not exist there, or it is private. | "
        "Check its "
        "name and tag; if it is private, `docker login reg.example.com`; if it is one of your own, build it first.",
    ),
    "private, says the token server": (
        image("r.io/app:1", TOKEN),
        "r.io does not give out r.io/app:1: it does not exist there, or it is private. | Check its name and tag; if it "
        "is private, `docker login r.io`; if it is one of your own, build it first.",
    ),
    "no such tag": (
        image("127.0.0.1:5/nothing:1", "127.0.0.1:5/nothing:1: not found"),
        "127.0.0.1:5 has no image 127.0.0.1:5/nothing:1. | Check its name and tag; if it is one of your own, build it "
        "first.",
    ),
    "a stage that stands below": (
        image("docker.io/library/deps:latest", DENIED),
        "`deps` is a stage of this Dockerfile, but it stands below the line that wants it, so an image of that "
        "name was "
        "looked for. | Move the stage `deps` above that line.",
    ),
    "the builder image of a chain": (
        image(
            "docker.io/library/voice:builder",
            OFFLINE.format("registry-1.docker.io"),
            Known(makes={"voice:builder": "x"}),
        ),
        "The image voice:builder, which this build needs, is not there: the target x makes it. | Build it first: "
        "`hitmiss build --target x`, or let this target need it (`needs` in hitmiss.toml).",
    ),
    "no such host": (
        image("registry.invalid/x:1", OFFLINE.format("registry.invalid")),
        FETCH.format("registry.invalid/x:1", "registry.invalid", "its name was not found (DNS)")
        + NETWORK.format("registry.invalid"),
    ),
    "a typo, without a network": (
        image("docker.io/library/ngnix:latest", OFFLINE.format("registry-1.docker.io")),
        FETCH.format("ngnix:latest", "Docker Hub", "its name was not found (DNS)") + "Did you mean nginx:latest?",
    ),
    "refused": (
        image("127.0.0.1:1/x:1", REFUSED),
        FETCH.format("127.0.0.1:1/x:1", "127.0.0.1:1", "it refused the connection") + NETWORK.format("127.0.0.1:1"),
    ),
    "no route": (
        image("10.1.2.3:443/x:1", NO_ROUTE),
        FETCH.format("10.1.2.3:443/x:1", "10.1.2.3:443", "it did not answer") + NETWORK.format("10.1.2.3:443"),
    ),
    "plain HTTP": (
        image("vm:5000/x:1", PLAIN_HTTP),
        FETCH.format("vm:5000/x:1", "vm:5000", "it speaks plain HTTP, and HTTPS was expected")
        + 'Let the engine use HTTP there: `"insecure-registries": ["vm:5000"]` in daemon.json.',
    ),
    "plain HTTP, where TLS itself says so": (
        image("vm:5000/x:1", 'failed to do request: Head "https://vm:5000/v2/x": ' + NO_HANDSHAKE),
        FETCH.format("vm:5000/x:1", "vm:5000", "it speaks plain HTTP, and HTTPS was expected")
        + 'Let the engine use HTTP there: `"insecure-registries": ["vm:5000"]` in daemon.json.',
    ),
    "a certificate": (
        image("r.io/x:1", UNTRUSTED),
        "The image r.io/x:1 could not be fetched: the certificate of r.io is not trusted (tls: failed to verify "
        "certificate: x509: unknown authority). | Give its authority to the engine "
        "(`/etc/docker/certs.d/HOST/ca.crt`); look at the clock and the proxy.",
    ),
    "too many requests": (
        image("docker.io/library/python:3.12", RATE),
        "The image python:3.12 could not be fetched: Docker Hub takes no more requests for now. | "
        "Log in (`docker login`), or wait.",
    ),
    "a registry in trouble": (
        image("r.io/x:1", "unexpected status from HEAD request to http://r.io/v2/x: 503 Service Unavailable"),
        FETCH.format("r.io/x:1", "r.io", "it has trouble of its own") + "Try again later.",
    ),
    "not for this platform": (
        image("docker.io/library/x:1", "no match for platform in manifest: not found", platforms=("linux/s390x",)),
        "The image x:1 does not exist for linux/s390x. | `docker buildx imagetools inspect x:1` lists its platforms; "
        "build for one of them with `--platform`.",
    ),
    "not for the platform of its line": (
        image(
            "docker.io/library/x:1",
            "no match for platform in manifest: not found",
            platforms=("linux/amd64",),
            line="FROM --platform=linux/riscv64 x:1",
        ),
        "The image x:1 does not exist for linux/riscv64. | `docker buildx imagetools inspect x:1` lists its platforms; "
        "build for one of them with `--platform`.",
    ),
    "a frontend that cannot be had": (
        Failure(
            OFFLINE.format("registry-1.docker.io"),
            work="resolve image config for docker-image://docker.io/docker/dockerfile:1",
        ),
        "The frontend docker/dockerfile:1 of the `# syntax=` line could not be fetched: Docker Hub could not be "
        "reached: "
        "its name was not found (DNS). | Mend the network, or leave the line out: BuildKit has a frontend of its own.",
    ),
    "a frontend that is not there": (
        Failure("r.io/fr:1: not found", work="resolve image config for docker-image://r.io/fr:1"),
        "The frontend r.io/fr:1 of the `# syntax=` line could not be fetched: r.io does not have it. | Write "
        "`# syntax=docker/dockerfile:1`, or leave the line out.",
    ),
    "a push that is not allowed": (
        Failure(
            "failed to push r.io/x:1: push access denied, repository does not exist or may require authorization: "
            "server "
            "message: insufficient_scope: authorization failed",
            work="exporting to image",
        ),
        "The image r.io/x:1 could not be pushed: r.io did not allow it. | Log in (`docker login r.io`) as somebody who "
        "may write there, and check the name.",
    ),
    "a push to nobody": (
        Failure(f"failed to push 127.0.0.1:1/x:1: {REFUSED}", work="exporting to image"),
        "The image 127.0.0.1:1/x:1 could not be pushed: 127.0.0.1:1 could not be reached: it refused the connection. | "
        "Look at the network, the proxy and the name 127.0.0.1:1.",
    ),
    "a cache that cannot be written": (
        Failure(f"error writing layer blob: {REFUSED}", work="exporting cache to registry"),
        "The cache could not be exported: 127.0.0.1:1 could not be reached: it refused the connection. | Look at the "
        "network, the proxy and the name 127.0.0.1:1.",
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_and_registries(name: str) -> None:
    check(*IMAGES[name])


def test_a_push_whose_token_is_refused() -> None:
    """The client then names the token server only; the vertex names the image."""
    work = Step("i", "", 0, 0, "exporting to image", error=f"failed to push r.io/x:1: failed to authorize: {TOKEN}")
    found = advice(Build(internals=(work,)), (), TOKEN)
    assert found is not None
    assert found.sentence == "The image r.io/x:1 could not be pushed: r.io did not allow it."


def imported(ref: str, error: str) -> Step:
    name = f"importing cache manifest from {ref}"
    return Step("i", "", 0, 0, name, error=f"failed to configure registry cache importer: {error}")


def test_caches_that_are_not_there_are_a_notice() -> None:
    """BuildKit, the vertex of the import; buildx, `build/opt.go`, for a folder."""
    local = (
        "WARNING: local cache import at e not found due to err: could not read e/index.json: open e/index.json: no x"
    )
    internals = (
        imported("r.io/c:1", "r.io/c:1: not found"),
        imported("127.0.0.1:1/c:1", REFUSED),
        imported("r.io/d:1", "unexpected status from HEAD request to http://r.io/v2/d/manifests/1: 403 Forbidden"),
        imported("r.io/e:1", "context canceled"),
        Step("i", "", 0, 0, "importing cache manifest from r.io/good:1"),
        Step("i", "", 0, 0, "importing cache manifest from regsitry:149", error="unknown cache importer: regsitry"),
    )
    assert notices(Build(internals=internals, text=(local, "other"))) == (
        "The cache of r.io/c:1 was not found (there is none yet).",
        "The cache of 127.0.0.1:1/c:1 was not found (127.0.0.1:1: it refused the connection).",
        "The cache of r.io/d:1 was not found (r.io did not allow it: `docker login r.io`).",
        "The cache of type=regsitry was not found (no such type; there are registry, local, gha, s3, azblob).",
        "The cache in e was not found (no x).",
    )


# --- files ----------------------------------------------------------------------------------


def test_a_file_of_nearly_that_name() -> None:
    known = Known(entries=lambda folder: ["requirements.txt", "src"] if not folder else ["main.py"])
    check(
        copied("/requirement.txt", "COPY requirement.txt /", known),
        "There is no requirement.txt in the context (.). | Did you mean requirements.txt?",
    )
    check(
        copied("/src/mian.py", "COPY src/mian.py /", known),
        "There is no mian.py in src of the context. | Did you mean src/main.py?",
    )
    check(
        copied("/elsewhere/x", "COPY elsewhere/x /", known),
        "There is no elsewhere in the context (.). | Paths are taken from the context's root, not from the "
        "Dockerfile's "
        "folder: check it, or make it first.",
    )


def test_a_path_above_the_context() -> None:
    check(
        copied("/shared/lib", "COPY ../shared/lib /lib"),
        "../shared/lib lies outside the context, so BuildKit looked for shared/lib inside it. | Give a context "
        "that holds "
        "it, or name a second one: `--build-context other=../shared` and `COPY --from=other lib …`.",
    )
    mount = "RUN --mount=type=bind,source=../uv.lock,target=/uv.lock true"
    found = copied("/uv.lock", mount).advice()
    assert found is not None
    assert found.sentence.startswith("../uv.lock lies outside the context")


def test_a_name_that_is_not_utf_8(project: Project) -> None:
    project.write(".dockerignore", "out\n")
    project.write("out/x")
    for name in (b"/out/\xff", b"/b\xff.txt"):
        Path(os.fsdecode(os.fsencode(project.path) + name)).write_text("x")
    project.dockerfile("FROM busybox")
    error = "Internal: rpc error: code = Internal desc = grpc: failed to unmarshal the received message: "
    error += "string field contains invalid UTF-8"
    told = "is not UTF-8, and BuildKit takes no other. | Rename it, or leave it out by a line in .dockerignore."
    check(Failure(error), f"The name of a file in a context {told}")
    known = nearby(BuildOptions(), cwd=project.path)
    check(Failure(error, known=known), f"The name of b\ufffd.txt {told}")


def test_what_came_by_standard_input_has_no_context() -> None:
    check(
        copied("/a", "COPY a /", Known(context="-")),
        "There is no a in what came by standard input: a Dockerfile that comes there has no context. | Name the folder "
        "that holds the sources: `-f - FOLDER` reads the Dockerfile alone from there.",
    )


def test_what_another_stage_does_not_have() -> None:
    check(
        copied("/out/x", "COPY --from=build /out/x /"),
        "`build` has no /out/x, which COPY --from=build /out/x / takes from it. | Look at what `build` writes, and "
        "where "
        "(WORKDIR counts).",
    )


def test_files_of_a_real_folder(project: Project) -> None:
    project.dockerfile("FROM python:3.12-slim AS base\nFROM base AS final\nRUN true")
    project.write(".dockerignore", "*.md\n*.txt\n!keep.txt\n")
    project.write("a.txt", "x")
    project.write("tools/run.sh", "#!/bin/sh\r\ntrue\r\n")
    (project / "away").symlink_to("/etc")
    known = nearby(BuildOptions(), cwd=project.path)
    assert known.stages == ("base", "final")
    assert known.bases == {"base": "python:3.12-slim", "final": "python:3.12-slim"}
    assert (known.rule("a.txt"), known.rule("keep.txt"), known.rule("gone.txt")) == ("*.txt", "", "")
    assert (known.leads("away"), known.leads("tools/run.sh")) == ("/etc", "")
    assert known.leads("away/passwd") == "/etc"
    assert (known.windows("run.sh"), known.windows("a.txt")) == ("tools/run.sh", "")
    assert known.entries("tools") == ["run.sh"]
    assert known.entries("none") == ()
    check(
        copied("/a.txt", "COPY a.txt /", known),
        "a.txt is there, but the rule `*.txt` of .dockerignore leaves it out of the context. | Take the rule out, "
        "or add "
        "`!a.txt` below it.",
    )
    check(
        copied("/away", "COPY away /", known),
        "away is a link that leads out of the context, to /etc. | Put a copy in its place, or give a context that "
        "holds "
        "both.",
    )


def test_a_project_that_cannot_be_looked_at(project: Project) -> None:
    known = nearby(BuildOptions(context="https://example.com/x.git"), cwd=project.path)
    assert (known.stages, known.entries(""), known.rule("x")) == ((), (), "")
    project.dockerfile("FROM busybox AS a\nRUNN true")
    assert nearby(BuildOptions(), cwd=project.path).stages in ((), ("a",))


# --- commands -------------------------------------------------------------------------------

APT = "`RUN apt-get update && apt-get install -y --no-install-recommends {}`"
MEMORY = "Give the engine more memory, or let the step do less at once (`make -j2`, fewer workers)."
PRUNE = "Free some: the key `p` prunes the cache, or `docker buildx prune`; `docker system df` shows what takes it."
TOOLS = "There is no {} in the image, which a package needs to be built. | Install it in a step above: "
SUBSTITUTE = Known(own="linux/amd64", windows=lambda name: f"bin/{name}")

COMMANDS = {
    "killed": (
        ran("exit code: 137", "Killed"),
        f"The step's command was killed (exit code 137), as happens when memory runs out. | {MEMORY}",
    ),
    # BuildKit, `executor/runcexecutor/executor_linux.go`: ENOMEM where the cgroup counted a kill
    "killed, and the kernel says why": (
        ran("exit code: 137: cannot allocate memory"),
        f"The step was killed: its memory ran out. | {MEMORY}",
    ),
    "a compiler that was killed": (
        ran("exit code: 2", "c++: fatal error: Killed signal terminated program cc1plus", "make: *** [all] Error 1"),
        f"The step's command was killed (exit code 137), as happens when memory runs out. | {MEMORY}",
    ),
    "node's heap": (
        ran("exit code: 134", "FATAL ERROR: Ineffective mark-compacts near heap limit - JavaScript heap out of memory"),
        "Node's heap ran out of memory. | Give it more: `NODE_OPTIONS=--max-old-space-size=4096` before the "
        "command, and "
        "the engine as much.",
    ),
    "no space": (
        ran("exit code: 1", "cp: write error: No space left on device"),
        f"No space is left where the step writes. | {PRUNE}",
    ),
    "no space in a mount": (
        ran(
            "exit code: 1", "cp: write error: No space left on device", text="RUN --mount=type=tmpfs,target=/t,size=9 x"
        ),
        f"No space is left where the step writes; its tmpfs mount has a size. | Raise that, or: {PRUNE}",
    ),
    "no space for BuildKit": (
        Failure("failed to copy files: write /var/lib/docker/x: no space left on device", text="COPY . /"),
        f"No space is left on the builder's disk. | {PRUNE}",
    ),
    "a foreign platform": (
        ran("exit code: 1", "exec /bin/sh: exec format error", on="linux/arm64", known=SUBSTITUTE),
        "The builder cannot run programs of linux/arm64: its own platform is linux/amd64. | Install an emulator "
        "(`docker "
        "run --privileged --rm tonistiigi/binfmt --install arm64`), or build with `--platform linux/amd64`.",
    ),
    "a foreign program": (
        ran("exit code: 1", "exec /x: exec format error", on="linux/amd64"),
        "/x cannot be run on linux/amd64: it is made for another platform, or is a script without a `#!` line. | "
        "Take the "
        "program for this platform (`$TARGETARCH` is its name), or begin the script with `#!/bin/sh`.",
    ),
    "a foreign program, read by a shell": (
        ran("exit code: 127", "/x: line 1: \x7fELF\x02\x01\x01\x02\xb7\x01: not found"),
        "/x cannot be run: it is made for another platform, or is a script without a `#!` line. | Take the program for "
        "this platform (`$TARGETARCH` is its name), or begin the script with `#!/bin/sh`.",
    ),
    "no shell": (
        ran(
            "exit code: 1",
            'runc run failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no such '
            "file or directory",
        ),
        'There is no /bin/sh in the image, and RUN needs it. | Write the command as a list (`RUN ["program", '
        '"argument"]`), or take a base that has a shell.',
    ),
    "no gcc, by ash": (
        ran("exit code: 127", "/bin/sh: gcc: not found", base="python:3.12-alpine"),
        TOOLS.format("gcc") + "`RUN apk add --no-cache build-base`.",
    ),
    "no make, by dash": (
        ran("exit code: 127", "/bin/sh: 1: make: not found", base="docker.io/library/node:22-slim"),
        TOOLS.format("make") + APT.format("build-essential") + ".",
    ),
    "no cargo, by bash": (
        ran("exit code: 127", "/bin/bash: line 1: cargo: command not found", base="fedora:42"),
        TOOLS.format("cargo") + "`RUN dnf install -y cargo`.",
    ),
    "no gcc, by setuptools": (
        ran(
            "exit code: 1", "error: command 'gcc' failed: No such file or directory", base="x", text="RUN pip install y"
        ),
        TOOLS.format("gcc") + APT.format("build-essential") + " (Alpine: `apk add --no-cache build-base`).",
    ),
    "no gcc by its long name": (
        ran(
            "exit code: 1",
            "error: command '/usr/bin/x86_64-linux-gnu-gcc' failed: No such file or directory",
            base="debian:12",
        ),
        TOOLS.format("gcc") + APT.format("build-essential") + ".",
    ),
    "no make, by make's kin": (
        ran("exit code: 1", "gyp ERR! stack Error: not found: make", "gyp ERR! not ok", base="node:22-alpine"),
        TOOLS.format("make") + "`RUN apk add --no-cache build-base`.",
    ),
    "no python, by node-gyp": (
        ran(
            "exit code: 1",
            "npm error gyp ERR! find Python You need to install the latest version of Python.",
            base="node:22-alpine",
        ),
        "There is no python3 in the image. | Install it in a step above: `RUN apk add --no-cache python3`.",
    ),
    "no pg_config": (
        ran("exit code: 1", "Error: pg_config executable not found.", base="python:3.12"),
        "There is no pg_config in the image. | Install it in a step above: " + APT.format("libpq-dev gcc") + ".",
    ),
    "no header": (
        ran("exit code: 1", "x.c:1:10: fatal error: Python.h: No such file or directory", base="debian:12"),
        "The header Python.h, which a compiler needs, is not in the image. | Install it in a step above: "
        + APT.format("python3-dev gcc")
        + ".",
    ),
    "no Rust, by pip": (
        ran("exit code: 1", "Cargo, the Rust package manager, is not installed or is not on PATH.", base="python:3.13"),
        TOOLS.format("cargo") + APT.format("cargo") + ".",
    ),
    "no tool, by runc": (
        ran(
            "exit code: 1",
            'runc run failed: unable to start container process: exec: "git": executable file not found in $PATH',
            base="alpine:3.20",
        ),
        "There is no git in the image. | Install it in a step above: `RUN apk add --no-cache git`.",
    ),
    "a tool that nobody knows": (
        ran("exit code: 127", "/bin/sh: 1: frobnicate: not found", base="debian:12"),
        "There is no frobnicate in the image. | Install the package that brings it in a step above, or look at its "
        "name "
        "and at PATH.",
    ),
    "a base without packages": (
        ran("exit code: 127", "/bin/sh: gcc: not found", base="busybox"),
        "There is no gcc in the image, which a package needs to be built. | Its base has no package manager: take "
        "a base "
        "that has it, or copy it with `COPY --from=IMAGE`.",
    ),
    "sudo": (
        ran("exit code: 127", "/bin/sh: 1: sudo: not found"),
        "There is no sudo in the image. | Leave it out: a RUN is root's, unless a USER stands above it.",
    ),
    "a script that may not be run": (
        ran("exit code: 126", "/bin/sh: /run.sh: Permission denied"),
        "/run.sh may not be executed. | `chmod +x run.sh` (in git: `git update-index --chmod=+x run.sh`), or `COPY "
        "--chmod=755` it.",
    ),
    "a script that runc may not run": (
        ran("exit code: 1", 'runc run failed: unable to start container process: exec: "/run.sh": permission denied'),
        "/run.sh may not be executed. | `chmod +x run.sh` (in git: `git update-index --chmod=+x run.sh`), or `COPY "
        "--chmod=755` it.",
    ),
    "Windows line ends": (
        ran("exit code: 127", "/bin/sh: /run.sh: not found", known=SUBSTITUTE),
        "bin/run.sh has Windows line ends, which are taken for part of its first line. | Save it with LF line ends "
        "(`sed "
        "-i 's/\\r$//' bin/run.sh`; in git: `*.sh text eol=lf` in .gitattributes).",
    ),
    "Windows line ends, by env": (
        ran("exit code: 127", "/usr/bin/env: 'bash\\r': No such file or directory"),
        "A script of this step has Windows line ends, which are taken for part of its first line. | Save it with "
        "LF line "
        "ends (`sed -i 's/\\r$//' FILE`; in git: `*.sh text eol=lf` in .gitattributes).",
    ),
    "a script that is not there": (
        ran("exit code: 1", "exec /run.sh: no such file or directory"),
        "/run.sh is not in the image, or what its `#!` line names is not. | Look at the COPY that should bring it, at "
        "WORKDIR, and at the script's first line.",
    ),
    "no such user": (
        ran("unable to find user app: no matching entries in passwd file"),
        "There is no user app in the image. | Make it in a step above: `RUN useradd app` (Alpine: `adduser -D app`).",
    ),
    "a secret that it could do without": (
        ran(
            "exit code: 1",
            "cat: can't open '/run/secrets/token': No such file or directory",
            text="RUN --mount=type=secret,id=token cat /run/secrets/token",
        ),
        "The secret token is not given. | Give it: `--secret id=token,src=FILE` or `id=token,env=NAME`.",
    ),
    "no name in a step": (
        ran("exit code: 100", "W: Failed to fetch http://x  Temporary failure resolving 'deb.debian.org'"),
        "The step could not reach deb.debian.org: its name was not found (DNS). | Look at the engine's network and "
        "DNS, "
        "or build with `--network host`.",
    ),
    "no network in a step": (
        ran("exit code: 1", "wget: bad address 'example.com'", text="RUN --network=none wget http://example.com"),
        "The step could not reach example.com: it has no network (--network=none). | Take that flag away, or fetch "
        "what it needs in a step above.",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name: str) -> None:
    check(*COMMANDS[name])


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (("one", "cat: can't open 'cmd/*.go'"), "cat: can't open 'cmd/*.go'"),
        (
            ("x.c:1: error: no", "make[1]: *** [Makefile:2: x.o] Error 1", "make: *** [Makefile:9: all] Error 2"),
            "x.c:1: error: no",
        ),
        (
            ("ERROR: No matching distribution found for x", "", "[notice] A new release of pip is available"),
            "ERROR: No matching distribution found for x",
        ),
        (
            ("npm error 404  'x@*' is not there.", "npm error A complete log of this run can be found in: /l"),
            "npm error 404  'x@*' is not there.",
        ),
        (("", "make: *** [all] Error 1"), ""),
        ((), ""),
    ],
)
def test_the_line_that_says_why_a_command_failed(output: tuple[str, ...], line: str) -> None:
    assert telling(output) == line


def test_the_base_of_a_stage_on_a_stage() -> None:
    known = Known(bases={"build": "golang:1.24-alpine"})
    found = ran("exit code: 127", "/bin/sh: git: not found", known=known).advice()
    assert found is not None
    assert found.mend == "Install it in a step above: `RUN apk add --no-cache git`."


# --- what was asked -------------------------------------------------------------------------

ASKED = {
    # BuildKit and the legacy builder: the same parser, older and newer
    "an old frontend": (
        Failure("failed to create LLB definition: Dockerfile parse error line 2: Unknown flag: mount"),
        "The Dockerfile frontend that was taken does not know `RUN --mount`. | Make `# syntax=docker/dockerfile:1` the "
        "first line, or update Docker.",
    ),
    "an old frontend, with its line": (
        Failure(
            "dockerfile parse error on line 2: unknown flag: mount", words=("   2 | >>> RUN --mount=type=cache x",)
        ),
        "The Dockerfile frontend that was taken does not know `RUN --mount` (RUN --mount=type=cache x). | Make "
        "`# syntax=docker/dockerfile:1` the first line, or update Docker.",
    ),
    "the legacy builder": (
        Failure(
            "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build "
            "images with BuildKit enabled"
        ),
        "A `docker build` without BuildKit was started, and that knows no `RUN --mount`. | Unset DOCKER_BUILDKIT=0, or "
        "say `docker buildx build`; hitmiss itself always builds with BuildKit.",
    ),
    "a flag": (
        Failure(
            "dockerfile parse error on line 2: unknown flag: --mont (did you mean mount?)",
            words=("   2 | >>> RUN --mont=type=cache,target=/x true",),
        ),
        "RUN has no flag --mont. | Did you mean --mount?",
    ),
    "a target": (
        Failure('target stage "finall" could not be found (did you mean final?)'),
        "There is no stage finall in the Dockerfile. | Did you mean final? Its stages: deps, build, final.",
    ),
    "a target that is like none": (
        Failure('target stage "zzz" could not be found'),
        "There is no stage zzz in the Dockerfile. | Its stages: deps, build, final.",
    ),
    "no base": (
        Failure("base name (${BASE}) should not be blank"),
        "FROM ${BASE} names no image: the argument BASE has no value. | Give it one: `--build-arg BASE=IMAGE`, or `ARG "
        "BASE=IMAGE` above the first FROM.",
    ),
    "nothing by standard input": (
        Failure("failed to read dockerfile: no local sources enabled"),
        "Nothing came by standard input, from where `-` reads a Dockerfile or a tar archive. | Give it one (`hitmiss "
        "build - < Dockerfile`), or name the folder that holds the sources.",
    ),
    "capitals": (
        Failure(
            'failed to parse stage name "BusyBox": invalid reference format: repository name (library/BusyBox) must be '
            "lowercase"
        ),
        '"BusyBox" is no name of an image or stage: it has capital letters. | Write it in small letters.',
    ),
    "a secret": (
        Failure("secret token: not found", text="RUN --mount=type=secret,id=token,required=true x"),
        "The secret token is not given. | Give it: `--secret id=token,src=FILE` or `id=token,env=NAME`.",
    ),
    "a secret's file": (
        Failure("failed to stat nope.txt: stat nope.txt: no such file or directory"),
        "The file nope.txt, which a secret or a key is to be read from, is not there. | Look at `src=` of "
        "--secret; paths "
        "are taken from the folder where hitmiss was started.",
    ),
    "a key": (
        Failure("unset ssh forward key default", text="RUN --mount=type=ssh,required=true x"),
        "A step wants the SSH key or agent `default`, and none is given. | Give it: `--ssh default`.",
    ),
    "an agent": (
        Failure(
            "failed to convert agent config {default [] false}: invalid empty ssh agent socket: make sure "
            "SSH_AUTH_SOCK is set"
        ),
        "There is no SSH agent: SSH_AUTH_SOCK is not set. | Start one (`eval $(ssh-agent)` and `ssh-add`), or name "
        "a key: "
        "`--ssh default=KEYFILE`.",
    ),
    "an entitlement": (
        Failure("failed to load LLB: network.host is not allowed"),
        "The build wants network.host, which is not allowed. | Allow it with `--allow network.host`, if you trust the "
        "Dockerfile; the builder must allow it too.",
    ),
    "a driver": (
        Failure(
            "Cache export is not supported for the docker driver. Switch to a different driver, or turn on the "
            "containerd "
            "image store, and try again. Learn more at https://docs.docker.com/go/build-cache-backends/"
        ),
        "Cache export is not supported by the docker driver of this builder. | Take another builder (`docker "
        "buildx create "
        "--use --driver docker-container`), or turn on the engine's containerd image store.",
    ),
    "a variable of a bake file": (
        Failure(
            'docker-bake.hcl:2,19-23: Unknown variable; There is no variable named "NOPE"., and 1 other diagnostic(s)'
        ),
        'The variable NOPE of docker-bake.hcl:2 is not defined. | Define it in the bake file (`variable "NOPE" { '
        "default "
        '= "" }`), or mend its name.',
    ),
    "a variable of a compose file": (
        Failure(
            "error while interpolating services.web.build.args.A: required variable NOPE is missing a value: the "
            "version "
            "is missing"
        ),
        "The compose file needs the variable NOPE, which has no value (the version is missing). | Set it in .env or in "
        "the environment: `NOPE=…`.",
    ),
    "a bake target": (
        Failure("failed to find target zz"),
        "There is no target zz in the bake or compose file. | Look at its name, and at `inherits` and `contexts`: "
        "`docker "
        "buildx bake --list targets` names them all.",
    ),
    "a circle of targets": (
        Failure("infinite loop from b to a"),
        "The targets b and a need each other, so neither can be built first. | Take one of the two `target:` contexts "
        "away.",
    ),
    "a builder's own image": (
        Failure(
            'Error response from daemon: failed to resolve reference "docker.io/moby/buildkit:buildx-stable-1": '
            "failed to "
            "do request: x: no such host",
            builder="kon",
        ),
        "The builder kon could not be started: its own image moby/buildkit:buildx-stable-1 could not be fetched. | "
        "Mend "
        "the network to Docker Hub, or build on another one: `--builder default`.",
    ),
    "an engine without BuildKit": (
        Failure('Error response from daemon: failed to resolve reference "docker.io/moby/buildkit:buildx-stable-1": x'),
        "The engine has no BuildKit of its own, and the image moby/buildkit:buildx-stable-1 that brings it could not "
        "be fetched. | Update Docker Engine to 23 or newer, or mend the network to Docker Hub.",
    ),
    "a layer that the engine collected": (
        Failure(
            'failed to prepare extraction snapshot "extract-639737067-jjSg sha256:444906ad": parent snapshot '
            "sha256:37f84f1c does not exist: not found"
        ),
        "The engine deleted a layer of the image before, while it wrote the new one on it. | Build again: all that ran "
        "is in the cache.",
    ),
    "a result that the engine let go of": (
        Failure(
            "failed to commit usili9 to pxcp46 during finalize: failed to stat active key during commit: "
            "snapshot usili9 does not exist: not found"
        ),
        "The engine let go of what a build that was canceled had written, while this one read it. | Build again.",
    ),
    "a builder that is silent": (
        Failure("context deadline exceeded", builder="dead"),
        "The builder dead did not answer. | `docker buildx inspect --bootstrap dead` shows why; `docker buildx ls` "
        "lists "
        "the others.",
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_was_asked(name: str) -> None:
    check(*ASKED[name])


@pytest.mark.parametrize(("value", "off"), [("0", True), ("false", True), ("1", False), ("", False), ("no", False)])
def test_docker_build_without_buildkit(value: str, off: bool) -> None:
    """As Go's `strconv.ParseBool` reads it."""
    assert bool(plain_build({"DOCKER_BUILDKIT": value})) is off
    assert plain_build({}) == ""


# --- what is not recognised -------------------------------------------------------------------

OTHER = {
    "a test that fails": ran("exit code: 1", "FAILED tests/test_x.py - assert 1 == 2"),
    "nothing said": ran("exit code: 3"),
    "a tool's word, in a step that says it and ends otherwise": ran("exit code: 2", "grep: frobnicate: not found"),
    "a program that is looked at": ran("exit code: 2", "/bin/x: ELF 64-bit LSB executable, x86-64, version 1 (SYSV)"),
    "a syntax error": Failure("dockerfile parse error on line 1: FROM requires either one or three arguments"),
    "words in a command": Failure(
        "process \"/bin/sh -c echo 'no space left on device; infinite loop from a to b; secret x: not found'\" did not "
        "complete successfully: exit code: 1",
        text="RUN x",
    ),
    "canceled": Failure("Canceled: context canceled"),
    "nothing": Failure(""),
    "an image that only was not waited for": image("docker.io/library/x:1", "context canceled"),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_is_not_recognised(name: str) -> None:
    assert OTHER[name].advice() is None


@pytest.mark.parametrize("name", [*IMAGES, *COMMANDS, *ASKED])
def test_every_sentence_is_one_line_that_ends(name: str) -> None:
    found = (IMAGES | COMMANDS | ASKED)[name][0].advice()
    assert found is not None
    for text in (found.sentence, found.mend):
        assert "\n" not in text
        assert text[-1] in ".?"
        assert text[0].isupper() or text[0] in '`/".' or "." in text.split()[0]
