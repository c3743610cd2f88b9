"""What each of `actions.ACTIONS` does: the app's methods `_act_<id>`, apart from what draws the screen."""

from __future__ import annotations

from collections.abc import Mapping

from textual import work
from textual.widget import Widget

from hitmiss.build.transfers import what_failed
from hitmiss.errors import BUILT, HitmissError
from hitmiss.snapshot import Snapshot, Source
from hitmiss.symbols import plain, size
from hitmiss.ui import theme, words
from hitmiss.ui.editor import edit
from hitmiss.ui.subject import Subject
from hitmiss.ui.typed import InTurn
from hitmiss.ui.widgets.dockerfile_view import DockerfileView
from hitmiss.ui.widgets.own_work import OWN
from hitmiss.ui.widgets.panels import Panels
from hitmiss.ui.widgets.search_pane import SearchPane
from hitmiss.ui.widgets.step_tree import Row, StepTree
from hitmiss.ui.widgets.why_view import root_of


class Acts(InTurn):
    """The actions of the main screen."""

    _subject: Subject
    _snapshot: Snapshot
    _keys: Mapping[str, str]

    def leave(self, code: int) -> None:
        """End with this exit code."""
        raise NotImplementedError

    def draw_panel(self) -> None:
        """Draw the panel that is shown."""
        raise NotImplementedError

    @property
    def _tree(self) -> StepTree:
        return self.screen_stack[0].query_one(StepTree)

    @property
    def _panels(self) -> Panels:
        return self.screen_stack[0].query_one(Panels)

    @property
    def _row(self) -> Row | None:
        return self._tree.selected

    @property
    def _target(self) -> str | None:
        """The target of the line that is looked at, where there are several."""
        return self._row.stage.bake_target if self._row else None

    @property
    def _source(self) -> Source:
        """The Dockerfile that the line that is looked at stands in."""
        return self._snapshot.source_of(self._target)

    def _open(self, panel: str, *, chosen: bool = True) -> None:
        """Show a panel and go there; `chosen` says that it should stay, whatever is built."""
        if chosen:
            self._panels.chosen = panel
        self._panels.current = panel
        self.draw_panel()
        shown: Widget = self.query_one(f"#{panel}")
        if isinstance(shown, SearchPane):
            shown.focus_lines()

    def _act_rebuild(self) -> None:
        self._subject.rebuild()

    def _act_no_cache(self) -> None:
        self._subject.rebuild(no_cache=True)

    def _act_no_cache_stage(self) -> None:
        row = self._row
        if row is None or not row.stage.name or row.stage.id in OWN:
            self.notify("Choose a step of the stage first.", timeout=3)
            return
        self._subject.rebuild(no_cache_stages=[row.stage.name])

    def _act_target(self) -> None:
        self._choose_target()

    @work(exclusive=True, group="dialog")
    async def _choose_target(self) -> None:
        from hitmiss.ui.screens.targets import TargetScreen

        try:
            targets = await self._subject.targets()
        except HitmissError as error:
            self.notify(plain(str(error)), severity="error", timeout=8, markup=False)
            return
        chosen = await self.push_screen_wait(TargetScreen(targets, self._snapshot.target))
        if chosen is not None:
            self._subject.set_target(chosen)

    def _act_builder(self) -> None:
        self._open_builders()

    @work(exclusive=True, group="dialog")
    async def _open_builders(self) -> None:
        from hitmiss.ui.screens.builders import BuildersScreen

        try:
            fleet = self._subject.fleet()
        except HitmissError as error:
            self.notify(plain(str(error)), severity="error", timeout=8, markup=False)
            return
        subject = self._subject
        await self.push_screen_wait(BuildersScreen(fleet, subject.set_builder, subject.limits, self._snapshot.builder))

    def _act_arguments(self) -> None:
        self._edit_arguments()

    @work(exclusive=True, group="dialog")
    async def _edit_arguments(self) -> None:
        from hitmiss.ui.screens.arguments import ArgumentScreen

        if not self._snapshot.live:
            self.notify("A recording is played: its build arguments cannot be changed.", timeout=4)
            return
        changes = await self.push_screen_wait(ArgumentScreen(self._subject.arguments(), self._subject.cost))
        if changes:
            self._subject.set_arguments(changes)

    def _act_prune(self) -> None:
        self._open_prune()

    @work(exclusive=True, group="dialog")
    async def _open_prune(self) -> None:
        from hitmiss.ui.screens.prune import PruneScreen

        if not self._snapshot.live:
            self.notify("A recording is played: there is no cache to prune.", timeout=4)
            return
        screen = PruneScreen(self._subject.prune_preview, self._subject.prune, builder=self._snapshot.builder)
        pruned = await self.push_screen_wait(screen)
        if pruned is not None:
            self.notify(f"{size(pruned.freed)} of build cache deleted", timeout=5, markup=False)

    def _act_pause(self) -> None:
        self._subject.toggle_watch()

    def _act_cancel(self) -> None:
        self._subject.cancel()

    def _act_on_change(self) -> None:
        self._subject.next_mode()

    async def _act_edit(self) -> None:
        source = self._source
        if not source.path:
            self.notify("There is no Dockerfile on disk to edit.", timeout=4)
            return
        row = self._row
        line = row.step.place.line if row and row.step and row.step.place else 1
        message = await edit(self, source.path, line)
        if message:
            self.notify(message, severity="warning", timeout=6, markup=False)

    def _act_copy_command(self) -> None:
        command = self._subject.command()
        self.copy_to_clipboard(command)
        self.notify(command, title="Copied", timeout=5, markup=False)

    def _act_why(self) -> None:
        self._open("why")

    def _act_log(self) -> None:
        self._open("log")

    def _act_dockerfile(self) -> None:
        self._open("dockerfile")
        view = self.query_one(DockerfileView)
        row = self._row
        if row and row.step and row.step.place:
            view.go_to(row.step.place.line)
        elif self._source.error_line:
            view.go_to(self._source.error_line)

    def _act_files(self) -> None:
        self._open("files")

    def _act_image(self) -> None:
        self._open("image")

    def _act_history(self) -> None:
        self._open("history")

    def _act_root(self) -> None:
        step = self._row.step if self._row else None
        root = root_of(step)
        if root and self._snapshot.build.step(root):
            self.look_at(root)
        elif step and step.cause and step.cause.root == step.id:
            self.notify("It began with this step.", timeout=2)
        else:
            self.notify("No step is known where this began.", timeout=2)

    def look_at(self, step_id: str) -> None:
        """Select a step because the user asked for it."""
        self._tree.user_chose = True
        self._tree.select(step_id)

    def _act_failure(self) -> None:
        failed = what_failed(self._snapshot.build)
        if failed:
            self._tree.select(failed.id)
            self._open("log", chosen=False)
        else:
            self.notify("No step has failed.", timeout=2)

    def _act_theme(self) -> None:
        self.theme = theme.LIGHT.name if self.current_theme.dark else theme.DARK.name

    def _act_help(self) -> None:
        from hitmiss.ui.screens.help import HelpScreen

        self.push_screen(HelpScreen(words.help_groups(self._keys), words.glyphs()))

    def _act_quit(self) -> None:
        self.leave(BUILT)
