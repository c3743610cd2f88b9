"""Every action of the full screen, by key, by command palette and by mouse; keys that were remapped; leaving."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.command import CommandInput, CommandList, CommandPalette, Hit
from textual.pilot import Pilot

from hitmiss.build.model import Status
from hitmiss.errors import EngineError, HitmissError, UsageError
from hitmiss.snapshot import Source
from hitmiss.ui import theme
from hitmiss.ui.actions import ACTIONS, Act, key_of, keymap
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.screens.arguments import ArgumentScreen
from hitmiss.ui.screens.builders import BuildersScreen
from hitmiss.ui.screens.help import HelpScreen
from hitmiss.ui.screens.prune import PruneScreen
from hitmiss.ui.screens.targets import TargetScreen
from hitmiss.ui.widgets.keys_line import KeysLine
from hitmiss.ui.widgets.panels import Panels
from hitmiss.ui.widgets.step_tree import StepTree
from tests.support.subject import snapshot, webapp
from tests.support.wait import wait_for_async
from tests.ui.shown import sees, shown
from tests.ui.telling import Scripted

FAILED = webapp("hhhm hf sss", Status.FAILED, error="exit code: 1")
RUNNING = webapp("hhhm mr ...", Status.RUNNING)
SIZE = (250, 70)


def scene(act: Act) -> Scripted:
    """A build in which the action has something to do."""
    return Scripted(snapshot(RUNNING if act.id == "cancel" else FAILED))


Edited = list[tuple[str, int]]


@pytest.fixture
def edited(monkeypatch: pytest.MonkeyPatch) -> Edited:
    """What the editor was opened with; no editor is started."""
    opened: Edited = []

    async def edit(app: App[int], path: str, line: int) -> str:
        opened.append((path, line))
        return ""

    monkeypatch.setattr("hitmiss.ui.acts.edit", edit)
    return opened


async def ready(pilot: Pilot[int], subject: Scripted) -> HitmissApp:
    """The session runs, and the tree is on the screen."""
    app = pilot.app
    assert isinstance(app, HitmissApp)
    await wait_for_async(subject.started.is_set, 10, "the subject to run")
    await pilot.pause()
    return app


async def test_a_key_that_is_quicker_than_the_second_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    mount = HitmissApp.on_mount

    def hasty(app: HitmissApp) -> None:
        mount(app)
        app.simulate_key("d")

    monkeypatch.setattr(HitmissApp, "on_mount", hasty)
    subject = scene(ACTIONS[0])
    app = HitmissApp(subject)
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot, subject)
        await wait_for_async(lambda: app.query_one(Panels).current == "dockerfile", 10, "the panel")
        assert app.query_one(Panels).displayed_children == [app.query_one("#dockerfile")]


CALLS: dict[str, tuple[object, ...]] = {
    "rebuild": ("rebuild", False, ()),
    "no_cache": ("rebuild", True, ()),
    "no_cache_stage": ("rebuild", False, ("assets",)),
    "target": ("targets",),
    "builder": ("fleet",),
    "arguments": ("arguments",),
    "prune": ("prune_preview",),
    "pause": ("toggle_watch",),
    "cancel": ("cancel",),
    "on_change": ("next_mode",),
    "quit": ("close",),
}
SCREENS = {
    "target": TargetScreen,
    "builder": BuildersScreen,
    "arguments": ArgumentScreen,
    "prune": PruneScreen,
    "help": HelpScreen,
}


async def did(app: HitmissApp, subject: Scripted, act: Act, edited: Edited) -> None:
    """Wait until what the action is for has happened, and nothing else was asked of the session."""
    panels = app.screen_stack[0].query_one(Panels)

    def so() -> bool:
        if act.id in CALLS and CALLS[act.id] not in subject.calls:
            return False
        if act.id in SCREENS and not isinstance(app.screen, SCREENS[act.id]):
            return False
        focus = app.focused.__class__.__name__ if app.focused else ""
        return {
            "edit": edited == [("/project/Dockerfile", 10)],
            "copy_command": app.clipboard == subject.command(),
            "log": focus == "LogLines" and panels.current == "log",
            "failure": focus == "LogLines" and panels.current == "log",
            "dockerfile": focus == "DockerfileLines" and panels.current == "dockerfile",
            "why": focus == "PartsLines" and panels.current == "why",
            "files": focus == "FileLines" and panels.current == "files",
            "history": focus == "PartsLines" and panels.current == "history",
            "theme": app.theme == theme.LIGHT.name,
            "quit": app.return_value == 0,
        }.get(act.id, True)

    await wait_for_async(so, 10, f"{act.id}; the session was asked {subject.calls}")
    assert set(subject.calls) <= {CALLS.get(act.id)}


def everywhere(*acts: Act) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("act", acts, ids=[act.id for act in acts])


@everywhere(*ACTIONS)
async def test_by_key(act: Act, edited: Edited) -> None:
    subject = scene(act)
    async with HitmissApp(subject).run_test(size=SIZE) as pilot:
        app = await ready(pilot, subject)
        await pilot.press(act.key)
        await did(app, subject, act, edited)


@everywhere(*ACTIONS)
async def test_by_command_palette(act: Act, edited: Edited) -> None:
    subject = scene(act)
    async with HitmissApp(subject).run_test(size=SIZE) as pilot:
        app = await ready(pilot, subject)
        await pilot.press("ctrl+p")
        await wait_for_async(lambda: isinstance(app.screen, CommandPalette) and app.screen.query(CommandInput), 10)
        title = f"{act.title[:1].upper()}{act.title[1:]} ({key_of(act.id, {})})"
        app.screen.query_one(CommandInput).value = title
        commands = app.screen.query_one(CommandList)

        def first() -> bool:
            if commands.highlighted is None or not commands.option_count:
                return False
            hit = getattr(commands.get_option_at_index(commands.highlighted), "hit", None)
            return isinstance(hit, Hit) and hit.text == title

        await wait_for_async(first, 10, f"{title} in the palette")
        await pilot.press("enter")
        await did(app, subject, act, edited)


@everywhere(*(act for act in ACTIONS if act.shown))
async def test_by_mouse(act: Act, edited: Edited) -> None:
    subject = scene(act)
    async with HitmissApp(subject).run_test(size=SIZE) as pilot:
        app = await ready(pilot, subject)

        def place() -> tuple[int, int] | None:
            return next(((x + 1, 0) for x, _, key in app.query_one(KeysLine).places() if key.id == act.id), None)

        await pilot.click(KeysLine, offset=await wait_for_async(place, 10, f"{act.id} in the footer"))
        await did(app, subject, act, edited)


async def test_the_footer_offers_to_cancel_only_a_build_that_runs() -> None:
    subject = Scripted(snapshot(FAILED))
    async with HitmissApp(subject).run_test(size=SIZE) as pilot:
        app = await ready(pilot, subject)
        assert "c cancel" not in shown(app)
        subject.show(RUNNING)
        await sees(pilot, "c cancel")
        subject.show(FAILED)
        await wait_for_async(lambda: "c cancel" not in shown(app), 10, "the key to go")


async def test_the_help_lists_every_action_with_its_key() -> None:
    subject = Scripted()
    keys = {"rebuild": "f5", "no-cache": "ctrl+n"}
    async with HitmissApp(subject, keys=keys).run_test(size=SIZE) as pilot:
        await ready(pilot, subject)
        await pilot.press("?")
        await sees(
            pilot, "What the shapes say", "f5 ", "ctrl+n ", *(" ".join(act.description.split()[:4]) for act in ACTIONS)
        )


async def test_remapped_keys() -> None:
    subject = Scripted(snapshot(FAILED))
    keys = {"rebuild": "f5, ctrl+r", "no-cache": "?", "help": "h"}
    async with HitmissApp(subject, keys=keys).run_test(size=SIZE) as pilot:
        app = await ready(pilot, subject)
        await pilot.press("r", "n", "f5", "ctrl+r", "question_mark")
        wanted = [CALLS["rebuild"], CALLS["rebuild"], CALLS["no_cache"]]
        await wait_for_async(lambda: subject.calls == wanted, 10, f"{wanted}, asked {subject.calls}")
        await pilot.press("h")
        await wait_for_async(lambda: isinstance(app.screen, HelpScreen), 10, "the help")


def test_a_key_of_an_action_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="'rebuidl'") as caught:
        HitmissApp(Scripted(), keys={"rebuidl": "r"})
    assert "no_cache_stage" in str(caught.value)


def test_keymap_takes_signs_and_either_dash() -> None:
    assert keymap({"no-cache": "?", "no_cache_stage": "f3, /"}) == {
        "no_cache": "question_mark",
        "no_cache_stage": "f3,slash",
    }
    assert key_of("help", {}) == "?"
    assert key_of("rebuild", {"rebuild": "f5"}) == "f5"


async def test_choosing_a_target() -> None:
    subject = Scripted()
    async with HitmissApp(subject).run_test(size=SIZE) as pilot:
        app = await ready(pilot, subject)
        await pilot.press("t")
        await sees(pilot, "Build which target?")
        await pilot.press("up", "enter")
        await wait_for_async(lambda: subject.calls == [("targets",), ("set_target", "base")], 10)
        await pilot.press("t")
        await wait_for_async(lambda: isinstance(app.screen, TargetScreen), 10)
        await pilot.press("escape")
        await wait_for_async(lambda: len(app.screen_stack) == 1, 10)
        assert len(subject.calls) == 3


async def test_what_cannot_be_done_is_said() -> None:
    subject = Scripted(snapshot(live=False, source=Source()))
    async with HitmissApp(subject).run_test(size=SIZE, notifications=True) as pilot:
        await ready(pilot, subject)
        subject.refusal = UsageError("No [b]targets[/b].")
        await pilot.press("t")
        await sees(pilot, "No [b]targets[/b].")
        await pilot.press("e")
        await sees(pilot, "There is no Dockerfile on disk to edit.")
        await pilot.press("p")
        await sees(pilot, "there is no cache to prune")
        await pilot.press("f")
        await sees(pilot, "No step has failed.")
        await pilot.press("y")
        await sees(pilot, "docker build --target final '[b]x[/b]'")


async def test_no_stage_is_chosen() -> None:
    subject = Scripted(snapshot(webapp(stages=())))
    async with HitmissApp(subject).run_test(size=SIZE, notifications=True) as pilot:
        await ready(pilot, subject)
        await pilot.press("s")
        await sees(pilot, "Choose a step of the stage first.")
        await pilot.press("l", "d", "enter")
        assert subject.calls == []


@pytest.mark.parametrize("error", [EngineError("No engine [/] answers."), UsageError("No \x1b[31mDockerfile.")])
async def test_a_session_that_cannot_run_says_so(error: HitmissError) -> None:
    subject = Scripted()
    subject.refusal = error
    async with HitmissApp(subject).run_test(size=SIZE, notifications=True) as pilot:
        await sees(pilot, str(error).replace("\x1b", "�"))


async def test_the_editor_opens_at_the_step_and_its_complaint_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def edit(app: App[int], path: str, line: int) -> str:
        return f"{path}:{line} [red]no[/red]"

    monkeypatch.setattr("hitmiss.ui.acts.edit", edit)
    subject = Scripted()
    async with HitmissApp(subject).run_test(size=SIZE, notifications=True) as pilot:
        app = await ready(pilot, subject)
        app.query_one(StepTree).select("final:2")
        await pilot.press("e")
        await sees(pilot, "/project/Dockerfile:14 [red]no[/red]")


@pytest.mark.parametrize("keys", [["q", "q"], ["ctrl+c", "ctrl+c"], ["q", "ctrl+c"], ["ctrl+q"]])
async def test_leaving_once_or_twice(keys: list[str]) -> None:
    subject = Scripted()
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        app = await ready(pilot, subject)
        await pilot.press(*keys)
        await wait_for_async(lambda: not app.is_running or app.return_value is not None, 10, "the app to leave")
        subject.on_change()  # a session may still speak
    assert app.return_value == (130 if keys[0] == "ctrl+c" else 0)
    assert subject.calls == [("close",)]


async def test_leaving_with_a_dialog_open() -> None:
    subject = Scripted()
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        app = await ready(pilot, subject)
        await pilot.press("t")
        await sees(pilot, "Build which target?")
        app.leave(143)
        app.leave(0)
        await wait_for_async(lambda: app.return_value is not None, 10, "the app to leave")
    assert app.return_value == 143


async def test_leaving_before_it_runs() -> None:
    subject = Scripted()
    app = HitmissApp(subject)
    app.leave(143)
    async with app.run_test(size=(80, 24)):
        await wait_for_async(lambda: app.return_value is not None, 10, "the app to leave")
    assert app.return_value == 143
    assert not subject.started.is_set()


async def test_a_dialog_does_not_keep_builds_from_being_shown() -> None:
    subject = Scripted()
    async with HitmissApp(subject).run_test(size=SIZE) as pilot:
        app = await ready(pilot, subject)
        await pilot.press("?")
        await wait_for_async(lambda: isinstance(app.screen, HelpScreen), 10)
        for letters in ("hhhr ......", "hhhm r.....", "hhhm mm mrr"):
            drawn = subject.drawn
            subject.show(webapp(letters.replace("......", ".. ...").replace("r.....", "r. ...")))
            await wait_for_async(lambda before=drawn: subject.drawn > before, 10, "a draw")  # type: ignore[misc]
        subject.show(webapp("hhhm mf sss", Status.FAILED, error="it broke"))
        await pilot.press("escape")
        await sees(pilot, "it broke", "✖ RUN sh tools/bundle.sh")
        await wait_for_async(lambda: len(app.screen_stack) == 1, 10, "the help to be closed")
        assert "What the shapes say" not in shown(app)
