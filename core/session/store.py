"""Sessions on disk: TOML that reads from the top, with the chain of events below.

A file is always whole (`core.files.write_whole`). The upper part is derived from the events, and
checked against them when the file is read.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from core import paths
from core.domain.candidate import Candidate
from core.domain.verdict import Judgement, Verdict, Weigher
from core.errors import BadInput, Tampered
from core.files import (
    SCHEMA,
    Warn,
    check_schema,
    dump_toml,
    parse_toml,
    path_of,
    read_text,
    unknown,
    unknown_keys,
    write_whole,
)
from core.session.events import FIRST, Record, unseal
from core.session.hold import Hold
from core.session.session import Session
from core.session.state import State
from core.session.upper import Keys, add_foreign, foreign, of_candidate, upper

LARGEST = 256_000_000
"""Bytes that a session file may have."""

_HEADER = """\
# A session of Placet, written by it. The upper part tells how things stand; the events below are
# what happened, in order. Each event carries the digest of the one before, so a later change shows:
# `placet session verify FILE`. Changing this file by hand breaks the chain.
"""
_TOP = 65_536
"""Bytes within which a session says that it is one; as Placet writes it, the first five hundred."""

_SO_FAR = re.compile(r"^[ \t]*events_so_far[ \t]*=.*$", re.MULTILINE)
_BLOCK = re.compile(r"^[ \t]*\[\[[ \t]*events[ \t]*\]\]", re.MULTILINE)


def is_session(path: Path) -> bool:
    """Whether a file is a session, damaged or not. `OSError` where it cannot be read.

    By its first line, or by a key at the top that a session alone has, and always has.
    """
    with path.open("rb") as file:
        top = file.read(_TOP).decode("utf-8", "replace")
    if top.startswith(_HEADER[: _HEADER.index("\n")]):
        return True
    if found := _SO_FAR.search(top):
        with suppress(BadInput):  # within a text of several lines, what comes before is no TOML
            return "events_so_far" in parse_toml(top[: found.end()], str(path))
    return False


def session_named(told: str) -> Path:
    """The session of that name among those that the review keeps, else the file of that path.

    What has a folder in it is a path. Raises `BadInput` where no file can be named so.
    """
    if Path(told).name == told:
        kept = paths.sessions() / f"{told}.toml"
        with suppress(OSError):  # with its ending the name may be too long
            if kept.is_file():
                return kept
    return path_of(told)


class Store:
    """Reads and writes one session's file, again and again, rendering only what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hold = Hold(path)
        """Whoever goes on writing to the file takes it first."""
        self.read_so_far = (0, 0)
        """How many events `read` has checked, and how many there are; for another thread to see."""
        self.foreign: dict[Keys, Any] = {}
        """What the file says in keys that are not known here; it stays in the file."""
        self.rest: Callable[[], None] = lambda: None
        """Called now and then while many candidates are written anew; a thread beside a screen
        leaves it the processor here."""
        self._events: list[str] = []
        self._candidates: dict[str, _Still] = {}
        self._weigher: Weigher | None = None

    def render(self, session: Session) -> str:
        """The file's text."""
        for record in session.records[len(self._events) :]:
            self._events.append(dump_toml({"events": [record.table]}))
        return "\n".join([self._render_top(session), *self._events])

    def save(self, session: Session) -> None:
        """Puts the session on disk, whole."""
        write_whole(self.path, self.render(session))

    def read(self, *, operator: str = "", warn: Warn | None = None) -> Session:
        """The session in the file. `Tampered` names the first event that does not fit.

        Keys that are not known here are warned about, and kept whenever the session is saved.
        """
        where = str(self.path)
        head, blocks = _split(_text(self.path))
        records: list[Record] = []
        for record in _records(blocks, where):
            records.append(record)
            self.read_so_far = (len(records), len(blocks))
        if not records:
            says: dict[str, Any] = {"schema": SCHEMA}
            with suppress(BadInput):  # a file that was cut is seldom TOML
                says |= parse_toml(head, where)
            check_schema(says, where)
            raise BadInput(
                "there are no events, so this is no session, or not a whole one",
                where=where,
                mend="Where it was one, a copy of it is needed: it cannot be made anew.",
            )
        try:
            session = Session(records, operator=operator)
        except (ValueError, KeyError) as error:
            raise Tampered(
                f"the events do not follow from each other: {error}", where=where
            ) from None
        if head.rstrip() != self._render_top(session).rstrip():  # else it says what we would
            self.foreign = _check_top(parse_toml(head, where), session, where)
            self._candidates = {} if self.foreign else self._candidates
        self._events = [f"{block.rstrip()}\n" for block in blocks]
        if warn:
            told = [".".join(path) for path in self.foreign]
            for name in (*told, *_foreign_in_events(records)):
                warn(unknown(name, where))
        return session

    def at(self, path: Path) -> "Store":
        """The same file elsewhere: what is rendered already is not rendered again."""
        other = copy.copy(self)
        other.path, other.hold = path, Hold(path)
        other._events, other._candidates = list(self._events), dict(self._candidates)
        return other

    def _render_top(self, session: Session) -> str:
        top = upper(session.state, len(session.records), session.head)
        mine = {path: value for path, value in self.foreign.items() if path[0] != "candidates"}
        add_foreign(top, mine)
        return "\n".join([_HEADER, dump_toml(top), *self._rendered_candidates(session.state)])

    def _rendered_candidates(self, state: State) -> Iterator[str]:
        """Each candidate as a table. Only what its weights move is written anew every time."""
        same_weights = self._weigher is state.weigher or (
            self._weigher is not None and self._weigher.profile == state.profile
        )
        self._weigher = state.weigher
        anew = 0
        for candidate in state.candidates.values():
            grounds = state.grounds(candidate.id)
            known = self._candidates.get(candidate.id)
            if known is None or known.grounds != grounds or known.candidate != candidate:
                known = _Still.of(candidate, grounds, state.verdict(candidate.id), self.foreign)
            elif not same_weights:
                known = known.moved(state.verdict(candidate.id))
            if self._candidates.get(candidate.id) is not known:
                self._candidates[candidate.id] = known
                anew += 1
                if anew % _REST == 0:
                    self.rest()
            yield known.text


