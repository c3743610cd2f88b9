"""What a build made and moved, in words: its image with the layers, the change against the last one, each transfer."""

from __future__ import annotations

from hitmiss.build.model import Build, BuiltImage, Layer, Piece, Step, Verdict
from hitmiss.build.transfers import Transfer, Way
from hitmiss.explain.lines import Line, Part, Role, say, short_digests
from hitmiss.symbols import plain, seconds, size

_BAR = 6
_COLUMN = 9


def image_size(build: Build) -> str:
    """`image 2.8 MB +61.4 kB`; "" while its size is not known."""
    known = [image for image in build.images if image.bytes is not None]
    if not known:
        return ""
    what = f"{len(known)} images" if len(known) > 1 else "image"
    grown = sum(image.grown or 0 for image in known)
    return f"{what} {size(sum(image.bytes or 0 for image in known))}{f' {signed(grown)}' if grown else ''}"


def image_short(build: Build) -> str:
    """`image 2.8 MB (+61.4 kB, COPY src/ /src/)`; "" while its size is not known."""
    more = change(build.images[0]) if len(build.images) == 1 else ""
    whole = f"image {size(build.images[0].bytes or 0)}" if more else image_size(build)
    return f"{whole} ({more})" if more else whole


def change(image: BuiltImage) -> str:
    """`+1.2 MB, COPY src/ /src/ +1.1 MB`: how much more it is than before, and the step that did most of it."""
    if image.grown is None or not image.against:
        return ""
    changed = [(layer.text, layer.grown) for layer in image.layers if layer.grown]
    changed += [(layer.text, -layer.bytes) for layer in image.gone if layer.bytes]
    if not image.grown and not changed:
        return "same size"
    text, most = max(changed, key=lambda each: abs(each[1]), default=("", 0))
    step = f", {plain(text)[:40]}" if text else ""
    return signed(image.grown) + (step if most == image.grown else f"{step} {signed(most)}" if step else "")


def image_lines(build: Build) -> tuple[Line, ...]:
    """All that is known of the images: sizes, layers with the steps that made them, what has changed."""
    lines: list[Line] = []
    for image in build.images:
        if lines:
            lines.append(())
        lines += _image(image, several=len(build.images) > 1)
    return tuple(lines)


def own_work(step: Step) -> tuple[Line, ...]:
    """What BuildKit told of a piece of its own work: what went wrong, and time, name and bytes of each of its pieces.

    Nothing for the steps of a build.
    """
    if step.stage or not step.pieces:
        return ()
    wrong = [say(plain(step.error), Role.FAILED), ()] if step.error else []
    return (*wrong, *map(_piece, step.pieces))


def transfer_text(transfer: Transfer) -> str:
    """`imported 7 hits, 503.0 kB from r.io/x:cache`: what came of it first, for the place may be long."""
    done, doing, to = _VERBS[transfer.way]
    moved = size(transfer.bytes) if transfer.bytes is not None else ""
    said = ", ".join(part for part in (transfer.words, moved) if part)
    running = transfer.work.running_since is not None
    verb = doing if running or transfer.work.verdict is Verdict.FAILED else done
    what = said if said and not running else "a cache" if transfer.way in (Way.CACHE_IN, Way.CACHE_OUT) else ""
    return plain(" ".join(part for part in (verb, what, to if transfer.what else "", transfer.what) if part))


_VERBS = {
    Way.CACHE_IN: ("imported", "importing", "from"),
    Way.CACHE_OUT: ("exported", "exporting", "to"),
    Way.PUSH: ("pushed", "pushing", "to"),
    Way.LOAD: ("exported", "exporting", "to"),
    Way.FILES: ("wrote", "writing", "to"),
}


def signed(value: int) -> str:
    """`+1.2 MB`, `−4.1 kB`."""
    return f"{'−' if value < 0 else '+'}{size(abs(value))}"


def _image(image: BuiltImage, *, several: bool) -> list[Line]:
    where = " · ".join(plain(part) for part in (image.bake_target, image.platform) if part) if several else ""
    sizes = [f"{size(image.size)} of files"] if image.size is not None else []
    sizes += [f"{size(image.packed)} packed for a registry"] if image.packed is not None else []
    head: list[Part] = [Part(f"{where}  ", Role.STRONG)] if where else []
    lines: list[Line] = [(*head, Part(" · ".join(sizes) or "Its size is not known.", Role.STRONG))]
    if image.against:
        since = f" since build {image.against}"
        words = "same size as" if image.grown == 0 else ""
        role = Role.CHANGED if image.grown else Role.DIM
        told = f"{words} build {image.against}".strip() if words else f"{signed(image.grown or 0)}{since}"
        lines.append(say(told, role))
    if image.digest:
        lines.append(say(short_digests(plain(image.digest)), Role.DIM))
    most = max((layer.bytes or 0 for layer in image.layers), default=0)
    compared = any(layer.grown for layer in image.layers)
    lines += [(), *(_layer(layer, most, compared) for layer in image.layers)] if image.layers else []
    if image.gone:
        lines += [(), say(f"gone since build {image.against}", Role.DIM)]
        lines += [_layer(layer, most, compared, gone=True) for layer in image.gone]
    return lines


def _layer(layer: Layer, most: int, compared: bool, *, gone: bool = False) -> Line:
    change = -(layer.bytes or 0) if gone else layer.grown
    grown = f"{signed(change) if change else '':>{_COLUMN}}  " if compared else ""
    share = round(_BAR * (layer.bytes or 0) / most) if most and not gone else 0
    return (
        Part(f"{'?' if layer.bytes is None else size(layer.bytes) if not gone else '':>{_COLUMN}}  "),
        Part(f"{'━' * share:<{_BAR}}  ", Role.HIT),
        Part(grown, Role.CHANGED),
        Part(plain(layer.text), Role.DIM if gone else Role.STEP, layer.step if not gone else ""),
    )


def _piece(piece: Piece) -> Line:
    of = f" of {size(piece.total)}" if piece.total > piece.current else ""
    moved = f"  {size(piece.current)}{of}" if piece.current or of else ""
    return (
        Part(f"{seconds(piece.duration_s) if piece.done else '…':>8}  ", Role.DIM),
        Part(short_digests(plain(piece.name)), Role.PLAIN if piece.done else Role.STRONG),
        Part(moved, Role.DIM),
    )
