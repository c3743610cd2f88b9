"""Why the selected step ran, did not, or will: the sentences of `hitmiss.explain` under the step's name."""

from __future__ import annotations

from collections.abc import Mapping

from hitmiss import explain
from hitmiss.build.model import Build, Planned, Step, Verdict
from hitmiss.explain import Line, Part, Role
from hitmiss.explain.making import own_work
from hitmiss.symbols import plain, symbol_of
from hitmiss.ui.widgets.parts_view import PartsLines
from hitmiss.ui.widgets.search_pane import SearchPane

_ROLES = {"hit": Role.HIT, "miss": Role.MISS, "failed": Role.FAILED, "running": Role.STRONG}
NOTHING_CHOSEN = "Choose a step to see why it ran, or why it did not."


class WhyView(SearchPane):
    """The Why panel."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        self.lines = PartsLines()
        self.lines.placeholder = NOTHING_CHOSEN
        super().__init__(self.lines, id=id, classes=classes)
        self._shown: tuple[object, ...] = ()
        self._about = ("", 0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Sentences are always wrapped."""
        return False if action == "toggle_wrap" else super().check_action(action, parameters)

    def show(self, step: Step | None, build: Build, caches: Mapping[str, int] | None = None) -> None:
        """Tell of this step of this build, without one of the whole; cheap when neither has changed.

        `caches` are cache mounts: id → bytes.
        """
        said = (build.error, caches)
        if self._shown and self._shown[0] is step and self._shown[1] is build.stages and self._shown[2] == said:
            return
        self._shown = (step, build.stages, said)
        about = (step.id if step else "", build.number)
        before, self._about = self._about, about
        lines = why_lines(step, build, caches) if step else explain.whole(build)
        self.lines.show(lines, from_top=about != before)


def why_lines(step: Step, build: Build, caches: Mapping[str, int] | None = None) -> tuple[Line, ...]:
    """All that the panel says."""
    words = explain.plain_words(step)
    simple: tuple[Line, ...] = ((), (Part("In plain words", Role.STRONG),), (Part(words),)) if words else ()
    if own := own_work(step):
        head = (Part(f"{symbol_of(step).glyph} ", Role.DIM), Part(plain(step.instruction), Role.STRONG))
        return (head, (), *(explain.failure(step, build) if build.advice else ()), *own)
    mounted = explain.mounts(step, caches)
    mounted = ((), *mounted) if mounted else ()
    return (_head(step), (), *explain.failure(step, build), *explain.reason(step, build), *mounted, *simple)


def _head(step: Step) -> Line:
    symbol = symbol_of(step)
    role = _ROLES.get(symbol.colour, Role.DIM)
    word, _, instruction = explain.headline(step).partition("  ")
    where = explain.place(step)
    return (
        Part(f"{symbol.glyph} {word}  ", role),
        Part(instruction, Role.STRONG),
        Part(f"   {where}" if where else "", Role.DIM),
    )


def root_of(step: Step | None) -> str:
    """The id of the step where this one's chain began, "" when there is none or it is the step itself."""
    if step is None or step.cause is None or step.cause.root == step.id:
        return ""
    told = step.verdict is not Verdict.HIT and step.planned is not Planned.HIT
    return step.cause.root if told or step.verdict in (Verdict.MISS, Verdict.FAILED) else ""
