"""The list of builders: use another one, make, start, stop or remove one.

What docker's own files say is on the screen at once; how the builders are comes next, and what their caches hold last.
It asks a `Fleet` and two callables, and shows what they say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from hitmiss.docker.builders import BuilderInfo
from hitmiss.docker.fleet import CONTAINER, KUBERNETES, REMOTE, Listed, Wanted
from hitmiss.errors import HitmissError
from hitmiss.symbols import plain, size
from hitmiss.ui.screens.new_builder import NewBuilderScreen

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SPIN_S = 0.1
_NAME, _DRIVER, _STATE, _CACHE = 18, 16, 10, 9
"""The widths of the columns."""
_STATES = {"running": ("●", "$text-success"), "error": ("✖", "$text-error"), "": ("◌", "$foreground 65%")}


Deed = Callable[[], Awaitable[None]]


class Builders(Protocol):
    """Whoever manages the builders (`docker.fleet.Fleet`)."""

    def known(self) -> tuple[Listed, ...]: ...
    async def listed(self) -> tuple[Listed, ...]: ...
    async def size(self, name: str) -> int | None: ...
    async def create(self, wanted: Wanted) -> None: ...
    async def start(self, name: str) -> None: ...
    async def stop(self, name: str) -> None: ...
    async def remove(self, name: str) -> None: ...


class BuildersScreen(ModalScreen[None]):
    """Lists the builders; `use` is told which one to build on, "" where the one in use was removed."""

    CSS_PATH = "builders.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("n", "create", "New"),
        Binding("s", "start", "Start"),
        Binding("x", "stop", "Stop"),
        Binding("d,delete", "remove", "Remove"),
        Binding("y", "sure", "Yes", show=False),
        Binding("r", "look", "Look again", show=False),
    ]

    def __init__(
        self,
        fleet: Builders,
        use: Callable[[str], None],
        limits: Callable[[BuilderInfo], tuple[str, ...]],
        current: str = "",
    ) -> None:
        super().__init__()
        self._fleet = fleet
        self._use = use
        self._limits = limits
        self._current = current
        self._builders: tuple[Listed, ...] = ()
        self._sizes: dict[str, int | None] = {}
        self._looking = False
        self._doing = ""
        self._said = ""
        self._error = ""
        self._doomed: Listed | None = None
        self._frame = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content("Builders")
            dialog.border_subtitle = Content("enter uses · n new · s start · x stop · d remove · esc closes")
            yield Static(self._head(), id="head", markup=False)
            yield OptionList(id="builders", compact=True, markup=False)
            yield Static(id="detail", markup=False)
            yield Static(id="said", markup=False)

    def on_mount(self) -> None:
        self._show(self._fleet.known())
        names = [each.name for each in self._builders]
        self.query_one(OptionList).highlighted = names.index(self._current) if self._current in names else 0
        self.set_interval(_SPIN_S, self._spin)
        self.action_look()

    @property
    def _chosen(self) -> Listed | None:
        index = self.query_one(OptionList).highlighted
        return self._builders[index] if index is not None and index < len(self._builders) else None

    # What people do

    @on(OptionList.OptionSelected)
    def _entered(self, event: OptionList.OptionSelected) -> None:
        if self._doing or self._doomed:
            return
        chosen = self._builders[event.option_index]
        if chosen.name != self._current:
            self._use(chosen.name)
        self.dismiss(None)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        if self._doomed and self._chosen and self._chosen.name != self._doomed.name:
            self._doomed = None
        self._show_detail()
        self._show_said()

    def action_close(self) -> None:
        """Keep what was to be removed; give up what is being done; else close."""
        if self._doomed:
            self._doomed = None
            self._show_said()
        elif self._doing:
            self.workers.cancel_group(self, "deed")
            self._doing, self._said = "", f"{self._doing}: no longer waited for."
            self._look()
        else:
            self.dismiss(None)

    def action_look(self) -> None:
        """Look at the builders again."""
        self._look()

    @work(exclusive=True, group="new")
    async def action_create(self) -> None:
        """Ask for a new builder, and make it."""
        if self._doing:
            return
        taken = tuple(each.name for each in self._builders)
        wanted = await self.app.push_screen_wait(NewBuilderScreen(taken))
        if wanted is not None:
            made = f"{wanted.name} is made; enter uses it, and its first build starts it."
            self._do(lambda: self._fleet.create(wanted), f"Making {wanted.name}", made, then=wanted.name)

    def action_start(self) -> None:
        """Start the chosen builder."""
        if (chosen := self._own("started")) is not None:
            self._do(lambda: self._fleet.start(chosen.name), f"Starting {chosen.name}", f"{chosen.name} runs.")

    def action_stop(self) -> None:
        """Stop the chosen builder."""
        if (chosen := self._own("stopped")) is not None:
            self._do(lambda: self._fleet.stop(chosen.name), f"Stopping {chosen.name}", f"{chosen.name} is stopped.")

    def action_remove(self) -> None:
        """Ask whether the chosen builder is to go, and say what goes with it."""
        chosen = self._chosen
        if chosen and chosen.context:
            self._refuse(
                "default is docker's own engine: it cannot be removed."
                if chosen.name == "default"
                else f"{chosen.name} is a docker context: `docker context rm {chosen.name}` removes it."
            )
        elif chosen and not self._doing:
            self._doomed, self._said, self._error = chosen, "", ""
            self._show_said()

    def action_sure(self) -> None:
        """Remove what was asked about."""
        if (doomed := self._doomed) is None:
            return
        self._doomed = None
        gone = f"{doomed.name} is gone."
        self._do(lambda: self._fleet.remove(doomed.name), f"Removing {doomed.name}", gone, gone=doomed)

    def _own(self, done: str) -> Listed | None:
        """The chosen builder, where buildx starts and stops it."""
        chosen = self._chosen
        if chosen is None or self._doing:
            return None
        self._doomed = None
        if chosen.context:
            self._refuse(f"{chosen.name} is an engine of docker's: it is {done} where it runs, not from here.")
        elif chosen.info.driver == REMOTE:
            self._refuse(f"{chosen.name} is remote: its BuildKit is {done} where it runs, not from here.")
        else:
            return chosen
        return None

    def _refuse(self, sentence: str) -> None:
        self._said, self._error = "", sentence
        self._show_said()

    # What is asked

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        self._looking = True
        self._show_said()
        try:
            self._show(await self._fleet.listed())
        except (HitmissError, OSError) as error:
            self._error = str(error)
        self._looking = False
        self._show_said()
        running = [each.name for each in self._builders if each.info.status == "running"]
        await asyncio.gather(*map(self._weigh, running))

    async def _weigh(self, name: str) -> None:
        self._sizes[name] = await self._fleet.size(name)
        self._show(self._builders)

    def _do(self, deed: Deed, doing: str, said: str, *, then: str = "", gone: Listed | None = None) -> None:
        self._doing, self._said, self._error = doing, "", ""
        self._show_said()
        self._act(deed, said, then, gone)

    @work(exclusive=True, group="deed", exit_on_error=False)
    async def _act(self, deed: Deed, said: str, then: str, gone: Listed | None) -> None:
        try:
            await deed()
            self._said = said
            if gone and gone.name == self._current:
                self._use("")
                self._current = ""
        except (HitmissError, OSError) as error:
            self._error = str(error)
        self._doing = ""
        self._show(self._fleet.known(), then)
        self._look()

    # What is shown

    def _show(self, builders: tuple[Listed, ...], chosen: str = "") -> None:
        """Bring the list in line with the builders; the chosen one stays, or is the one called `chosen`."""
        before = {each.name: each for each in self._builders}
        keep = chosen or (self._chosen.name if self._chosen else self._current)
        # What was just listed is not yet known to docker's files: until it is listed again, it stays as it was.
        self._builders = tuple(before.get(each.name, each) if not each.info.status else each for each in builders)
        options = self.query_one(OptionList)
        options.set_options(Option(self._line(each)) for each in self._builders)
        names = [each.name for each in self._builders]
        options.highlighted = names.index(keep) if keep in names else 0 if names else None
        self._show_detail()

    def _head(self) -> Content:
        words = f"  {'builder':<{_NAME}} {'driver':<{_DRIVER}} {'state':<{_STATE + 2}}{'cache':>{_CACHE}}  platforms"
        return Content(words)

    def _line(self, each: Listed) -> Content:
        """`▸ default  docker  ● running  3.4 GB  linux/amd64`."""
        info, current = each.info, each.name == self._current
        glyph, colour = _STATES.get(info.status, ("○", "$foreground 65%"))
        nodes = f" ×{len(each.nodes)}" if len(each.nodes) > 1 else ""
        return Content.assemble(
            ("▸ " if current else "  ", "bold $primary"),
            (_cut(plain(each.name), _NAME), "bold $primary" if current else "bold"),
            f" {_cut(plain(info.driver or '?') + nodes, _DRIVER)} ",
            (f"{glyph} {_cut(plain(info.status) or '…', _STATE)}", colour),
            f"{self._held(each):>{_CACHE}}",
            (f"  {', '.join(each.removeprefix('linux/') for each in _short(info.platforms))}", "$foreground 65%"),
        )

    def _held(self, each: Listed) -> str:
        if each.name in self._sizes:
            found = self._sizes[each.name]
            return size(found) if found is not None else "–"
        return "…" if each.info.status in ("running", "") else "–"

    def _show_detail(self) -> None:
        """The nodes of the chosen builder, what is wrong with it, and what it cannot do of what is to be built."""
        chosen = self._chosen
        detail = self.query_one("#detail", Static)
        if chosen is None:
            detail.update("")
            return
        lines = [
            Content.assemble(
                (f"{plain(node.name)}  ", "bold"),
                plain(node.endpoint),
                (f"  {plain(node.status)}  {', '.join(_short(node.platforms))}".rstrip(), "$foreground 65%"),
            )
            for node in chosen.nodes
        ]
        if chosen.info.buildkit_version:
            lines.append(Content.styled(f"BuildKit {plain(chosen.info.buildkit_version)}", "$foreground 65%"))
        if chosen.info.error:
            lines.append(Content.styled(f"✖ {plain(chosen.info.error)}", "$text-error"))
        lines += [Content.styled(f"! {plain(text)}", "$text-warning") for text in self._limits(chosen.info)]
        detail.update(Content("\n").join(lines))

    def _show_said(self) -> None:
        said = self.query_one("#said", Static)
        spinner = _SPINNER[self._frame % len(_SPINNER)]
        said.set_class(bool(self._error) and not self._doing, "-error")
        said.set_class(self._doomed is not None, "-sure")
        if self._doomed:
            words = f"◆ {self._lost(self._doomed)} y removes it, escape keeps it."
        elif self._doing:
            words = f"{spinner} {self._doing}; escape waits no longer …"
        elif self._error:
            words = f"✖ {self._error}"
        elif self._said:
            words = f"● {self._said}"
        else:
            words = f"{spinner} Looking at the builders …" if self._looking else ""
        said.update(Content(plain(words)))

    def _lost(self, doomed: Listed) -> str:
        """What goes with a builder."""
        name, held = doomed.name, self._sizes.get(doomed.name)
        cache = f"its build cache ({size(held)})" if held else "all of its build cache"
        several = len(doomed.nodes) > 1
        what = {
            CONTAINER: f"With {name} go {'its containers' if several else 'its container'} and {cache}.",
            KUBERNETES: f"With {name} go its pods and {cache}.",
            REMOTE: f"{name} is forgotten here; its BuildKit and what that has in its cache stay.",
        }.get(doomed.info.driver, f"With {name} goes all that it has.")
        return f"{what} It is in use: docker's own choice builds then." if name == self._current else what

    def _spin(self) -> None:
        if self._doing or (self._looking and not (self._said or self._error or self._doomed)):
            self._frame += 1
            self._show_said()


def _cut(text: str, width: int) -> str:
    return f"{text[: width - 1]}…" if len(text) > width else f"{text:<{width}}"


def _short(platforms: tuple[str, ...]) -> list[str]:
    """Platforms without amd64's levels, which every one of its machines has several of."""
    return [plain(each) for each in platforms if not each.startswith("linux/amd64/")]
