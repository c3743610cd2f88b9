"""`hitmiss demo NAME` in a real terminal: every example opens, builds, and is the user's own to edit."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import platformdirs
import pytest

from tests.e2e.conftest import Opens, leave, wait_built
from tests.support import examples
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.usefixtures("engine_env")]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo brings its own project, wherever it is started."""
    monkeypatch.chdir(tmp_path)


def copied(name: str) -> Project:
    """The copy that the demo makes."""
    return Project(Path(platformdirs.user_data_dir("hitmiss", appauthor=False)) / "demo" / name)


def built(engine: PrivateEngine, terminal: Terminal, after: int = 0, images: tuple[str, ...] = ()) -> int:
    """Wait for a build; its images get another name each: the engine collects nothing that the next one stands on."""
    number = wait_built(terminal, after)
    for image in images:
        engine.docker("tag", image, f"kept:{uuid4().hex}")
    return number


VOICE, SHOP = ("voice:latest", "voice:latest-builder"), ("shop-backend", "shop-frontend")


@pytest.mark.parametrize("name", ["logs", "uvapp"])
def test_a_demo_of_one_image(engine: PrivateEngine, opened: Opens, name: str, tmp_path: Path) -> None:
    examples.load_bases(engine, name)
    terminal = opened("demo", name, cwd=tmp_path, cols=120, rows=40)
    wait_built(terminal)
    terminal.wait_text(f" {name} ▸ ", "never built before", "BuildKit's own work")
    assert (copied(name) / "README.md").is_file()
    leave(terminal)


def test_a_demo_that_needs_a_registry_says_so(engine: PrivateEngine, opened: Opens, tmp_path: Path) -> None:
    """Its settings name localhost:5000, where none listens here."""
    examples.load_bases(engine, "poetry-ci")
    terminal = opened("demo", "poetry-ci", cwd=tmp_path, cols=120, rows=40)
    wait_built(terminal, mark="✖ build failed: The image")  # the target called build
    terminal.wait_text("localhost:5000", "▾ build")
    print(terminal.text())
    leave(terminal)


def test_voice(engine: PrivateEngine, opened: Opens, tmp_path: Path) -> None:
    examples.load_bases(engine, "voice", pace_ms=200)
    terminal = opened("demo", "voice", cwd=tmp_path, cols=120, rows=40)
    terminal.wait_text("voice ▸ all", "▾ builder")
    first = built(engine, terminal, images=VOICE)
    terminal.wait_text("watching")
    examples.add_line(copied("voice"), "main.py")
    second = built(engine, terminal, first, VOICE)
    terminal.wait_text("1 ran: main.py changed", "6 hit", "1 miss", "◆ COPY --chown=voice:voice main.py")
    terminal.resize(80, 24)
    examples.replace(copied("voice"), "uv.lock", 'version = "2.3.4"', 'version = "2.3.3"')
    terminal.wait_text("app  ", "waiting for builder")
    wait_built(terminal, second)
    terminal.wait_text("another voice:latest-builder", "uv.lock changed")
    leave(terminal)


def test_shop(engine: PrivateEngine, opened: Opens, tmp_path: Path) -> None:
    examples.load_bases(engine, "shop")
    terminal = opened("demo", "shop", cwd=tmp_path, cols=120, rows=40)
    first = built(engine, terminal, images=SHOP)
    terminal.wait_text("watching")
    examples.add_line(copied("shop"), "frontend/src/page.js", "// changed")
    second = built(engine, terminal, first, SHOP)
    terminal.wait_text("1 ran: src/page.js changed", "5 hit", "1 miss", "▾ frontend")
    terminal.press("d")
    terminal.wait_text('CMD ["node"')
    terminal.resize(80, 24)
    examples.add_line(copied("shop"), "backend/config/products.toml")
    third = built(engine, terminal, second, SHOP)
    terminal.wait_text("2 ran: config/products.toml changed", 'CMD ["gunicorn"')
    terminal.press("t")
    terminal.wait_text("Build which target?", "backend/Dockerfile.prod", "current")
    terminal.press("fron")
    terminal.press("enter")
    wait_built(terminal, third)
    terminal.wait_text("shop ▸ frontend")
    leave(terminal)
