"""The prune dialog with a cache of the test's own: filters, figures, two presses, errors, escape."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from hitmiss.docker.storage import CacheRecord, Preview, Pruned, PruneFilter
from hitmiss.errors import EngineError, HitmissError
from hitmiss.ui import theme
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.screens import prune as prune_module
from hitmiss.ui.screens.prune import PruneScreen, parse_keep, what
from tests.support.subject import snapshot
from tests.support.wait import wait_for_async
from tests.ui.shown import Host, all_inside, sees, shown
from tests.ui.telling import Scripted

SIZES = [(80, 24), (120, 40)]


def record(number: int, **fields: object) -> CacheRecord:
    made = CacheRecord(
        id=f"id{number}",
        type="regular",
        size=1_000_000 * (100 - number),
        description=f"mount / from exec /bin/sh -c make part-{number}",
        last_used="2 hours ago",
        unused_s=7200.0,
        usage_count=1,
        shared=False,
        reclaimable=True,
        mutable=False,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


MOUNT = record(
    1, type="exec.cachemount", description='cached mount /root/.cache from exec /bin/sh -c pip install with id "//c"'
)
FULL = Preview((record(0), MOUNT, record(2)), total=3_400_000_000, total_count=42, private=400_000_000)


class Cache:
    """Answers the dialog. `previews` and `prunes` are the filters asked with; an answer may be an error or a future."""

    def __init__(self, *answers: Preview | HitmissError | asyncio.Future[Preview]) -> None:
        self.answers = list(answers) or [FULL]
        self.previews: list[PruneFilter] = []
        self.prunes: list[PruneFilter] = []
        self.freed: Pruned | HitmissError | asyncio.Future[Pruned] = Pruned(297_000_000, 3)

    async def preview(self, wanted: PruneFilter) -> Preview:
        answer = self.answers[min(len(self.previews), len(self.answers) - 1)]
        self.previews.append(wanted)
        if isinstance(answer, HitmissError):
            raise answer
        return await answer if isinstance(answer, asyncio.Future) else answer

    async def prune(self, wanted: PruneFilter) -> Pruned:
        self.prunes.append(wanted)
        if isinstance(self.freed, HitmissError):
            raise self.freed
        return await self.freed if isinstance(self.freed, asyncio.Future) else self.freed


async def opened(pilot: Pilot[None], cache: Cache, *seen: str) -> Host:
    app = pilot.app
    assert isinstance(app, Host)
    app.push_screen(PruneScreen(cache.preview, cache.prune, builder="default"), app.given.append)
    await sees(pilot, *(seen or ("Delete 297.0 MB of build cache",)))
    return app


async def asks(cache: Cache, wanted: PruneFilter) -> None:
    """Wait until the last question is this one."""
    await wait_for_async(lambda: cache.previews[-1:] == [wanted], 5, f"{wanted}")


async def press(pilot: Pilot[None], mouse: bool = True) -> None:
    """Press the button that deletes, once Textual takes a press again."""
    button = pilot.app.screen.query_one("#delete", Button)
    await wait_for_async(lambda: not button.has_class("-active"), 5)
    if mouse:
        await pilot.click("#delete")
    else:
        button.focus()
        await pilot.press("enter")


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second press counts at once."""
    monkeypatch.setattr(prune_module, "_DOUBLE_S", -1.0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [theme.DARK.name, theme.LIGHT.name])
async def test_it_says_what_goes_and_how_much(size: tuple[int, int], name: str) -> None:
    async with Host(name).run_test(size=size) as pilot:
        app = await opened(pilot, Cache())
        await sees(
            pilot,
            "297.0 MB in 3 records would go, of 3.4 GB in 42 records.",
            "cache mount",
            "/root/.cache  RUN pip install",
            "RUN make part-0",
            "2 hours ago",
            "default · esc closes",
        )
        assert all_inside(app, "#dialog", "#age", "#mounts", "#all", "#keep", "#records", "#delete", "#close")
        assert app.screen.query_one("#records").region.height >= 5


async def test_filters_by_keyboard() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        cache = Cache()
        await opened(pilot, cache)
        assert cache.previews == [PruneFilter()]
        await pilot.press("right", "right")
        await asks(cache, PruneFilter(unused_since=24))
        await pilot.press("tab", "space", "tab", "enter")
        await asks(cache, PruneFilter(unused_since=24, cache_mounts_only=True, all=True))
        await pilot.press("tab", *"12.5")
        await asks(cache, PruneFilter(24, cache_mounts_only=True, keep_bytes=12_500_000_000, all=True))
        await sees(pilot, "[24 h]", "[x] cache mounts only", "[x] shared with images too")


