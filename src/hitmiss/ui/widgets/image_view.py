"""What the build has made: the image's size, what each step added to it, and what has changed since the last build."""

from __future__ import annotations

from hitmiss.build.model import Build, Status
from hitmiss.explain.making import image_lines
from hitmiss.ui.widgets.parts_view import PartsLines
from hitmiss.ui.widgets.search_pane import SearchPane

NOT_YET = "The size of the image is known after a build that makes one."
NOT_KNOWN = "Nobody could tell the size of the image: the builder does not give it out."
RECORDED = "A recording holds no image: its size is not known."


class ImageView(SearchPane):
    """The Image panel. A click on a layer goes to the step that made it."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        self.lines = PartsLines()
        self.lines.placeholder = NOT_YET
        self.lines.wrap = False  # a table
        super().__init__(self.lines, id=id, classes=classes)
        self._shown: object = None

    def show(self, build: Build, *, live: bool = True) -> None:
        """Show what this build made; cheap when that is what is shown. A recording is not `live`."""
        over = build.status is Status.SUCCEEDED and not build.images
        self.lines.placeholder = RECORDED if not live else NOT_KNOWN if over else NOT_YET
        if build.images is self._shown:
            return
        self._shown = build.images
        self.lines.show(image_lines(build))
        if self.searching:
            self.restart_search()
