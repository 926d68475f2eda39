"""Sessions on disk: TOML that reads from the top, with the chain of events below.

A file is always whole (`core.files.write_whole`). The upper part is derived from the events, and
checked against them when the file is read.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from core.domain.candidate import Candidate
from core.domain.verdict import Judgement, Verdict
from core.errors import BadInput, Tampered
from core.files import SCHEMA, as_table, check_schema, dump_toml, parse_toml, read_text, write_whole
from core.session.events import FIRST, Record, unseal
from core.session.session import Session
from core.session.state import State

LARGEST = 256_000_000
"""Bytes that a session file may have."""

_HEADER = """\
# A session of Placet, written by it. The upper part tells how things stand; the events below are
# what happened, in order. Each event carries the digest of the one before, so a later change shows:
# `placet session verify FILE`. Changing this file by hand breaks the chain.
"""
_BLOCK = re.compile(r"^[ \t]*\[\[[ \t]*events[ \t]*\]\]", re.MULTILINE)


class Store:
    """Writes one session to one file, again and again, rendering only what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._events: list[str] = []
        self._candidates: dict[str, _Still] = {}

    def render(self, session: Session) -> str:
        """The file's text."""
        for record in session.records[len(self._events) :]:
            self._events.append(dump_toml({"events": [record.table]}))
        top = dump_toml(_top(session.state, len(session.records), session.head))
        return "\n".join([_HEADER, top, *self._rendered_candidates(session.state), *self._events])

    def save(self, session: Session) -> None:
        """Puts the session on disk, whole."""
        write_whole(self.path, self.render(session))

    def _rendered_candidates(self, state: State) -> Iterator[str]:
        """Each candidate as a table. Only what its weights move is written anew every time."""
        for candidate in state.candidates.values():
            verdict = state.verdict(candidate.id)
            known = self._candidates.get(candidate.id)
            if (
                known is None
                or known.candidate is not candidate
                or known.judgement is not verdict.judgement
                or known.stale is not verdict.stale
            ):
                known = self._candidates[candidate.id] = _Still.of(candidate, verdict)
            yield f"[[candidates]]\n{known.first}{_moving(verdict)}\n{known.rest}"


class _Still(NamedTuple):
    """What of a candidate's table stays while only weights change, as TOML."""

    candidate: Candidate
    judgement: Judgement | None
    stale: bool
    first: str
    rest: str

    @classmethod
    def of(cls, candidate: Candidate, verdict: Verdict) -> "_Still":
        table = _candidate(candidate, verdict)
        below = {name: table.pop(name) for name in ("scores", "revisions") if name in table}
        first = dump_toml({name: value for name, value in table.items() if name not in _MOVING})
        rest = dump_toml({"candidates": [below]}).partition("[[candidates]]\n")[2]
        return cls(candidate, verdict.judgement, verdict.stale, first, rest)


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


def load(path: Path, *, operator: str = "") -> Session:
    """The session in a file. `Tampered` names the first event that does not fit."""
    head, blocks = _split(_text(path))
    where = str(path)
    records: list[Record] = []
    previous = FIRST
    for seq, block in enumerate(blocks, start=1):
        try:
            block.encode("utf-8")
            tables = parse_toml(block, where)["events"]
            record = unseal(tables[0], seq, previous)
            extra = len(tables) > 1
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
        records.append(record)
    top = parse_toml(head, where)
    check_schema(top, where)
    if not records:
        raise BadInput("there are no events, so this is not a session", where=where)
    if (top.get("events_so_far"), top.get("head")) != (len(records), previous):
        raise Tampered(
            f"event {len(records) + 1} (unknown) is missing: the file announces "
            f"{top.get('events_so_far')} events and another last digest",
            where=where,
        )
    try:
        session = Session(records, operator=operator)
    except (ValueError, KeyError) as error:
        raise Tampered(f"the events do not follow from each other: {error}", where=where) from None
    _check_top(top, session, where)
    return session


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


def _check_top(top: dict[str, Any], session: Session, where: str) -> None:
    told = _top(session.state, len(session.records), session.head)
    told["candidates"] = [
        _candidate(candidate, session.verdict(candidate.id))
        for candidate in session.candidates.values()
    ]
    if not told["candidates"]:
        del told["candidates"]
    for part in sorted(told.keys() | top.keys()):
        ours = part in told or part in ("candidates", "notes", "plan")
        if ours and told.get(part) != top.get(part):
            raise Tampered(
                f"what the upper part says of `{part}` does not follow from the events",
                where=where,
            )


def _top(state: State, events: int, head: str) -> dict[str, Any]:
    top: dict[str, Any] = {
        "schema": SCHEMA,
        "events_so_far": events,
        "head": head,
        "settings": dict(state.settings),
        "models": as_table(state.models),
        "profile": as_table(state.profile),
        "scenario": as_table(state.scenario),
    }
    top["scenario"].pop("candidates", None)  # they stand below, with what became of them
    if state.notes:
        top["notes"] = list(state.notes)
    if state.plan:
        chosen = state.candidates.get(state.plan.candidate)
        top["plan"] = {"candidate": state.plan.candidate, "why": state.plan.why}
        if chosen:
            top["plan"]["text"] = next(
                (
                    revision.text
                    for revision in chosen.revisions
                    if revision.digest == state.plan.text
                ),
                "",
            )
    return top


def _candidate(candidate: Candidate, verdict: Verdict) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": candidate.id,
        "standing": candidate.standing.value,
        "risk": verdict.risk.value,
        "text": candidate.text,
    }
    if verdict.judgement and not verdict.stale:
        told |= {
            "alignment": round(verdict.alignment, 4),
            "harm": round(verdict.harm, 4),
            "recommendation": verdict.recommendation.value,
            "scores": {value: round(score, 4) for value, score in verdict.scores.items()},
        }
    elif verdict.stale:
        told["stale"] = True
    for name in ("reason", "trouble"):
        if told_of := getattr(candidate, name):
            told[name] = told_of
    if candidate.notes:
        told["notes"] = list(candidate.notes)
    told["revisions"] = [
        {
            "text": revision.text,
            "origin": str(revision.origin),
            "at": revision.at,
            **({"guidance": revision.guidance} if revision.guidance else {}),
            "digest": revision.digest,
        }
        for revision in candidate.revisions
    ]
    return told