@pytest.mark.parametrize("size", SIZES)
async def test_filters_by_mouse(size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        cache = Cache()
        await opened(pilot, cache)
        await pilot.click("#age", offset=(len("[any] 1 h  24 h  7"), 0))
        await asks(cache, PruneFilter(unused_since=168))
        await pilot.click("#mounts")
        await asks(cache, PruneFilter(unused_since=168, cache_mounts_only=True))
        await pilot.click("#mounts")
        await pilot.click("#all")
        await asks(cache, PruneFilter(unused_since=168, all=True))
        await pilot.click("#age", offset=(1, 0))
        await pilot.click("#keep")
        await pilot.press("3")
        await asks(cache, PruneFilter(keep_bytes=3_000_000_000, all=True))


async def test_filters_that_change_quickly_are_asked_for_once() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        cache = Cache()
        app = await opened(pilot, cache)
        for keep in range(1, 40):
            app.screen.query_one("#keep", Input).value = str(keep)
        await asks(cache, PruneFilter(keep_bytes=39 * 10**9))
        assert len(cache.previews) == 2


@pytest.mark.parametrize("text", ["x", "1x", "-1", "1.2.3", "1e9", "nan", "9999999"])
async def test_what_is_no_size_is_said_and_asks_nobody(text: str) -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        cache = Cache()
        app = await opened(pilot, cache)
        app.screen.query_one("#keep", Input).value = text
        await sees(pilot, "✖ Keep how many GB? A number such as 5 or 0.5.")
        assert app.screen.query_one("#delete", Button).disabled
        app.screen.query_one("#keep", Input).value = ""
        await sees(pilot, "Delete 297.0 MB of build cache")
        assert len(cache.previews) == 2


@pytest.mark.parametrize(
    ("text", "size"), [("", None), (" ", None), ("0", None), ("5", 5 * 10**9), ("0.5", 5 * 10**8), ("1,5", 15 * 10**8)]
)
def test_sizes_to_keep(text: str, size: int | None) -> None:
    assert parse_keep(text) == size


async def test_an_answer_that_comes_too_late_is_dropped() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        late: asyncio.Future[Preview] = asyncio.get_running_loop().create_future()
        cache = Cache(late, replace(FULL, records=(record(9),)))
        app = await opened(pilot, cache, "Looking at the build cache …")
        assert app.screen.query_one("#delete", Button).disabled
        await pilot.press("right")
        await sees(pilot, "Delete 91.0 MB of build cache")
        assert late.cancelled()


async def test_while_it_asks_nothing_can_be_deleted() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        waiting: asyncio.Future[Preview] = asyncio.get_running_loop().create_future()
        cache = Cache(FULL, waiting)
        app = await opened(pilot, cache)
        await pilot.press("right")
        assert app.screen.query_one("#delete", Button).disabled
        await pilot.click("#delete")
        await asks(cache, PruneFilter(unused_since=1))
        await sees(pilot, "Looking …")
        waiting.set_result(Preview(total=10, total_count=1))
        await sees(pilot, "Nothing would go of 10 B in 1 record.", "Nothing to delete")
        assert not cache.prunes


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("mouse", [True, False])
@pytest.mark.parametrize("size", SIZES)
async def test_it_deletes_at_the_second_press(mouse: bool, size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        cache = Cache(FULL, FULL, Preview(total=5, total_count=1))
        app = await opened(pilot, cache)
        await pilot.press("right")
        await asks(cache, PruneFilter(unused_since=1))
        await sees(pilot, "Delete 297.0 MB of build cache")
        await press(pilot, mouse)
        await sees(pilot, "Sure? Press once more to delete", "Yes, delete 297.0 MB")
        assert not cache.prunes
        await press(pilot, mouse)
        await sees(pilot, "Freed 297.0 MB: 3 records gone. 5 B in 1 record left.", "Nothing to delete")
        assert cache.prunes == [PruneFilter(unused_since=1)]
        await pilot.press("escape")
        await wait_for_async(lambda: app.given == [Pruned(297_000_000, 3)], 5)


async def test_a_double_click_is_one_press(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hitmiss.ui.screens.prune._DOUBLE_S", 60.0)  # however slowly the second click comes
    async with Host().run_test(size=(80, 24)) as pilot:
        cache = Cache()
        await opened(pilot, cache)
        await pilot.click("#delete", times=2)
        await sees(pilot, "Yes, delete 297.0 MB")
        assert not cache.prunes


async def test_another_filter_takes_the_first_press_back() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        cache = Cache()
        await opened(pilot, cache)
        await pilot.click("#delete")
        await sees(pilot, "Yes, delete 297.0 MB")
        await pilot.click("#mounts")
        await asks(cache, PruneFilter(cache_mounts_only=True))
        await sees(pilot, "Delete 297.0 MB of build cache")
        assert not cache.prunes


@pytest.mark.usefixtures("no_pause")
async def test_escape_closes_at_any_time() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        looking: asyncio.Future[Preview] = asyncio.get_running_loop().create_future()
        app = await opened(pilot, Cache(looking), "Looking at the build cache")
        await pilot.press("escape")
        await wait_for_async(lambda: app.given == [None], 5)
        await wait_for_async(looking.cancelled, 5)

        cache = Cache()
        cache.freed = deleting = asyncio.get_running_loop().create_future()
        await opened(pilot, cache)
        await press(pilot)
        await sees(pilot, "Yes, delete")
        await press(pilot)
        await sees(pilot, "Deleting; escape stops it")
        await pilot.press("escape")
        await wait_for_async(lambda: app.given == [None, None], 5)
        await wait_for_async(deleting.cancelled, 5)

        app = await opened(pilot, Cache())
        await pilot.click("#close")
        await wait_for_async(lambda: app.given == [None, None, None], 5)


@pytest.mark.usefixtures("no_pause")
async def test_what_goes_wrong_is_one_sentence_in_the_dialog() -> None:
    away = EngineError("No engine [b]answers[/b] on \x1b[31mx.", "Start it.")
    async with Host().run_test(size=(80, 24)) as pilot:
        cache = Cache(away, FULL)
        app = await opened(pilot, cache, "✖ No engine [b]answers[/b] on")
        assert "\x1b" not in shown(app)
        assert app.screen.query_one("#delete", Button).disabled
        await pilot.press("right")
        await sees(pilot, "Delete 297.0 MB of build cache")
        cache.freed = HitmissError("The engine went away.")
        await press(pilot)
        await sees(pilot, "Yes, delete")
        await press(pilot)
        await sees(pilot, "✖ The engine went away.")
        await pilot.press("escape")
        await wait_for_async(lambda: app.given == [None], 5)


async def test_figures_that_may_differ_say_about() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        cache = Cache(FULL, replace(FULL, exact=False), Preview(total=900, total_count=3, private=100))
        app = await opened(pilot, cache)
        app.screen.query_one("#keep", Input).value = "1"
        await sees(pilot, "About 297.0 MB", "Delete about 297.0 MB", "BuildKit decides which go")
        app.screen.query_one("#keep", Input).value = "2"
        await sees(pilot, "100 B count for the size to keep; what images share does not.")


async def test_what_images_share_is_said() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        await opened(pilot, Cache(replace(FULL, records=(record(0, shared=True), record(50)))), "Images share 100.0 MB")


async def test_descriptions_are_text_and_nothing_else() -> None:
    hostile = record(0, description="RUN [red]x[/red] \x1b]0;title\x07\x1b[2J [@click=app.quit]y[/]", type="[b]new[/b]")
    async with Host().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, Cache(replace(FULL, records=(hostile,))), "[red]x[/red]", "[@click=app.quit]y[/]")
        assert "[b]new[/b]" in shown(app)
        assert "\x1b" not in shown(app)


async def test_the_largest_are_listed_and_the_rest_is_counted() -> None:
    many = tuple(record(0, id=str(number), size=1000) for number in range(10_000))
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, Cache(replace(FULL, records=many)), "Delete 10.0 MB")
        records = app.screen.query_one("#records")
        records.scroll_end(animate=False)
        await sees(pilot, "in 9,800 records more")
        await pilot.press("up")
        assert records.scroll_y < records.max_scroll_y


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_second_press_is_where_the_first_one_was(size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        app, cache = pilot.app, Cache()
        app.push_screen(PruneScreen(cache.preview, cache.prune))
        await sees(pilot, "Delete 297.0 MB of build cache")
        await pilot.pause()
        before = app.screen.query_one("#delete").region
        await press(pilot)
        await sees(pilot, "Yes, delete 297.0 MB")
        assert app.screen.query_one("#delete").region == before
        assert app.screen.query_one("#buttons").region.contains_region(before)


async def test_all_of_it_is_on_a_small_screen() -> None:
    app = HitmissApp(Scripted(snapshot()))
    async with app.run_test(size=(60, 15)) as pilot:
        cache = Cache()
        app.push_screen(PruneScreen(cache.preview, cache.prune))
        await sees(pilot, "Delete 297.0 MB of build cache")
        assert all_inside(app, "#age", "#mounts", "#all", "#keep", "#records", "#delete", "#close")
        await pilot.resize_terminal(60, 9)
        for name in ("keep", "delete", "close"):
            app.screen.query_one(f"#{name}").focus()
            await wait_for_async(lambda each=name: all_inside(app, f"#{each}"), 10, name)  # type: ignore[misc]


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (250, 70)])
async def test_any_terminal_will_do(size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        cache = Cache()
        app = pilot.app
        app.push_screen(PruneScreen(cache.preview, cache.prune))
        await asks(cache, PruneFilter())
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "Delete 297.0 MB of build cache")
        assert all_inside(app, "#delete", "#close")


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("mount / from exec /bin/sh -c make all", "RUN make all"),
        ('mount / from exec ["a", "b"]', 'RUN ["a", "b"]'),
        ('cached mount /c from exec /bin/sh -c make with id "//c"', "/c  RUN make"),
        ("local source for context", "local source for context"),
        ("", "layer of an image"),
        ("two\nlines", "two lines"),
    ],
)
def test_descriptions_in_fewer_words(description: str, words: str) -> None:
    assert what(record(0, description=description)) == words
