"""The full screen: shows what a session says, and hands keys to it.

The session calls `on_change` from its own loop as often as it likes; the screen asks it for a snapshot at most 20 times
a second and sets only what is different.
"""

from __future__ import annotations

import asyncio
import contextvars
import shutil
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.events import DescendantFocus, Resize
from textual.geometry import Size
from textual.screen import Screen
from textual.timer import Timer

from hitmiss.build.model import Build, Status, Step, Verdict
from hitmiss.build.transfers import what_failed
from hitmiss.errors import CANCELED, HitmissError
from hitmiss.snapshot import Snapshot
from hitmiss.symbols import plain
from hitmiss.ui import actions, theme, words
from hitmiss.ui.acts import Acts
from hitmiss.ui.subject import Subject
from hitmiss.ui.widgets.dockerfile_view import DockerfileView, LineMark
from hitmiss.ui.widgets.files_view import FilesView
from hitmiss.ui.widgets.history_view import HistoryView
from hitmiss.ui.widgets.image_view import ImageView
from hitmiss.ui.widgets.keys_line import KeysLine
from hitmiss.ui.widgets.log_view import LogView
from hitmiss.ui.widgets.marks import line_marks
from hitmiss.ui.widgets.panels import Panels
from hitmiss.ui.widgets.parts_view import PartsLines
from hitmiss.ui.widgets.status import Header, Notices, Progress, Summary
from hitmiss.ui.widgets.step_tree import StepTree
from hitmiss.ui.widgets.why_view import WhyView

__all__ = ["HitmissApp", "Subject"]

_LATE_S = 0.2
_FRAME_S = 1 / 20
_CLOCK_S = 0.1
_REST = 5
"""How many times the cost of the last frame is left to everything else before the next one."""


