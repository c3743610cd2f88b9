"""Layers matched to steps, and two images compared."""

from __future__ import annotations

import msgspec
import pytest

from hitmiss.build.layered import BASE, Entry, Told, compared, layered
from hitmiss.build.model import Layer, Step
from hitmiss.explain.making import change


def step(number: int, text: str) -> Step:
    return Step(f"s:{number}", "s", number, 9, text)


STEPS = (step(1, "FROM debian"), step(2, "WORKDIR /a"), step(3, "COPY a b /a/"), step(4, "RUN make"))
HISTORY = (
    Entry("/bin/sh -c #(nop) ADD file:1 in / ", 100),
    Entry("RUN /bin/sh -c apt-get install # buildkit", 50),
    Entry("CMD [bash]", 0, True),
    Entry("WORKDIR /a", 8),
    Entry("ENV A=1", 0, True),
    Entry("COPY a b /a/ # buildkit", 20),
    Entry("RUN |1 A=1 /bin/sh -c make # buildkit", 7),
    Entry("ENTRYPOINT [x]", 0, True),
)


def sizes(told: Told, steps: tuple[Step, ...] = STEPS) -> list[tuple[str, int | None, int | None]]:
    return [(layer.step, layer.size, layer.packed) for layer in layered(told, steps).layers]


def test_each_step_has_what_it_added_and_from_all_below() -> None:
    told = Told("", "sha256:1", HISTORY, (90, 40, 4, 10, 3), 5)
    image = layered(told, STEPS, "web")
    assert sizes(told) == [("s:1", 150, 130), ("s:2", 8, 4), ("s:3", 20, 10), ("s:4", 7, 3)]
    assert (image.size, image.packed, image.bake_target) == (185, 152, "web")


def test_a_workdir_that_makes_no_folder_has_no_layer() -> None:
    history = (*HISTORY[:3], Entry("WORKDIR /", 0, True), *HISTORY[3:])
    assert sizes(Told("", "", history, (90, 40, 4, 10, 3)))[1:] == [("s:2", 8, 4), ("s:3", 20, 10), ("s:4", 7, 3)]
    without = tuple(each for each in HISTORY if each.text != "WORKDIR /a")
    assert sizes(Told("", "", without, (90, 40, 10, 3))) == [("s:1", 150, 130), ("s:3", 20, 10), ("s:4", 7, 3)]


def test_what_is_not_known_is_not_made_up() -> None:
    told = Told("", "", tuple(Entry(each.text, None, each.empty) for each in HISTORY), (90, 40, 4, 10, 3), 5)
    assert sizes(told) == [("s:1", None, 130), ("s:2", None, 4), ("s:3", None, 10), ("s:4", None, 3)]
    image = layered(told, STEPS)
    assert (image.size, image.packed) == (None, 152)
    assert sizes(Told("", "", HISTORY))[-1] == ("s:4", 7, None)
    assert layered(Told("", "", HISTORY), ()).layers == (Layer(BASE, "", 185),)


@pytest.mark.parametrize("entries", [(), (Entry("COPY a b /a/ # buildkit", 20), Entry("RUN make # buildkit", 7))])
def test_from_scratch_there_is_no_base(entries: tuple[Entry, ...]) -> None:
    assert [each[0] for each in sizes(Told("", "", entries), STEPS[2:])] == ["s:3", "s:4"][: len(entries)]


def test_the_change_is_told_by_steps() -> None:
    before = layered(Told("", "", HISTORY), STEPS)
    bigger = (*HISTORY[:5], Entry("COPY a b /a/ # buildkit", 1_120_000), *HISTORY[6:])
    image = compared(layered(Told("", "", bigger), STEPS), before, 3)
    assert (image.grown, image.against) == (1_119_980, 3)
    assert {layer.step: layer.grown for layer in image.layers} == {"s:1": 0, "s:2": 0, "s:3": 1_119_980, "s:4": 0}
    assert change(image) == "+1.1 MB, COPY a b /a/"
    both = (*bigger[:6], Entry("RUN make # buildkit", 500_007), HISTORY[7])
    assert change(compared(layered(Told("", "", both), STEPS), before, 3)) == "+1.6 MB, COPY a b /a/ +1.1 MB"
    assert change(compared(before, before, 3)) == "same size"


def test_steps_that_moved_were_edited_or_are_gone() -> None:
    before = layered(Told("", "", HISTORY), STEPS)
    fewer = tuple(each for each in HISTORY if not each.text.startswith("COPY"))
    moved = (STEPS[0], STEPS[1], msgspec.structs.replace(STEPS[3], id="s:3", index=3))
    image = compared(layered(Told("", "", fewer), moved), before, 1)
    assert [layer.grown for layer in image.layers] == [0, 0, 0]
    assert [layer.text for layer in image.gone] == ["COPY a b /a/"]
    assert image.grown == -20
    edited = (*STEPS[:3], msgspec.structs.replace(STEPS[3], instruction="RUN make all"))
    image = compared(layered(Told("", "", HISTORY), edited), before, 1)
    assert ([layer.grown for layer in image.layers], image.gone) == ([0, 0, 0, 0], ())