_REST = 64
"""Candidates that are written between two rests: less than a millisecond."""


class _Still(NamedTuple):
    """A candidate's table as TOML, and what of it stays while only weights change."""

    candidate: Candidate
    grounds: tuple[Judgement | None, Judgement | None]
    first: str
    rest: str
    text: str = ""

    @classmethod
    def of(
        cls,
        candidate: Candidate,
        grounds: tuple[Judgement | None, Judgement | None],
        verdict: Verdict,
        more: Mapping[Keys, Any],
    ) -> "_Still":
        table = of_candidate(candidate, verdict)
        if more:
            add_foreign({"candidates": [table]}, more)
        first = {name: table.pop(name) for name in ("id", "standing", "text")}
        rest = {name: value for name, value in table.items() if name not in _MOVING}
        return cls(
            candidate,
            grounds,
            dump_toml(first),
            dump_toml({"candidates": [rest]}).partition("[[candidates]]\n")[2],
        ).moved(verdict)

    def moved(self, verdict: Verdict) -> "_Still":
        """The same candidate under other weights."""
        return self._replace(text=f"[[candidates]]\n{self.first}{_moving(verdict)}{self.rest}")


_MOVING = ("risk", "alignment", "harm", "recommendation", "stale")


def _moving(verdict: Verdict) -> str:
    """The lines that weights can change; names of enumerations and rounded numbers only."""
    lines = f'risk = "{verdict.risk.value}"\n'
    if verdict.stale:
        return f"{lines}stale = true\n"
    if verdict.judgement:
        lines += (
            f"alignment = {round(verdict.alignment, 4)!r}\nharm = {round(verdict.harm, 4)!r}\n"
            f'recommendation = "{verdict.recommendation.value}"\n'
        )
    return lines


