"""What can happen in a session: one type an event, and the chain that binds them.

Each record carries the digest of the one before, and its own, over all it says (as in a hash
chain; Haber and Stornetta 1991). Whoever changes, drops, inserts or reorders one breaks the chain.
"""

import hashlib
import json
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from core.domain.candidate import Origin
from core.domain.scenario import Scenario
from core.domain.values import Profile, Weight
from core.domain.verdict import Judgement, Risk
from core.errors import Tampered
from core.files import as_table

STAND_IN = "echo"
"""The model without weights, for trying things out: what it says means nothing."""


class ModelUsed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model as it was used."""

    name: str
    digest: str = ""
    """SHA-256 of its weights."""
    kind: str = ""
    device: str = ""
    dtype: str = ""
    adapter: str = ""
    """The adapter's digest, where one is on top."""


Settings = dict[str, str | int | float | bool]


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """Something that happened. `undoable` says whether the operator can take it back."""

    undoable: ClassVar[bool] = True


class Started(Event, frozen=True, kw_only=True, tag="started"):
    """A session began."""

    undoable: ClassVar[bool] = False
    placet: str
    profile: Profile
    scenario: Scenario
    models: dict[str, ModelUsed] = {}
    settings: Settings = {}


class ModelsSet(Event, frozen=True, kw_only=True, tag="models-set"):
    """Other models, or settings, from here on."""

    undoable: ClassVar[bool] = False
    models: dict[str, ModelUsed]
    settings: Settings = {}


class Proposed(Event, frozen=True, kw_only=True, tag="proposed"):
    """A new candidate."""

    undoable: ClassVar[bool] = False
    candidate: str
    text: str
    origin: Origin


class Judged(Event, frozen=True, kw_only=True, tag="judged"):
    """The judge measured a text."""

    undoable: ClassVar[bool] = False
    candidate: str
    judgement: Judgement


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """A stage gave nothing for a candidate, or for the whole session where none is named."""

    undoable: ClassVar[bool] = False
    stage: str
    problem: str
    candidate: str = ""
    text: str = ""
    """The digest of the candidate's text that it is about."""


class Revised(Event, frozen=True, kw_only=True, tag="revised"):
    """A candidate has a new version."""

    candidate: str
    text: str
    origin: Origin
    guidance: str = ""


class Kept(Event, frozen=True, kw_only=True, tag="kept"):
    """Re-aligning was tried, and the text stays as it was."""

    undoable: ClassVar[bool] = False
    candidate: str
    why: str
    guidance: str = ""
    text: str = ""
    """The digest of the candidate's text at that time."""


class Approved(Event, frozen=True, kw_only=True, tag="approved"):
    """The operator said yes to one exact text."""

    candidate: str
    text: str
    """Digest of the text."""
    risk: Risk
    alignment: float
    against_advice: bool = False
    """The judge found the risk HIGH or recommended otherwise, and the operator said why."""
    reason: str = ""
    blind: bool = False
    """Decided before the verdict was shown."""
    seconds: float = 0.0
    """How long the candidate was in front of the operator."""


class Rejected(Event, frozen=True, kw_only=True, tag="rejected"):
    """The operator said no, and why."""

    candidate: str
    text: str
    """Digest of the text."""
    risk: Risk
    reason: str
    against_advice: bool = False
    """The judge recommended approval."""
    blind: bool = False
    seconds: float = 0.0


class Deferred(Event, frozen=True, kw_only=True, tag="deferred"):
    """The operator put a candidate off."""

    candidate: str
    reason: str = ""


class Noted(Event, frozen=True, kw_only=True, tag="noted"):
    """A remark, about a candidate or about the session where none is named."""

    text: str
    candidate: str = ""


class WeightsSet(Event, frozen=True, kw_only=True, tag="weights-set"):
    """The moral profile vector changed; the statements did not."""

    weights: dict[str, Weight]


class ProfileSet(Event, frozen=True, kw_only=True, tag="profile-set"):
    """Other values."""

    profile: Profile


class ScenarioSet(Event, frozen=True, kw_only=True, tag="scenario-set"):
    """Another goal or context."""

    scenario: Scenario


class Chosen(Event, frozen=True, kw_only=True, tag="chosen"):
    """The pipeline settled on a plan, or on none. A proposal to the operator, not an approval."""

    undoable: ClassVar[bool] = False
    candidate: str = ""
    text: str = ""
    """Digest of the text."""
    why: str
    timings: dict[str, float] = {}
    """Seconds by stage, `propose_s`, `judge_s`, `align_s` and `total_s`; with agents `advise_s`."""


class Undone(Event, frozen=True, kw_only=True, tag="undone"):
    """An earlier event counts no more. It stays in the log."""

    undoable: ClassVar[bool] = False
    of: int
    """The number of that event."""


AnyEvent = (
    Started
    | ModelsSet
    | Proposed
    | Judged
    | Failed
    | Revised
    | Kept
    | Approved
    | Rejected
    | Deferred
    | Noted
    | WeightsSet
    | ProfileSet
    | ScenarioSet
    | Chosen
    | Undone
)

FIRST = "0" * 64
"""What the first record names as the digest before it."""


class Record(Struct, frozen=True, kw_only=True):
    """An event with its place in the chain."""

    seq: int
    """1 for the first."""
    at: str
    """When, UTC, ISO 8601."""
    by: str
    """Who sat at the workstation."""
    event: AnyEvent
    table: dict[str, Any]
    """The record as it is written, keys we do not know among them."""

    @property
    def digest(self) -> str:
        """The digest that the next record names."""
        return str(self.table["digest"])


def seal(seq: int, at: str, by: str, event: AnyEvent, previous: str) -> Record:
    """`event` as the record after the one whose digest is `previous`."""
    told = as_table(event)
    table = {
        "seq": seq,
        "kind": told.pop("kind"),
        "at": at,
        "by": by,
        **told,
        "previous": previous,
    }
    table["digest"] = _digest(table)
    return Record(seq=seq, at=at, by=by, event=event, table=table)


def unseal(table: dict[str, Any], seq: int, previous: str) -> Record:
    """The record that `table` holds; `Tampered` says how it does not follow from the one before."""
    kind = str(table.get("kind", "unknown"))

    def broken(how: str) -> Tampered:
        return Tampered(f"event {seq} ({kind}) {how}")

    if table.get("digest") != _digest(table):
        raise broken("was changed: its digest does not fit what it says")
    if table.get("previous") != previous or table.get("seq") != seq:
        raise broken("does not follow from the one before: one was dropped, inserted or moved")
    try:
        event = msgspec.convert(table, AnyEvent)
    except msgspec.ValidationError as error:
        raise broken(f"cannot be read: {error}") from None
    return Record(seq=seq, at=str(table["at"]), by=str(table["by"]), event=event, table=table)


def _digest(table: dict[str, Any]) -> str:
    told = {key: value for key, value in table.items() if key != "digest"}
    canonical = json.dumps(
        told, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str
    )
    return hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()
