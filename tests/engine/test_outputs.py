"""What a build made: sizes held against the engine's own history, a registry's manifests, and files on disk."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hitmiss.build.model import BuiltImage
from hitmiss.build.transfers import Way, shown
from hitmiss.docker import client
from hitmiss.explain.making import image_short
from hitmiss.snapshot import Snapshot
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.live import Live, Starts
from tests.support.project import Project
from tests.support.registry import Registry

pytestmark = pytest.mark.usefixtures("engine_env")

MADE = ("base:2", "base:3", "base:4", "stage-2:1", "stage-2:2", "stage-2:3", "stage-2:4", "stage-2:5")
"""The steps that make layers of the image, the oldest first; `base:1` is its FROM."""


@pytest.fixture
def app(project: Project) -> Project:
    """Three stages, one of them only copied from; instructions without a layer stand between those that have one."""
    client.find_client.cache_clear()
    project.dockerfile(f"""
        FROM busybox AS base
        WORKDIR /app
        ENV A=1
        COPY a.txt b.txt ./
        ARG B=2
        RUN head -c 300000 /dev/urandom > /random; : {uuid4().hex}
        FROM base AS compiled
        RUN head -c 200000 /dev/urandom > /big
        FROM base
        WORKDIR /
        COPY --from=compiled /big /big
        COPY --link --chown=1:1 src/ /src/
        LABEL a=b
        RUN ["true"]
        RUN <<EOF
        rm /big
        EOF
        COPY <<one.txt <<two.txt /files/
        1
        one.txt
        2
        two.txt
        CMD ["sh"]
    """)
    project.write("a.txt", "a" * 1000)
    project.write("b.txt", "b" * 9000)
    project.write("src/main.txt", "s" * 50_000)
    return project


def history(engine: PrivateEngine, name: str) -> list[dict[str, Any]]:
    """The engine's own words on the image, the oldest line first."""
    lines: list[dict[str, Any]] = json.loads(engine.api("GET", f"/images/{name}/history"))
    return lines[::-1]


def manifest(registry: Registry, ref: str) -> dict[str, Any]:
    """The manifest of the one image that was pushed."""
    name, _, tag = ref.rpartition("/")[2].partition(":")
    kinds = "application/vnd.oci.image.index.v1+json,application/vnd.oci.image.manifest.v1+json"
    found: dict[str, Any] = json.loads(registry.get(f"/v2/{name}/manifests/{tag}", kinds))
    for each in found.get("manifests", ()):
        if each["platform"]["os"] != "unknown":
            found = json.loads(registry.get(f"/v2/{name}/manifests/{each['digest']}", kinds))
    return found


async def weighed(live: Live, number: int = 1) -> BuiltImage:
    await live.built(number)
    snap = await live.until(lambda snap: snap.build.number == number and snap.build.images, "the image to be weighed")
    (image,) = snap.build.images
    return image


async def rested(live: Live) -> Snapshot:
    return await live.until(lambda snap: not live.session._crew._errands.busy, "all to be known")


async def test_layers_by_step_are_those_of_docker_history(app: Project, start: Starts, engine: PrivateEngine) -> None:
    tag = f"weighed-{uuid4().hex[:8]}"
    image = await weighed(start(tags=(tag,)))
    told = history(engine, tag)
    assert tuple(layer.step for layer in image.layers) == ("base:1", *MADE)
    # The engine names instructions without a layer too, among them `WORKDIR /`.
    made = [line["Size"] for line in told if line["CreatedBy"].split()[0] in ("RUN", "COPY", "WORKDIR")]
    made = [size for size in made if size]
    assert [layer.size for layer in image.layers[1:]] == made
    assert image.layers[0].size == told[0]["Size"]
    assert image.size == sum(line["Size"] for line in told)
    assert image.size == sum(layer.size or 0 for layer in image.layers)
    (seen,) = json.loads(engine.docker("image", "inspect", tag).stdout)
    about = json.loads(engine.api("GET", f"/images/{tag}/json?manifests=1"))["Manifests"][0]
    assert image.digest == about["ID"]
    assert image.size == about["ImageData"]["Size"]["Unpacked"]
    assert image.packed == about["Size"]["Content"] - about["Descriptor"]["size"]
    assert image.packed == seen["Size"] - about["Descriptor"]["size"] - seen["Descriptor"]["size"]


async def test_packed_sizes_are_those_of_the_registry(app: Project, start: Starts, registry: Registry) -> None:
    ref = registry.ref(f"pushed-{uuid4().hex[:8]}:1")
    live = start(tags=(ref,), push=True)
    image = await weighed(live)
    pushed = manifest(registry, ref)
    assert [layer.packed for layer in image.layers] == [layer["size"] for layer in pushed["layers"]]
    assert image.packed == sum(layer["size"] for layer in pushed["layers"]) + pushed["config"]["size"]
    (moved,) = shown((await rested(live)).build)
    assert (moved.way, moved.what) == (Way.PUSH, ref)
    assert moved.bytes == image.packed
    assert moved.work.duration_s > 0
    assert any(piece.name == "pushing layers" and piece.done for piece in moved.work.pieces)


async def test_the_change_against_the_last_build_outlives_a_restart(app: Project, start: Starts) -> None:
    live = start()
    before = await weighed(live)
    await live.watching()
    app.save("src/more.txt", "m" * 1_000_000)
    image = await weighed(live, 2)
    assert image.against == 1
    assert image.grown == (image.size or 0) - (before.size or 0)
    assert 1_000_000 <= image.grown < 1_010_000
    grown = {layer.step: layer.grown for layer in image.layers if layer.grown}
    assert grown == {"stage-2:2": image.grown}
    words = image_short((await rested(live)).build)
    assert words.endswith(" MB (+1.0 MB, COPY --link --chown=1:1 src/ /src/)"), words
    await live.session.close()
    app.write("src/more.txt", "m" * 500_000)
    text = app.read("Dockerfile")
    app.write("Dockerfile", text.replace('RUN ["true"]\n', ""))
    image = await weighed(start(), 3)
    assert image.against == 2, "it is remembered"
    assert [layer.text for layer in image.gone] == ['RUN ["true"]']
    assert -510_000 < (image.grown or 0) < -490_000


