"""The image's panel, and the caches in the tree."""

from __future__ import annotations

import msgspec
import pytest

from hitmiss.build.model import BuiltImage, Layer, Piece, Status, Step, Verdict
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.widgets import image_view
from tests.support.subject import snapshot, webapp
from tests.ui.shown import sees
from tests.ui.telling import Scripted

IMAGE = BuiltImage(
    digest="sha256:" + "9f" * 32,
    size=246_400_000,
    packed=91_200_000,
    layers=(
        Layer("FROM python:3.12-slim", "base:1", 124_500_000, 41_000_000, 0),
        Layer("COPY src/ src/", "final:2", 1_150_000, 184_000, 1_100_000),
    ),
    against=11,
    grown=1_100_000,
    gone=(Layer("RUN rm -rf [b]x[/b]", "final:9", 8192, 93),),
)
WORK = (
    Step("m", "", 0, 0, "[internal] load metadata for python", verdict=Verdict.INTERNAL),
    Step("i", "", 0, 0, "importing cache manifest from r.io/x:c", verdict=Verdict.FAILED, error="r.io/x:c: not found"),
    Step("p", "", 0, 0, "exporting to image", verdict=Verdict.INTERNAL, duration_s=4.2,
         pieces=(Piece("naming to r.io/x:1"), Piece("pushing layers", 10, 40, 3.6, True))),
)  # fmt: skip
BUILD = webapp("hhhh hh hmm", Status.SUCCEEDED, 12, images=(IMAGE,), internals=WORK, written={"p": 91_200_000})


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_image_its_layers_and_what_has_changed(size: tuple[int, int]) -> None:
    subject = Scripted(snapshot(BUILD))
    async with HitmissApp(subject).run_test(size=size) as pilot:
        await pilot.pause()
        await sees(pilot, "image 246.4 MB +1.1 MB")
        await pilot.press("m")
        await sees(pilot, "246.4 MB of files · 91.2 MB packed", "+1.1 MB since build 11", "FROM python:3.12-slim")
        lines = pilot.app.query_one(image_view.ImageView).lines
        texts = [lines.text_of(number) for number in range(lines.end)]
        assert texts[4:] == [
            " 124.5 MB  ━━━━━━             FROM python:3.12-slim",
            "   1.1 MB            +1.1 MB  COPY src/ src/",
            "",
            "gone since build 11",
            "                     −8.2 kB  RUN rm -rf [b]x[/b]",
        ]


async def test_before_an_image_is_known() -> None:
    subject = Scripted(snapshot(webapp()))
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("m")
        await sees(pilot, image_view.NOT_YET[:40])
        subject.show(BUILD)
        await sees(pilot, "246.4 MB of files")
        subject.show(webapp("hhhh hh hhh", Status.SUCCEEDED, 13))
        await sees(pilot, image_view.NOT_KNOWN[:40])


async def test_caches_and_outputs_have_lines_of_their_own() -> None:
    subject = Scripted(snapshot(msgspec.structs.replace(BUILD, internals=())))
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        subject.show(BUILD)
        await sees(pilot, "▾ Caches and outputs", "▪ pushed 91.2 MB to r.io/x:1", "4.2 s", "▸ BuildKit's own work")
        await sees(pilot, "▪ imported nothing (there is none yet) from r.io/")
        await pilot.press("a")
        pilot.app.look_at("p")  # type: ignore[attr-defined]
        await sees(pilot, "3.6 s  pushing layers  10 B of 40 B")
        await pilot.press("s")
        await pilot.pause()
        assert not [call for call in subject.calls if call[0] == "rebuild"], "it is no stage"
