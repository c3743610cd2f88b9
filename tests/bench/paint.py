"""First paint: from the start of the process to the first full frame, against the smallest Textual program."""

from __future__ import annotations

import sys

import pyte

from tests.bench.place import HITMISS, Place
from tests.bench.saves import DOCKERFILE
from tests.bench.table import Row, ratio
from tests.bench.terminal import Look, Terminal, text_of
from tests.support.project import Project

BARE = """
from textual.app import App
from textual.widgets import Static


class Bare(App):
    def compose(self):
        yield Static("A bare Textual app")


Bare().run()
"""
GOAL = 1.25


def _ours(screen: pyte.Screen) -> bool:
    text = text_of(screen)
    return all(words in text for words in ("bench-paint", "Steps", "COPY src src", "COPY --from=code"))


def _theirs(screen: pyte.Screen) -> bool:
    return "A bare Textual app" in text_of(screen)


def _painted(place: Place, project: Project, command: tuple[str, ...], look: Look) -> float:
    with Terminal(command, cwd=project.path, env=place.env) as terminal:
        return terminal.wait(look, what="the first frame") - terminal.started


def first_paint(place: Place) -> list[Row]:
    """Both in a terminal of 120×40, one after the other; the first of each pair alternates."""
    project = place.project("bench-paint", DOCKERFILE)
    project.write("requirements.txt", "flask\n")
    project.write("src/app.txt", "paint\n")
    script = project.path.parent / "bare.py"
    script.write_text(BARE)
    ours, theirs = (HITMISS, _ours), ((sys.executable, str(script)), _theirs)
    pairs = []
    for number in range(place.pairs(15, 5) + 1):
        order = (ours, theirs) if number % 2 else (theirs, ours)
        took = [_painted(place, project, *side) for side in order]
        pairs.append((took[0], took[1]) if number % 2 else (took[1], took[0]))
    what = "start → first full frame (header and all steps): hitmiss, against a Textual app with one Static"
    return [ratio("paint", what, pairs[1:], sides=("hitmiss", "bare"), goal=GOAL)]