class HitmissApp(Acts):
    """The main screen. Its result is the exit code."""

    TITLE = "hitmiss"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (12, "-low"), (18, "-tall")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        *actions.bindings(),
        Binding("ctrl+c", "interrupt", show=False, priority=True, system=True),
        Binding("ctrl+q", "act('quit')", show=False, priority=True, system=True),
        Binding("escape", "steps", "steps", id="steps", tooltip="Go back to the steps"),
    ]

    def __init__(
        self, subject: Subject, *, theme_name: str = "", keys: dict[str, str] | None = None, welcome: str = ""
    ) -> None:
        """`keys` as in the settings; `welcome` is said once, when the screen opens."""
        super().__init__()
        self._begin_in(theme_name)
        self._welcome = welcome
        self._subject = subject
        self._keys = actions.keymap(keys or {})
        self._pending: Timer | None = None
        self._due = 0.0
        """When a drawing that was asked for is overdue, so that it is asked for again: a timer can be lost."""
        self._own_thread = 0
        self._home_loop: asyncio.AbstractEventLoop | None = None
        self._surroundings: contextvars.Context | None = None
        self._clock: Timer | None = None
        self._drawn = self._cost = 0.0
        self._snapshot = subject.snapshot()
        self._began = time.monotonic()
        self._shown_number = -1
        self._shown_step = ""
        self._shown_source: tuple[object, ...] = ()
        self._turned: tuple[int, str] = (-1, "")
        self._shown_files: tuple[object, object] = (None, None)
        self._painted = self._filled = False
        self._failed_shown = -1
        self._fault_shown: tuple[str, str, int] | None = None
        self._leaving: int | None = None
        self._begun = False

    def compose(self) -> ComposeResult:
        yield Header(id="header")
        yield Progress(id="progress")
        yield Summary(id="summary")
        yield Notices(id="notices")
        with Horizontal(id="body"):
            with Container(id="steps-frame"):
                yield StepTree(id="steps")
            with Panels(id="panels", initial="log"):
                yield LogView(id="log")
        yield KeysLine(kept=("cancel", "help", "quit", "steps"))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theme.FALLBACK

    def on_mount(self) -> None:
        self.set_keymap(self._keys)
        self.query_one("#steps-frame").border_title = "Steps"
        self.query_one(StepTree).focus()
        self._draw()
        if self._welcome:
            self.notify(plain(self._welcome), timeout=15, markup=False)
        self.call_after_refresh(self._begin)

    def on_resize(self, event: Resize) -> None:
        """Ask again: of two changes within a millisecond the driver can report the first one last."""
        now = Size(*shutil.get_terminal_size())
        if not self.is_headless and event.size != now:
            self.post_message(Resize(now, now))
        self.call_after_refresh(self.refresh_bindings)

    def _begin_in(self, name: str) -> None:
        """Choose the theme before the style sheets are read: changed later, all of them are read a second time."""
        self.register_theme(theme.DARK)
        self.register_theme(theme.LIGHT)
        self.set_reactive(App.theme, name if name in self.available_themes else theme.DARK.name)
        self.set_class(self.current_theme.dark, "-dark-mode", update=False)
        self.set_class(not self.current_theme.dark, "-light-mode", update=False)
        self.stylesheet.set_variables(self.get_css_variables())

    async def _begin(self) -> None:
        """The session starts after the first frame is on the screen."""
        self._begun = True
        if self._leaving is not None:
            self.run_worker(self._leave(self._leaving), exit_on_error=False)
        else:
            self.run_worker(self._run_subject())
            await self._fill_panels()
            self._painted = True
            self._wanted()

    async def _fill_panels(self) -> None:
        """Make the panels that the first frame does not show: it would wait for them."""
        if not self._filled:
            self._filled = True
            views = (WhyView(id="why"), DockerfileView(id="dockerfile"), FilesView(id="files"),
                     ImageView(id="image"), HistoryView(id="history"))  # fmt: skip
            for view in views:
                view.display = False
            await self._panels.mount(*views)

    async def _run_subject(self) -> None:
        self._own_thread, self._surroundings = threading.get_ident(), contextvars.copy_context()
        self._home_loop = asyncio.get_running_loop()
        self._subject.on_change = self._wanted
        try:
            await self._subject.run()
        except HitmissError as error:
            self.notify(plain(str(error)), severity="error", timeout=10, markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer offers only what there is to do: the line is short at 80 columns."""
        if action == "steps":
            classes = self.screen_stack[0].classes if self.screen_stack else frozenset()
            return "-panel" in classes and not classes.isdisjoint({"-low", "-flat"})
        if action == "act" and parameters == ("cancel",):
            return self._snapshot.build.status is Status.RUNNING
        return super().check_action(action, parameters)

    async def action_act(self, act_id: str) -> None:
        """Do one of `actions.ACTIONS`."""
        await self._fill_panels()  # a key may be quicker than the second frame
        await self._run_act(act_id)

    async def _run_act(self, act_id: str) -> None:
        act = getattr(self, f"_act_{act_id}")
        result = act()
        if asyncio.iscoroutine(result):
            await result

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for act in actions.ACTIONS:
            title = f"{act.title[:1].upper()}{act.title[1:]} ({actions.key_of(act.id, self._keys)})"
            yield SystemCommand(title, act.description, lambda act_id=act.id: self.run_worker(self._run_act(act_id)))
        yield SystemCommand("Theme", "Choose among all themes", self.action_change_theme)

    # Drawing

    def _wanted(self) -> None:
        """Something changed: draw soon, but neither faster than the eye follows nor so often that keys must wait."""
        if self._home_loop and threading.get_ident() != self._own_thread:
            self._home_loop.call_soon_threadsafe(self._wanted)
        elif self.is_running and (self._pending is None or time.monotonic() > self._due):
            pause = max(_FRAME_S, self._cost * _REST)
            wait = max(0.001, self._drawn + pause - time.monotonic())  # a Textual timer of 0 s never rings
            self._due = time.monotonic() + wait + _LATE_S
            # Nor does one that is begun where the app is not known: who calls may come from another thread's callback.
            if self._surroundings:
                self._pending = self._surroundings.run(self.set_timer, wait, self._draw)
            else:
                self._pending = self.set_timer(wait, self._draw)

    def _draw(self) -> None:
        self._pending = None
        if not self.screen_stack:
            return  # the app is leaving
        self._drawn = time.monotonic()
        self._draw_snapshot()
        self._cost = time.monotonic() - self._drawn

    def _draw_snapshot(self) -> None:
        snapshot = self._subject.snapshot()
        started_or_ended = snapshot.build.status is not self._snapshot.build.status
        self._snapshot = snapshot
        build = snapshot.build
        if started_or_ended:
            self.refresh_bindings()
        now = build.duration_s
        for line in (self.screen_stack[0].query_one(kind) for kind in (Header, Progress, Summary, Notices)):
            line.show(snapshot, now)
        if build.number != self._shown_number:
            self._shown_number, self._tree.user_chose, self._shown_step = build.number, False, ""
        tree = self._tree
        tree.show(build, now)
        self._follow(build)
        self._turn_to_fault()
        self._draw_log()
        if self._painted:  # the Dockerfile's colours cost more than the rest of the first frame, which shows the log
            self.draw_panel()
        if build.status is Status.RUNNING and self._clock is None:
            self._clock = self.set_timer(_CLOCK_S, self._tick)

    def _tick(self) -> None:
        """The clocks of what runs go on when nothing else is heard."""
        self._clock = None
        self._wanted()

    def _follow(self, build: Build) -> None:
        """Until the user looks elsewhere, look at what runs; at the end at what failed, or at the first miss."""
        failed = what_failed(build)
        if failed and self._failed_shown != build.number:
            self._failed_shown = build.number
            self._tree.select(failed.id)
            self._panels.current = "log"
            self._turned = (build.number, "failed")
            return
        self._turn_to_panel(build)
        if self._tree.user_chose or failed:
            return
        running = [step for step in build.steps if step.verdict is Verdict.RUNNING]
        if running:
            self._tree.select(max(running, key=lambda step: step.running_since or 0.0).id)
        elif build.status is Status.SUCCEEDED and (miss := words.first_miss(build)):
            self._tree.select(miss.id)

    def _turn_to_panel(self, build: Build) -> None:
        """Log while a build runs, Why once it is known why its steps ran or hit; the user's choice goes before both."""
        steps = build.own_steps
        known = any(step.cause for step in steps) or build.hits == len(steps)
        told = build.status is Status.SUCCEEDED and known
        phase = "running" if build.status is Status.RUNNING else "told" if told else ""
        if self._painted and phase and (build.number, phase) != self._turned:
            self._turned = (build.number, phase)
            self._panels.current = self._panels.chosen or ("log" if phase == "running" else "why")

    def _turn_to_fault(self) -> None:
        """Show the line for which the Dockerfile cannot be built, once: the tree is still that of what was built."""
        source = self._source
        fault = (source.path, source.error, source.error_line) if source.error_line else None
        if self._painted and fault != self._fault_shown:
            self._fault_shown = fault
            if fault:
                self._panels.current = "dockerfile"
                self.draw_panel()
                self.screen_stack[0].query_one(DockerfileView).go_to(source.error_line)

    def draw_panel(self) -> None:
        """Draw the panel that is shown; what nobody sees is drawn when it is turned to."""
        panel = self._panels.current
        named = panel == "dockerfile" and self._snapshot.sources
        self._panels.border_subtitle = Content(plain(self._source.name)) if named else None
        base, snapshot = self.screen_stack[0], self._snapshot
        step = self._selected_step
        if panel == "why":
            base.query_one(WhyView).show(step, snapshot.build, snapshot.cache_mounts)
        elif panel == "files":
            step_id = step.id if step and step.verdict is not Verdict.INTERNAL else ""
            state = (step, snapshot.build.stages)  # compared by identity: files may be many, and are asked for anew
            view = base.query_one(FilesView)
            if not view.knows or not all(one is other for one, other in zip(state, self._shown_files, strict=True)):
                self._shown_files = state
                view.show(step_id, self._subject.files(step_id) if step_id else None)
        elif panel == "image":
            base.query_one(ImageView).show(snapshot.build, live=snapshot.live)
        elif panel == "history":
            builds = self._subject.history()
            now = datetime.now().astimezone()
            panel_of_builds = base.query_one(HistoryView)
            panel_of_builds.show(builds, snapshot.plan_right, snapshot.plan_steps, now, live=snapshot.live)
        elif panel == "dockerfile":
            self._draw_source(snapshot)

    @property
    def _selected_step(self) -> Step | None:
        row = self._tree.selected
        return row.step if row else None

    def _draw_log(self) -> None:
        view = self.screen_stack[0].query_one(LogView)
        step = self._selected_step
        key = f"{self._shown_number} {step.id} {step.verdict}" if step else "no step"
        if key != self._shown_step:
            self._shown_step = key
            log = self._subject.log(step.id) if step else None
            view.show(log, plain(step.instruction) if step else "", words.empty_log(step))
        elif step and not view.has_log:
            log = self._subject.log(step.id)
            if log is not None:
                view.show(log, plain(step.instruction), words.empty_log(step))
        view.refresh_log()
        build = self._snapshot.build
        view.show_excerpt(words.excerpt(build, step), whole=build.failed_step is None)

    def _draw_source(self, snapshot: Snapshot) -> None:
        build = snapshot.build
        source, like = self._source, snapshot.like(self._target)
        state = (source, build.stages, build.checks)
        if state == self._shown_source and build.status is not Status.RUNNING:
            return
        self._shown_source = state
        marks: dict[int, LineMark] = line_marks(build, source, like)
        self.screen_stack[0].query_one(DockerfileView).show(source.text, marks)

    # What the user does on the screen

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Where there is no room for steps and panels, that is shown which has the focus."""
        base = next(iter(self.screen_stack), None)  # none: the app is leaving
        if base and base in event.widget.ancestors:
            base.set_class(self._panels in event.widget.ancestors, "-panel")
            self.call_after_refresh(self.refresh_bindings)

    def action_steps(self) -> None:
        """Back to the steps, which a panel hides in a low window."""
        self.screen_stack[0].set_focus(self._tree)

    def on_step_tree_selected(self, event: StepTree.Selected) -> None:
        self._draw_log()
        self.draw_panel()
        if event.row.step and event.row.step.place and self._panels.current == "dockerfile":
            self.query_one(DockerfileView).go_to(event.row.step.place.line)

    def on_step_tree_chosen(self, event: StepTree.Chosen) -> None:
        self._open("log", chosen=False)

    def on_dockerfile_view_line_chosen(self, event: DockerfileView.LineChosen) -> None:
        like = self._snapshot.like(self._target)
        found = [
            step
            for step in self._snapshot.build.steps
            if step.bake_target in like and step.place and step.place.line <= event.line <= step.place.end_line
        ]
        if found:
            self.look_at(min(found, key=lambda step: step.bake_target != self._target).id)

    def on_parts_lines_step_clicked(self, event: PartsLines.StepClicked) -> None:
        self.look_at(event.step_id)

    def on_log_view_copied(self, event: LogView.Copied) -> None:
        self.notify(f"{event.lines:,} lines copied", timeout=2, markup=False)

    # Leaving

    def action_interrupt(self) -> None:
        """Ctrl-C: leave as an interrupted program does."""
        self.leave(CANCELED)

    def leave(self, code: int) -> None:
        """Cancel what runs, give the terminal back, end with this exit code. May be called at any moment, twice too."""
        if self._leaving is None:
            self._leaving = code
            if self._begun:  # before that its widgets are still being made, which an end would break
                self.run_worker(self._leave(code), exit_on_error=False)

    async def _leave(self, code: int) -> None:
        await self._subject.close()
        self.exit(code)
