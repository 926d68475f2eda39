"""What can be done about the values and the scenario."""

import os
import re
import shlex
import subprocess
import tempfile
import unicodedata
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from textual.app import SuspendNotSupported
from textual.content import Content

from core import library
from core.domain.scenario import LONGEST_TEXT
from core.domain.text import plain
from core.domain.values import LONGEST_ID, Profile, Value
from core.errors import BadInput, PlacetError, Refused
from core.files import read_text
from tui.dialogs import Ask, Choice, Confirm, Edit, Pick, Show
from tui.draw import MUTED, lines, weight
from tui.flow.incoming import read_candidates
from tui.literal import cut, literal
from tui.panes.values import title_of
from tui.screens import going
from tui.screens.replacing import may_replace
from tui.screens.workplace import Workplace

_HOW = "# The goal, then a line of three dashes, then the context."

_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l"}
)
"""Letters that are no other letter with a mark."""


def _value(screen: Workplace, value_id: str) -> Value:
    if value_id not in screen.review.profile.weights:
        raise Refused("that value is no longer there")
    return screen.review.profile.value(value_id)


async def edit_value(screen: Workplace, value_id: str) -> None:
    """Edits a statement; verdicts are stale then."""
    value = _value(screen, value_id)
    shown = plain(value.statement, one_line=True).strip()
    draft = f"value {value.id} {shown}"  # of another statement it would undo this one
    told = await screen.app.push_screen_wait(
        Edit(
            f"Value {value.id}",
            {"Statement": shown},
            about=Content.styled(
                "Another statement makes every verdict stale; a weight does not.", MUTED
            ),
            check=lambda texts: _problem(value.id, texts["Statement"]),
            draft=screen.drafts.get(draft),
            keep=screen.keeps(draft),
        )
    )
    if told and told["Statement"].strip() != shown:
        screen.review.set_value(msgspec.structs.replace(value, statement=told["Statement"].strip()))
        screen.drafts.pop(draft, None)


async def add_value(screen: Workplace, value_id: str) -> None:
    """Adds a value."""
    known = screen.review.profile.weights
    draft = "add a value"

    def check(texts: dict[str, str]) -> str:
        if not texts["Name"].strip():
            return "It needs a name."
        name = _id(texts["Name"], known)
        if name in known:
            return f"There is a value {name} already."
        return _too_long(name) or _problem(name, texts["Statement"])

    def tell(texts: dict[str, str]) -> str:
        if not texts["Name"].strip():
            return ""
        name = _id(texts["Name"], known)
        return _too_long(name) or f"Its id in the log: {name}"

    told = await screen.app.push_screen_wait(
        Edit(
            "Add a value",
            {"Name": "", "Statement": ""},
            short=("Name",),
            check=check,
            tell=tell,
            draft=screen.drafts.get(draft),
            keep=screen.keeps(draft),
        )
    )
    if told:
        screen.review.set_value(
            Value(id=_id(told["Name"], known), statement=told["Statement"].strip())
        )
        screen.drafts.pop(draft, None)


async def remove_value(screen: Workplace, value_id: str) -> None:
    """Takes a value out."""
    if len(screen.review.profile.values) == 1:
        raise Refused("the last value cannot be removed", mend="Edit it, or load others.")
    value = _value(screen, value_id)
    yes = await screen.app.push_screen_wait(
        Confirm(
            f"Remove {value.id}?",
            f"{value.statement}\n\nEvery verdict is stale then. Space only switches it off.",
            do="Remove",
        )
    )
    if yes:
        screen.review.remove_value(value_id)


async def load_profile(screen: Workplace, value_id: str) -> None:
    """Goes by another profile."""
    told = await screen.app.push_screen_wait(Pick("Load a value profile", _profiles(), paths=True))
    if told:
        screen.review.set_profile(library.load_profile(told))


