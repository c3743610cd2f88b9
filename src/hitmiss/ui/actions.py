"""One table of what can be asked for: key, words, what it does. Bindings, palette, help and settings read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from textual.binding import Binding
from textual.keys import Keys

from hitmiss.errors import UsageError


class Act(NamedTuple):
    """One action. `id` is its name in the settings and in `Binding.id`; `shown` puts it into the footer."""

    id: str
    key: str
    title: str
    description: str
    shown: bool = True


ACTIONS: tuple[Act, ...] = (
    Act("rebuild", "r", "rebuild", "Build again now"),
    Act("no_cache", "n", "no cache", "Build again without any cache (--no-cache)"),
    Act("no_cache_stage", "s", "stage", "Build again without the cache of the selected stage (--no-cache-filter)"),
    Act("target", "t", "target", "Choose the target to build"),
    Act("builder", "b", "builder", "See the builders: use another one, make, start, stop or remove one"),
    Act("prune", "p", "prune", "See what the build cache holds, and delete from it"),
    Act("pause", "w", "pause", "Pause or resume the watch"),
    Act("cancel", "c", "cancel", "Cancel the running build"),
    Act("help", "question_mark", "help", "All keys, and what the shapes mean"),
    Act("quit", "q", "quit", "Leave; a running build is canceled"),
    Act("edit", "e", "edit", "Open the step's line in $VISUAL or $EDITOR"),
    Act("copy_command", "y", "copy", "Copy the docker build command that does the same"),
    Act("arguments", "v", "args", "See and change the build arguments; what a change costs is said before it is made"),
    Act("on_change", "o", "on save", "What a save does: restart, queue, manual", shown=False),
    Act("why", "a", "why", "Answer why the step ran, or why it did not", shown=False),
    Act("log", "l", "log", "Show the step's log", shown=False),
    Act("dockerfile", "d", "dockerfile", "Show the step's line in the Dockerfile", shown=False),
    Act("files", "i", "files", "Show the step's input: the files that it reads", shown=False),
    Act("image", "m", "image", "Show what was made: the image's size, and what each step added", shown=False),
    Act("history", "h", "history", "Show the builds of the past", shown=False),
    Act("root", "u", "root", "Go up to the step where it began that this one ran", shown=False),
    Act("failure", "f", "failure", "Go to the step that failed", shown=False),
    Act("theme", "T", "theme", "Go to the other theme, dark or light", shown=False),
)

KEY_NAMES = {"question_mark": "?", "slash": "/", "escape": "esc"}


def bindings() -> list[Binding]:
    """The app's bindings, one an action."""
    return [
        Binding(act.key, f"act('{act.id}')", act.title, show=act.shown, tooltip=act.description, id=act.id)
        for act in ACTIONS
    ]


def keymap(keys: Mapping[str, str]) -> dict[str, str]:
    """The settings' `keys` as Textual's keymap. Raises `UsageError` for an action or a key that there is not."""
    known = {act.id for act in ACTIONS}
    names = {name.replace("-", "_"): key for name, key in keys.items()}
    for name in names:
        if name not in known:
            raise UsageError(
                f"The settings remap a key of {name!r}, which is no action.", f"Actions: {', '.join(sorted(known))}."
            )
    return {name: ",".join(_key(key.strip(), name) for key in value.split(",")) for name, value in names.items()}


def _key(written: str, act_id: str) -> str:
    """A key as Textual names it. Raises `UsageError` for a word that is no key."""
    key = KEY_OF.get(written, written if len(written) == 1 else written.lower())
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    if set(modifiers) <= _MODIFIERS and (len(last) == 1 or last in _KEYS):
        return key
    raise UsageError(
        f"The settings give {act_id.replace('_', '-')} the key {written!r}, which is no key.",
        "Write one as `x`, `F5`, `ctrl+r` or `alt+enter`.",
    )


_MODIFIERS = {"ctrl", "shift", "alt", "super", "meta", "hyper"}
_KEYS = {key.value for key in Keys} | set(KEY_NAMES)


KEY_OF = {shown: key for key, shown in KEY_NAMES.items()}


def key_of(act_id: str, keys: Mapping[str, str]) -> str:
    """The key of an action as a person writes it, with the settings' changes."""
    key = keys.get(act_id) or next(act.key for act in ACTIONS if act.id == act_id)
    return ", ".join(KEY_NAMES.get(part, part) for part in key.split(","))
