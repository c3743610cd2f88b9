"""A screen of Textual's as a PNG: its SVG drawn with fonts that hold every glyph that hitmiss uses.

The font is one without ligatures, for a terminal draws `--` as two characters.
"""

from pathlib import Path

import resvg_py

_FOLDER = Path("/usr/share/fonts")
_FONTS = (
    "truetype/hack/Hack-Regular.ttf",
    "truetype/hack/Hack-Bold.ttf",
    "truetype/dejavu/DejaVuSansMono.ttf",
    "opentype/noto/NotoSansCJK-Regular.ttc",
)
PACKAGES = ("fonts-hack", "fonts-dejavu-core", "fonts-noto-cjk")


def write_png(svg: str, path: Path) -> None:
    """Draw the SVG of `App.export_screenshot` into `path`. Raises FileNotFoundError when a font is missing."""
    fonts = [_FOLDER / font for font in _FONTS]
    for font in fonts:
        if not font.exists():
            raise FileNotFoundError(f"{font} is missing: install {', '.join(PACKAGES)}.")
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg.replace("Fira Code", "Hack"), font_files=[str(font) for font in fonts], skip_system_fonts=True
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(drawn))


def have_fonts() -> bool:
    """Whether every font is there."""
    return all((_FOLDER / font).exists() for font in _FONTS)
