"""Several targets at once: a bake of 20 targets and 400 steps on the screen, and `shop` from a save to both images."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from pathlib import Path

from tests.bench import busy
from tests.bench.place import HITMISS, Place, quiet
from tests.bench.table import Row, ratio
from tests.bench.terminal import Terminal
from tests.support import examples
from tests.support.project import Project
from tests.support.wait import wait_for

TARGETS, STEPS = 20, 20
BAKE = ("docker", "buildx", "bake", "--progress=plain")
GOAL_SHOP = 1.0
_HALVES = ("backend", "frontend")


def several(place: Place) -> list[Row]:
    """Both."""
    return [*_baking(place), _shop(place)]


def _baking(place: Place) -> list[Row]:
    """A save that runs all 400 steps."""
    ours, theirs = (_bake(place.project(f"bench-bake-{side}", "FROM scratch\n")) for side in ("ours", "theirs"))
    what = f"{TARGETS} targets with {TARGETS * STEPS} steps are baked"
    return busy.rows(place, ours, theirs, what, command=BAKE, group="targets")


def _bake(project: Project) -> Project:
    targets = {}
    for number in range(TARGETS):
        folders = "\n".join(f"WORKDIR /{number}/{step}" for step in range(STEPS - 1))
        project.write(f"{number}.Dockerfile", f"FROM scratch\nCOPY token /\n{folders}\n")
        targets[f"t{number}"] = {"dockerfile": f"{number}.Dockerfile", "output": ["type=cacheonly"]}
    everything = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    project.write("docker-bake.json", json.dumps(everything))
    return project


class _Shop:
    """A copy of the example, and the images that come of it."""

    def __init__(self, place: Place, name: str) -> None:
        self.place, self.name = place, name
        self.path: Path = examples.copy("shop", place.folder / name)
        compose = self.path / "compose.yaml"
        compose.write_text(compose.read_text().replace("shop-", f"{name}-"))

    def save(self) -> None:
        """Change both halves."""
        for half in _HALVES:
            (self.path / half / "src" / "bench.txt").write_text(secrets.token_hex(8))

    def images(self) -> list[str]:
        """What the names of both halves belong to."""
        return [self.place.image(f"{self.name}-{half}") for half in _HALVES]

    def timed(self, *command: str) -> float:
        """Save, start the command where there is one, and wait for both images: the seconds it took."""
        before = self.images()
        began = time.monotonic()
        self.save()
        process = _quietly(command, self.path, self.place.env) if command else None
        wait_for(lambda: all(now not in ("", then) for now, then in zip(self.images(), before, strict=True)), 60)
        took = time.monotonic() - began
        if process and process.wait():
            raise RuntimeError(f"{' '.join(command)} failed")
        return took


def _quietly(command: tuple[str, ...], cwd: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    null = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=cwd, env=env, stdin=null, stdout=null, stderr=null)


def _shop(place: Place) -> Row:
    """One save of both halves each."""
    examples.load_bases(place.engine, "shop")
    ours, theirs = _Shop(place, "shop-ours"), _Shop(place, "shop-theirs")
    pairs = []
    with Terminal([*HITMISS], cwd=ours.path, env=place.env) as terminal:
        wait_for(lambda: all(ours.images()), 120, "the first build")
        for _ in range(place.pairs(9, 3) + 1):
            quiet(terminal.process.pid)
            pairs.append((ours.timed(), theirs.timed("docker", "compose", "build")))
    what = "shop: save of both halves → both images, against docker compose build started at the save"
    return ratio("targets", what, pairs[1:], sides=("hitmiss", "compose"), goal=GOAL_SHOP)
