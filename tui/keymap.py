"""The operator's own keys, checked before the program starts."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from string import punctuation
from typing import Any

from textual.app import App, SystemCommand
from textual.dom import DOMNode
from textual.keys import Keys, _character_to_key
from textual.screen import Screen

from core.errors import BadInput
from tui.keys import BY_ID, KEYS, Key, Place, shown


def keymap(changes: Mapping[str, str]) -> dict[str, str]:
    """The keys that apply after the operator's changes, by the name of the binding.

    Raises `BadInput` where a name is not known, a key cannot be one, or two would clash.
    """
    for name, pressed in changes.items():
        if name not in BY_ID:
            near = sorted(BY_ID, key=lambda known: -_alike(known, name))[:3]
            raise BadInput(
                f"there is no key named {name!r}",
                where=f"keys.{name}",
                mend=f"Near it are {', '.join(near)}; ? in the program shows all.",
            )
        for one in pressed.split(","):
            if problem := _problem(one.strip()):
                raise BadInput(f"{one!r} {problem}", where=f"keys.{name}")
    keys = {
        key.id: ",".join(_named(one) for one in changes.get(key.id, key.key).split(","))
        for key in KEYS
    }
    allowed = set(_clashes({key.id: key.key for key in KEYS}))
    for one, first, second in _clashes(keys):
        if (one, first, second) not in allowed:
            raise BadInput(
                f"{shown(one)!r} would mean both {first!r} ({BY_ID[first].place.value}) and "
                f"{second!r} ({BY_ID[second].place.value})",
                where=f"keys.{first if first in changes else second}",
                mend="Give one of the two another key.",
            )
    return {name: keys[name] for name in changes}


def key_of(app: App[Any], name: str) -> str:
    """The key that a binding has now, as it is shown."""
    changed = app._keymap.get(name)
    known = BY_ID[name]
    return shown(changed) if changed else known.shown_as or shown(known.key)


def keys_of(app: App[Any], name: str) -> list[str]:
    """All keys that a binding has now, as Textual names them."""
    return app._keymap.get(name, BY_ID[name].key).split(",")


def others_of(app: App[Any], name: str) -> list[str]:
    """The keys that do the same as that one now, as they are shown."""
    return [shown(key) for key in keys_of(app, name)[1:]]


def command(screen: Screen[Any], key: Key, node: DOMNode, place: str = "") -> SystemCommand:
    """The palette's entry for a key: what it does on `node`, and how it can be pressed."""
    label = f"{place}: {key.label}" if place else f"{key.label[:1].upper()}{key.label[1:]}"
    return SystemCommand(
        f"{label} ({key_of(screen.app, key.id)})",
        key.tooltip,
        lambda: screen.app.run_worker(screen.app.run_action(key.action, node), group="palette"),
    )


def _clashes(keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Each key that means two things in places that can be active together."""
    ids = list(keys)
    pressed = {name: {one.strip() for one in keys[name].split(",")} for name in ids}
    for number, first in enumerate(ids):
        for second in ids[number + 1 :]:
            for one in sorted(pressed[first] & pressed[second]):
                if _together(BY_ID[first].place, BY_ID[second].place):
                    yield one, first, second


_TOGETHER = (
    {Place.REVIEW, Place.VALUES, Place.LIST},
    {Place.REVIEW, Place.SCENARIO, Place.LIST},
    {Place.DIALOG, Place.LIST},
    {Place.PAGE, Place.SESSIONS, Place.LIST},
    {Place.PAGE, Place.MODELS, Place.LIST},
    {Place.LAB, Place.LIST},
)
"""Places whose keys can be meant at the same time."""


def _together(one: Place, other: Place) -> bool:
    """Whether keys of both places can be meant at the same time."""
    return one is other or any({one, other} <= places for places in _TOGETHER)


def _named(key: str) -> str:
    key = key.strip()
    if len(key) == 1 and not key.isalnum():
        return _character_to_key(key)
    return key


def _problem(key: str) -> str:
    if not key or " " in key:
        return "is not a key"
    if key in ("tab", "enter", "space", "backspace") or len(key) == 1:
        return ""
    if key in ("ctrl+i", "ctrl+m", "ctrl+h", "ctrl+c", "ctrl+q"):
        return "arrives from terminals as another key, or is taken"
    if key.startswith(("alt+", "ctrl+enter", "shift+enter")):
        return "is not told apart from other keys by many terminals"
    if key not in _KNOWN and len(key.removeprefix("ctrl+").removeprefix("shift+")) != 1:
        return "is not a key: write it like x, f5, pagedown, ctrl+x or shift+left"
    return ""


_KNOWN = {key.value for key in Keys} | {_character_to_key(char) for char in punctuation}
"""Keys of more than one letter, as Textual names them."""


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
