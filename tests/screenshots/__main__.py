"""Runs the demo for real in the full screen, and writes what it shows to `screenshots/`; records the demo on the way.

Nothing is drawn that did not happen: each picture waits for its moment in a real build on the private engine.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from hitmiss import settings
from hitmiss.build.model import Planned, Status, Verdict
from hitmiss.build.recording import Writer
from hitmiss.docker.client import find_client
from hitmiss.history.store import Store
from hitmiss.session import Session
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Snapshot
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.widgets.step_tree import StepTree
from hitmiss.workspace import open_workspace
from tests.support import examples
from tests.support.engine import PrivateEngine
from tests.support.picture import write_png
from tests.support.wait import wait_for_async

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "screenshots"
EXAMPLES = ROOT / "src" / "hitmiss" / "examples"
WIDE, SMALL = (120, 36), (80, 24)
PACE_MS = 250
"""How long the stand-in package managers take, so that a step can be seen while it runs."""


class Stage:
    """A session in the full screen, without a terminal."""

    def __init__(self, folder: Path, app: HitmissApp, session: Session, pilot: Pilot[int]) -> None:
        self.folder, self.app, self.session, self.pilot = folder, app, session, pilot

    async def until(self, condition: Callable[[Snapshot], object]) -> None:
        """Wait until the session has come to this, and the screen shows it."""
        await wait_for_async(lambda: condition(self.session.snapshot()), timeout=60)
        await self.pilot.pause(0.3)

    async def built(self, number: int) -> None:
        """Wait until that build is over."""
        await self.until(lambda snap: snap.build.number >= number and snap.build.status.ended and snap.cache_bytes)

    async def explained(self, number: int) -> None:
        """Wait until that build is over and its misses have their causes."""
        await self.built(number)
        await self.until(lambda snap: all(s.cause for s in snap.build.steps if s.verdict is Verdict.MISS))

    def save(self, name: str, old: str, new: str) -> None:
        """Change a file as an editor does."""
        path = self.folder / name
        path.write_text(path.read_text().replace(old, new))

    def take(self, name: str) -> None:
        """Write the screen as it is now."""
        write_png(self.app.export_screenshot(title="hitmiss"), PICTURES / f"{name}.png")
        print(f"screenshots/{name}.png")


@asynccontextmanager
async def stage(
    folder: Path, size: tuple[int, int] = WIDE, theme: str = "", writer: Writer | None = None
) -> AsyncIterator[Stage]:
    """The full screen on a folder."""
    space = await open_workspace(BuildOptions(), settings.load(folder), cwd=folder)
    session = Session(space, store=Store(folder.parent / "history.sqlite"), writer=writer)
    app = HitmissApp(session, theme_name=theme)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Stage(folder, app, session, pilot)
        await session.close()


def running(keyword: str) -> Callable[[Snapshot], object]:
    """Whether a step with this word runs and has written something."""

    def condition(snap: Snapshot) -> object:
        return any(s.verdict is Verdict.RUNNING and keyword in s.instruction for s in snap.build.steps)

    return condition


async def main_story(folder: Path) -> None:
    """First build, all hit, a save, the target list, the prune dialog, a failure: in the order they would happen."""
    writer = Writer(EXAMPLES / "webapp.jsonl")
    async with stage(folder, writer=writer) as on:
        await on.until(running("pip install"))
        await on.pilot.pause(0.6)
        on.take("building")
        await on.built(1)
        await on.pilot.press("r")
        await on.built(2)
        on.take("all-hit")
        on.save("src/greeting.py", "Hello", "Good morning")
        await on.built(3)
        on.take("save")
        writer.close()
        await on.pilot.press("d")
        await on.pilot.pause(0.2)
        on.take("dockerfile")
        await on.pilot.press("t")
        await on.until(lambda snap: len(on.app.screen_stack) > 1)
        on.take("targets")
        await on.pilot.press("escape")
        await on.pilot.press("p")
        await on.until(lambda snap: len(on.app.screen_stack) > 1)
        await on.pilot.pause(1.0)
        on.take("prune")
        await on.pilot.press("escape")
        on.save("tools/bundle.sh", "mkdir -p", "mkdir")
        on.save("tools/bundle.sh", "set -eu", "set -eu\ncat fonts/missing.css")
        await on.until(lambda snap: snap.build.status is Status.FAILED)
        on.take("failure")


async def reasons(folder: Path, engine: PrivateEngine) -> None:
    """What the Why tab says after each thing that people do; and the plan, before a build."""
    dockerfile = "Dockerfile"
    async with stage(folder) as on:
        await on.built(1)
        on.save("src/greeting.py", "Good morning", "Good evening")
        await on.explained(2)
        on.take("why-file")
        on.save(dockerfile, "ARG VERSION=1.0", "ARG VERSION=1.1")
        await on.explained(3)
        on.take("why-argument")
        on.save("src/greeting.py", "Good evening", "Good morning")
        on.save(dockerfile, "ARG VERSION=1.1", "ARG VERSION=1.0")
        await on.explained(4)
        await on.pilot.press("h")
        await on.pilot.pause(0.3)
        on.take("history")
        await on.pilot.press("a")
        engine.import_base("python:3.12-slim", pace_ms=PACE_MS, marker="a newer one")
        await on.pilot.press("r")
        await on.explained(5)
        on.take("why-base")
        engine.empty_cache()
        await on.pilot.press("r")
        await on.explained(6)
        on.take("why-pruned")
        await on.pilot.press("o", "o")  # nothing is built by itself: the plan stands
        on.save("requirements.txt", "flask==3.1.2", "flask==3.1.1")
        await on.until(lambda snap: any(step.planned is Planned.RUN for step in snap.build.steps))
        await on.pilot.pause(0.3)
        on.take("plan")


async def other_looks(folder: Path) -> None:
    """The same project at 80×24, and in the light theme."""
    async with stage(folder, size=SMALL) as on:
        await on.built(1)
        on.save("src/greeting.py", "Good morning", "Good evening")
        await on.built(2)
        on.take("80x24")
    async with stage(folder, theme="hitmiss-light") as on:
        await on.built(1)
        on.save("requirements.txt", "flask==3.1.2", "flask==3.1.1")
        await on.until(running("pip install"))
        await on.pilot.pause(0.6)
        await on.pilot.press("d")
        await on.pilot.pause(0.2)
        on.take("light")


async def several_images(folder: Path) -> None:
    """Two images of a compose file, and a chain of two."""
    async with stage(folder / "shop") as on:
        await on.built(1)
        on.save("backend/src/app.py", ":.2f}", ":.3f}")
        await on.explained(2)
        on.take("shop")
    (folder / "history.sqlite").unlink()
    async with stage(folder / "voice") as on:
        await on.built(1)
        on.save("uv.lock", 'version = "2.0.0"', 'version = "2.0.1"')
        await on.until(running("uv sync"))
        await on.pilot.pause(1.2)
        on.take("voice-waiting")
        await on.explained(2)
        on.app.query_one(StepTree).select("app:app:4")
        await on.pilot.pause(0.3)
        on.take("voice")


def _repository(folder: Path) -> None:
    """Make the folder a git repository, whose branch the tags name."""
    who = ["-c", "user.name=shots", "-c", "user.email=shots@localhost", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def main() -> None:
    """Take all pictures."""
    with PrivateEngine() as engine, tempfile.TemporaryDirectory() as scratch:
        engine.import_base("python:3.12-slim", pace_ms=PACE_MS)
        os.environ.update(engine.env(home=Path(scratch) / "home"))
        find_client.cache_clear()
        folder = Path(scratch) / "webapp"
        shutil.copytree(EXAMPLES / "webapp", folder)
        asyncio.run(main_story(folder))
        shutil.rmtree(folder)
        (folder.parent / "history.sqlite").unlink()
        shutil.copytree(EXAMPLES / "webapp", folder)
        lines = folder / "Dockerfile"
        lines.write_text(lines.read_text().replace("RUN python -m", "ARG VERSION=1.0\nRUN python -m"))
        greeting = folder / "src" / "greeting.py"
        greeting.write_text(greeting.read_text().replace("Hello", "Good morning"))
        engine.empty_cache()  # of what an earlier story left, a new memory's first plan knows nothing
        asyncio.run(reasons(folder, engine))
        (folder.parent / "history.sqlite").unlink()
        shutil.rmtree(folder)
        shutil.copytree(EXAMPLES / "webapp", folder)
        (folder / "src" / "greeting.py").write_text(
            (folder / "src" / "greeting.py").read_text().replace("Hello", "Good morning")
        )
        asyncio.run(other_looks(folder))
        (folder.parent / "history.sqlite").unlink()
        for name in ("shop", "voice"):
            examples.load_bases(engine, name, pace_ms=PACE_MS)
            examples.copy(name, Path(scratch) / name)
        _repository(Path(scratch) / "voice")
        asyncio.run(several_images(Path(scratch)))


if __name__ == "__main__":
    main()