async def save_profile(screen: Workplace, value_id: str) -> None:
    """Keeps the values as a profile of that name."""
    profile = screen.review.profile
    told = await screen.app.push_screen_wait(
        Ask(
            "Save these values as",
            value=profile.name,
            do="Save",
            required="It needs a name.",
        )
    )
    if told and await may_replace(screen.app, "profile", library.profiles_named(told)):
        path = library.save_profile(msgspec.structs.replace(profile, name=told))
        screen.review.news.say(f"Saved as {path}.")


async def compare_profile(screen: Workplace, value_id: str) -> None:
    """Shows how the values differ from another profile's."""
    told = await screen.app.push_screen_wait(Pick("Compare with", _profiles(), paths=True))
    if told:
        other = library.load_profile(told)
        await screen.app.push_screen_wait(
            Show(
                f"{screen.review.profile.name} and {other.name}",
                *profile_difference(screen.review.profile, other),
            )
        )


def profile_difference(ours: Profile, theirs: Profile) -> list[Content]:
    """Value by value: both weights, and where the statements differ."""
    ids = list(dict.fromkeys([*ours.weights, *theirs.weights]))
    parts = [Content.styled(f"{'value':<24}{'here':>6}{'there':>8}", MUTED)]
    for value_id in ids:
        here, there = ours.weights.get(value_id), theirs.weights.get(value_id)
        mark = "" if here == there else "  ≠"
        parts.append(
            Content(cut(title_of(value_id), 24))
            + Content(f"{weight(here) if here is not None else '—':>6}")
            + Content(f"{weight(there) if there is not None else '—':>8}")
            + Content.styled(mark, "$text-warning")
        )
        texts = [
            profile.value(value_id).statement
            for profile, known in ((ours, here), (theirs, there))
            if known is not None
        ]
        if len(set(texts)) > 1 or None in (here, there):
            parts += [literal(f"    {text}", MUTED) for text in texts]
    return [lines(*parts)]


async def edit_scenario(screen: Workplace) -> None:
    """Edits goal and context in place."""
    scenario = screen.review.scenario
    texts = {"Goal": plain(scenario.goal), "Context": plain(scenario.context)}
    draft = f"scenario {scenario.digest}"

    def check(now: dict[str, str]) -> str:
        long = next((name for name, text in now.items() if len(text) > LONGEST_TEXT), "")
        if long:
            return f"The {long.lower()} is longer than {LONGEST_TEXT:,} characters."
        return "" if now["Goal"].strip() else "The goal is empty."

    told = await screen.app.push_screen_wait(
        Edit(
            "Scenario",
            texts,
            check=check,
            draft=screen.drafts.get(draft),
            keep=screen.keeps(draft),
        )
    )
    if told and told != texts:
        screen.review.set_scenario(goal=told["Goal"].strip(), context=told["Context"].strip())
        screen.drafts.pop(draft, None)