def load(path: Path, *, operator: str = "", warn: Warn | None = None) -> Session:
    """The session in a file, as `Store.read` gives it."""
    return Store(path).read(operator=operator, warn=warn)


def _records(blocks: Sequence[str], where: str) -> Iterator[Record]:
    """The records in the blocks; `Tampered` names the first that does not fit."""
    previous = FIRST
    for seq, block in enumerate(blocks, start=1):
        try:
            block.encode("utf-8")
            told = parse_toml(block, where)
            record = unseal(told["events"][0], seq, previous)
            extra = len(told["events"]) > 1
        except BadInput as error:
            raise Tampered(
                f"event {seq} ({_kind(block)}) was changed: {error.problem}", where=where
            ) from None
        except Tampered as error:
            raise Tampered(error.problem, where=where) from None
        except (KeyError, IndexError, TypeError, AttributeError, UnicodeEncodeError):
            raise Tampered(f"event {seq} ({_kind(block)}) was changed", where=where) from None
        if extra:
            raise Tampered(f"event {seq} ({_kind(block)}) was changed", where=where)
        previous = record.digest
        yield record
        if len(told) > 1:  # whoever reads the file as TOML would take it for the upper part
            raise Tampered(
                f"event {seq + 1} (unknown) does not fit: below event {seq} stands what is none",
                where=where,
            )


def _text(path: Path) -> str:
    """The file's text, where a byte among the events that is not UTF-8 is a lone surrogate."""
    try:
        return read_text(path, largest=LARGEST)
    except BadInput as error:
        cause = error.__context__
        if not isinstance(cause, UnicodeDecodeError):
            raise
        if b"\n[[events]]" not in cause.object[: cause.start]:
            raise
        return cause.object.decode("utf-8", "surrogateescape")


def _split(text: str) -> tuple[str, list[str]]:
    starts = [match.start() for match in _BLOCK.finditer(text)]
    ends = [*starts, len(text)][1:]
    return text[: starts[0]] if starts else text, [
        text[start:end] for start, end in zip(starts, ends, strict=True)
    ]


def _kind(block: str) -> str:
    found = re.search(r'^kind = "([^"\n]*)"', block, re.MULTILINE)
    return found.group(1) if found else "unknown"


def _check_top(top: dict[str, Any], session: Session, where: str) -> dict[Keys, Any]:
    """Sees that the upper part says what follows from the events; gives what else it says."""
    check_schema(top, where)
    if "events" in top:  # in another spelling than ours, so it was not among the events
        raise Tampered(
            "event 1 (unknown) does not fit: it stands in the upper part, above the events",
            where=where,
        )
    records = session.records
    if (top.get("events_so_far"), top.get("head")) != (len(records), session.head):
        raise Tampered(
            f"event {len(records) + 1} (unknown) is missing: the file announces "
            f"{top.get('events_so_far')} events and another last digest",
            where=where,
        )
    told = upper(session.state, len(records), session.head)
    if session.candidates:
        told["candidates"] = [
            of_candidate(candidate, session.verdict(candidate.id))
            for candidate in session.candidates.values()
        ]
    more: dict[Keys, Any] = {}
    for part in sorted(told.keys() | top.keys()):
        try:
            more |= foreign(
                {key: value for key, value in told.items() if key == part},
                {key: value for key, value in top.items() if key == part},
            )
        except ValueError:
            raise Tampered(
                f"what the upper part says of `{part}` does not follow from the events",
                where=where,
            ) from None
    return more


def _foreign_in_events(records: Sequence[Record]) -> Iterator[str]:
    """The keys of events that are not known here, each kind of event once."""
    seen = set()
    for record in records:
        for key in unknown_keys(record.table, record.event):
            if key not in _RECORD and (name := f"{record.table['kind']}.{key}") not in seen:
                seen.add(name)
                yield name


_RECORD = frozenset(("seq", "kind", "at", "by", "previous", "digest"))
