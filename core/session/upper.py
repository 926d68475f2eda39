"""The upper part of a session's file: how things stand, as tables. It follows from the events."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from core.domain.candidate import Candidate
from core.domain.payoffs import Payoffs
from core.domain.scenario import Scenario
from core.domain.values import Profile, Value
from core.domain.verdict import Verdict
from core.files import SCHEMA, as_table
from core.session.events import ModelUsed
from core.session.state import State

Keys = tuple[str, ...]
"""The keys on the way to a value; the tables of a list go by their id, digest or number."""


def upper(state: State, events: int, head: str) -> dict[str, Any]:
    """The tables above the candidates."""
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
            top["plan"]["text"] = chosen.text
    return top


def of_candidate(candidate: Candidate, verdict: Verdict) -> dict[str, Any]:
    """A candidate's table."""
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


def _fields(kind: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))


_ALL = None
"""Every key of such a table is ours."""

_OURS: dict[Keys, frozenset[str] | None] = {
    (): frozenset(
        {"schema", "events_so_far", "head", "settings", "models", "profile", "scenario", "notes"}
        | {"plan", "candidates"}
    ),
    ("settings",): _ALL,
    ("models",): _ALL,
    ("models", "*"): _fields(ModelUsed),
    ("profile",): _fields(Profile),
    ("profile", "values"): _fields(Value),
    ("scenario",): _fields(Scenario),
    ("scenario", "payoffs"): _fields(Payoffs),
    ("plan",): frozenset(("candidate", "why", "text")),
    ("candidates",): frozenset(
        {"id", "standing", "risk", "text", "alignment", "harm", "recommendation", "scores"}
        | {"stale", "reason", "trouble", "notes", "revisions"}
    ),
    ("candidates", "scores"): _ALL,
    ("candidates", "revisions"): frozenset(("text", "origin", "at", "guidance", "digest")),
}
"""The keys that this Placet writes, by the place of their table. All others are a newer one's."""


def foreign(ours: Any, found: Any, place: Keys = (), path: Keys = ()) -> dict[Keys, Any]:
    """What `found` has in keys that are not ours. `ours` are the tables that we would write.

    Raises `ValueError` where `found` says something else in a key that is ours.
    """
    if isinstance(ours, dict) and isinstance(found, dict):
        known = _OURS.get(place, _OURS.get((*place[:-1], "*"), _ALL))
        more: dict[Keys, Any] = {}
        for key in ours.keys() | found.keys():
            if key in ours and key in found:
                more |= foreign(ours[key], found[key], (*place, key), (*path, key))
            elif key in ours or known is _ALL or key in known:
                raise ValueError(key)
            else:
                more[*path, key] = found[key]
        return more
    if _tables(ours) and _tables(found) and len(ours) == len(found):
        more = {}
        for (name, one), other in zip(_named(ours), found, strict=True):
            more |= foreign(one, other, place, (*path, name))
        return more
    if ours != found:
        raise ValueError(place[-1])
    return {}


def add_foreign(table: dict[str, Any], more: Mapping[Keys, Any]) -> None:
    """Puts what `foreign` found back into `table`, wherever it still has its place there."""
    for path, value in more.items():
        at: Any = table
        for key in path[:-1]:
            at = (dict(_named(at)) if _tables(at) else at).get(key)
            if at is None:
                break
        else:
            at[path[-1]] = value


def _tables(items: Any) -> bool:
    return isinstance(items, list) and bool(items) and all(isinstance(i, dict) for i in items)


def _named(tables: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, table in enumerate(tables):
        yield str(table.get("id") or table.get("digest") or number), table