async def test_a_build_that_changes_nothing_asks_nothing(
    app: Project, start: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = start()
    before = await weighed(live)
    asked = []

    async def ask(*words: str, **_: object) -> client.Answer:
        asked.append(words)
        return client.Answer(1, b"", "")

    monkeypatch.setattr(client, "ask", ask)
    live.session.rebuild()
    image = await weighed(live, 2)
    await rested(live)
    assert image.layers == tuple(type(each)(each.text, each.step, each.size, each.packed, 0) for each in before.layers)
    assert (image.size, image.packed, image.grown) == (before.size, before.packed, 0)
    assert not [words for words in asked if "attachment" in words]


@pytest.mark.parametrize("kind", ["oci", "docker", "tar", "local"])
async def test_files(kind: str, app: Project, start: Starts, tmp_path: Path) -> None:
    path = tmp_path / "out"
    live = start(outputs=(f"type={kind},dest={path}",))
    await live.built(1)
    build = (await rested(live)).build
    (moved,) = shown(build)
    assert moved.way is Way.FILES
    if kind == "local":
        assert moved.bytes is not None
        files = sum(each.stat().st_size for each in path.rglob("*") if each.is_file() and not each.is_symlink())
        assert files <= moved.bytes < files * 1.05, "the protocol's own bytes are counted too"
    else:
        assert moved.bytes == path.stat().st_size
    if kind in ("local", "tar"):
        assert not build.images
        return
    (image,) = build.images
    assert tuple(layer.step for layer in image.layers) == ("base:1", *MADE)
    with tarfile.open(path) as archive:
        sizes = {member.name: member.size for member in archive}
        read = archive.extractfile
        (entry,) = json.loads(read("index.json").read())["manifests"]  # type: ignore[union-attr]
        found = json.loads(read(f"blobs/{entry['digest'].replace(':', '/')}").read())  # type: ignore[union-attr]
    stored = [sizes[f"blobs/{layer['digest'].replace(':', '/')}"] for layer in found["layers"]]
    assert [layer.packed for layer in image.layers] == stored
    assert image.size is None, "an archive does not say"


async def test_an_image_for_two_platforms(
    project: Project, start: Starts, registry: Registry, engine: PrivateEngine
) -> None:
    client.find_client.cache_clear()
    project.dockerfile("FROM busybox\nARG TARGETARCH\nCOPY a.txt /\nCOPY ${TARGETARCH} /own")
    for name, content in (("a.txt", b"a"), ("amd64", os.urandom(5_000)), ("arm64", os.urandom(50_000))):
        project.write(name, content)
    ref = registry.ref(f"two-{uuid4().hex[:8]}:1")
    live = start(platforms=("linux/amd64,linux/arm64",), tags=(ref,), push=True)
    await live.built(1)
    build = (await rested(live)).build
    own, foreign = build.images
    assert (own.platform, foreign.platform) == ("linux/amd64", "linux/arm64")
    assert own.size == sum(line["Size"] for line in history(engine, ref))
    assert (foreign.size, foreign.layers[-1].size) == (None, None), "this engine has not unpacked it"
    for image in build.images:
        assert [layer.step for layer in image.layers[1:]] == [f"{image.platform}:stage-0:{n}" for n in (2, 3)]
        name = ref.rpartition("/")[2].partition(":")[0]
        pushed = json.loads(registry.get(f"/v2/{name}/manifests/{image.digest}"))
        assert [layer.packed for layer in image.layers] == [layer["size"] for layer in pushed["layers"]]
    assert (foreign.layers[-1].packed or 0) > 50_000


async def test_an_image_from_scratch(project: Project, start: Starts) -> None:
    client.find_client.cache_clear()
    project.dockerfile("FROM scratch\nCOPY a.txt /\nCOPY a.txt /b.txt")
    project.write("a.txt", uuid4().hex)
    image = await weighed(start())
    assert [layer.text for layer in image.layers] == ["COPY a.txt /", "COPY a.txt /b.txt"]


def test_the_report_and_the_last_line_tell_it(app: Project, engine: PrivateEngine) -> None:
    tag = f"told-{uuid4().hex[:8]}"
    report = hitmiss.report("-t", tag, ".", cwd=app.path)
    told = history(engine, tag)
    assert report["build"]["image_bytes"] == sum(line["Size"] for line in told)
    sizes = {step["id"]: step.get("layer_bytes") for step in report["steps"]}
    assert sum(size or 0 for size in sizes.values()) == report["build"]["image_bytes"]
    assert {step for step, size in sizes.items() if size is None} == {"compiled:1"}
    app.write("src/more.txt", "m" * 1_000_000)
    engine.docker("tag", tag, f"kept-{tag}")  # its layers must not go when the tag moves
    done = hitmiss.run("build", "-t", tag, ".", cwd=app.path)
    last = done.stdout.decode().splitlines()[-1]
    assert last.endswith(" MB (+1.0 MB, COPY --link --chown=1:1 src/ /src/)"), last


def test_without_an_image_there_is_no_size(app: Project) -> None:
    report = hitmiss.report("-o", "type=cacheonly", ".", cwd=app.path)
    assert "image_bytes" not in report["build"]
    assert not any("layer_bytes" in step for step in report["steps"])