async def external_editor(screen: Workplace) -> None:
    """Edits goal and context in the operator's own editor."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    scenario = screen.review.scenario
    draft = f"editor {scenario.digest}"
    with tempfile.TemporaryDirectory(prefix="placet-") as folder:
        path = Path(folder) / "scenario.txt"
        text = f"{_HOW}\n{scenario.goal}\n---\n{scenario.context}\n"
        before = _goal_and_context(text)
        path.write_text(screen.drafts.get(draft, text), encoding="utf-8")
        ended: int | Exception
        try:
            with screen.app.suspend():  # an error that left this would leave the screen suspended
                try:
                    ended = subprocess.run([*shlex.split(command), str(path)]).returncode
                except (OSError, ValueError) as error:
                    ended = error
        except SuspendNotSupported:
            raise Refused(
                "this terminal cannot hand over to an editor",
                mend=f"{screen.key_of('scenario-edit')} edits here.",
            ) from None
        screen.refresh(layout=True)
        if isinstance(ended, Exception):
            raise Refused(
                f"the editor {command!r} does not start ({ended})", mend="Set EDITOR to another."
            )
        with suppress(OSError):  # before anything is refused: the folder goes
            written = path.read_bytes().decode("utf-8", "replace")
            if _goal_and_context(written) != before:
                screen.drafts[draft] = written
        try:
            if ended:
                raise Refused(f"the editor ended with status {ended}; nothing was changed")
            now = _goal_and_context(read_text(path))
            if now != before:
                screen.review.set_scenario(goal=now[0], context=now[1])
        except PlacetError as error:
            if draft not in screen.drafts:
                raise
            again = f"{screen.key_of('scenario-editor')} goes on with what you wrote."
            raise Refused(error.problem, mend=again) from None
    screen.drafts.pop(draft, None)


async def take_in(screen: Workplace) -> None:
    """Takes in candidates from a file, and has them judged."""
    told = await screen.app.push_screen_wait(
        Ask(
            "Take in candidates",
            about=Content.styled(
                "A TOML file with [[candidates]], a JSON list, or JSON lines: each a text, or an "
                "object with `text` and `source`.",
                MUTED,
            ),
            placeholder="path of the file",
            do="Take in",
            required="Which file?",
        )
    )
    if told:
        found = read_candidates(Path(told).expanduser())
        many = screen.review.take_in(found)
        if not many:
            raise BadInput("all of its candidates are here already", where=told)
        screen.review.check()
        screen.review.news.say(
            f"Took in {many}; {'it is' if many == 1 else 'they are'} judged now."
        )


async def save_scenario(screen: Workplace) -> None:
    """Keeps goal and context as a scenario of that name."""
    scenario = screen.review.scenario
    told = await screen.app.push_screen_wait(
        Ask(
            "Save the scenario as",
            value=scenario.name,
            do="Save",
            required="It needs a name.",
        )
    )
    if told and await may_replace(screen.app, "scenario", library.scenarios_named(told)):
        path = library.save_scenario(msgspec.structs.replace(scenario, name=told))
        screen.review.news.say(f"Saved as {path}.")


def _goal_and_context(text: str) -> tuple[str, str]:
    """What a file says that was written for the operator's editor."""
    goal, *context = re.split(r"\n---[ \r]*\n", f"\n{text.removeprefix(_HOW)}\n", maxsplit=1)
    return goal.strip(), "".join(context).strip()


def _profiles() -> list[Choice]:
    return [
        Choice(
            str(path),
            profile.title or profile.name,
            f"{library.called(path, profile.name)} · {len(profile.values)} values",
        )
        for path, profile in library.profiles().items()
    ]


def _id(name: str, known: Collection[str]) -> str:
    """The name in the letters that an id may have; where none of them is left, a number."""
    spelled = unicodedata.normalize("NFKD", name).lower().translate(_SPELLED)
    bare = "".join(char for char in spelled if not unicodedata.combining(char))
    found = re.sub(r"[^a-z0-9_]+", "-", bare).strip("-_")
    return found or next(one for number in count(1) if (one := f"value-{number}") not in known)


def _too_long(value_id: str) -> str:
    many = len(value_id)
    if many <= LONGEST_ID:
        return ""
    return f"An id has at most {LONGEST_ID} characters; this one would have {many}."


def _problem(value_id: str, statement: str) -> str:
    try:
        Value(id=value_id, statement=statement.strip())
    except ValueError as error:
        told = str(error)
        return f"{told[:1].upper()}{told[1:]}."
    return ""


Task = Coroutine[Any, Any, None]

VALUES: dict[str, Callable[[Workplace, str], Task]] = {
    "edit": edit_value,
    "add": add_value,
    "remove": remove_value,
    "load": load_profile,
    "save": save_profile,
    "compare": compare_profile,
}

SCENARIO: dict[str, Callable[[Workplace], Task]] = {
    "edit": edit_scenario,
    "editor": external_editor,
    "library": going.library_,
    "import": take_in,
    "save": save_scenario,
}
