"""A session told to a reader: as text, Markdown, HTML or JSON."""

import json
from collections.abc import Callable
from typing import Any

from core import __version__
from core.domain.candidate import Candidate, Revision, Source, Standing
from core.domain.payoffs import Lens
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.domain.verdict import Verdict
from core.files import as_table
from core.session.events import STAND_IN
from core.session.session import Session
from core.session.writers import WRITERS, Writer

FORMATS = ("text", "markdown", "html", "json")

ECHO_WARNING = (
    "This came from `echo`, a stand-in without weights. Its texts and verdicts mean nothing."
)

LensOf = Callable[[Scenario, str], Lens | None]
"""What a payoff table says of a text (`core.games.lens.lens`, which stands above this room)."""


def report(session: Session, format: str, lens: LensOf) -> str:
    """The session in one of `FORMATS`, ending with a line break."""
    if format == "json":
        return json.dumps(as_json(session, lens), indent=2) + "\n"
    writer = WRITERS[format]()
    _tell(session, writer, lens)
    return writer.done()


def as_json(session: Session, lens: LensOf) -> dict[str, Any]:
    """The decision as `docs/formats.md` lays it down."""
    state = session.state
    plan = state.plan
    planned = session.candidates.get(plan.candidate) if plan else None
    return {
        "schema": 1,
        "goal": state.scenario.goal,
        "context": state.scenario.context,
        "seed": state.settings.get("seed"),
        "models": as_table(state.models),
        "settings": as_table(state.settings),
        "timings": dict(state.timings),
        "profile": {
            "name": state.profile.name,
            "values": [
                {"id": value.id, "statement": value.statement, "weight": value.weight}
                for value in state.profile.values
            ],
        },
        "candidates": [
            _candidate_json(session, item, lens) for item in session.candidates.values()
        ],
        "plan": (
            {
                "candidate": planned.id,
                "text": planned.text,
                "verdict": verdict_json(state.verdict(planned.id)),
            }
            if planned
            else None
        ),
        "plan_why": plan.why if plan else "",
        "notes": list(state.notes),
        "head": session.head,
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as other programs read it."""
    told: dict[str, Any] = {
        "risk": verdict.risk.value,
        "risk_probability": round(verdict.risk_probability, 4),
        "harm": round(verdict.harm, 4),
        "scores": {value: round(score, 4) for value, score in verdict.scores.items()},
        "alignment": round(verdict.alignment, 4),
        "recommendation": verdict.recommendation.value,
        "issues": [{"value": issue.value, "text": issue.text} for issue in verdict.issues],
    }
    if verdict.judgement and verdict.judgement.unstable:
        told["unstable"] = list(verdict.judgement.unstable)
    if verdict.judgement and verdict.judgement.explanation:
        told["explanation"] = verdict.judgement.explanation
    return told


def _candidate_json(session: Session, candidate: Candidate, lens: LensOf) -> dict[str, Any]:
    first, aligned = candidate.revisions[0], aligned_revision(candidate)
    current = candidate.current
    seen = lens(session.state.scenario, first.text)
    return {
        "id": candidate.id,
        "text": first.text,
        "origin": str(candidate.origin),
        "standing": candidate.standing.value,
        "verdict": verdict_json(session.state.verdict_on(first)),
        "aligned": (
            {
                "text": aligned.text,
                "guidance": aligned.guidance,
                "verdict": verdict_json(session.state.verdict_on(aligned)),
            }
            if aligned
            else None
        ),
        "current": {
            "text": current.text,
            "origin": str(current.origin),
            "guidance": current.guidance,
            "verdict": verdict_json(session.state.verdict_on(current)),
        },
        "reason": candidate.reason,
        "trouble": candidate.trouble,
        "notes": list(candidate.notes),
        **({"lens": seen.table} if seen else {}),
    }


def aligned_revision(candidate: Candidate) -> Revision | None:
    """The last version that the aligner wrote, if there is one."""
    return next(
        (
            revision
            for revision in reversed(candidate.revisions)
            if revision.origin.source is Source.ALIGNER
        ),
        None,
    )


def _stand_in_spoke(session: Session) -> bool:
    """Whether a model without weights is at work, or wrote or judged any of this."""
    state = session.state
    return (
        any(model.name == STAND_IN for model in state.models.values())
        or any(judgement.judge == STAND_IN for judgement in state.latest.values())
        or any(
            revision.origin.name == STAND_IN
            for candidate in session.candidates.values()
            for revision in candidate.revisions
        )
    )


def _tell(session: Session, out: Writer, lens: LensOf) -> None:
    """The one telling that all formats for people share."""
    state = session.state
    out.title(f"Placet: {state.scenario.title or state.scenario.name or 'a decision'}")
    if _stand_in_spoke(session):
        out.line(ECHO_WARNING)
    out.heading("Goal")
    out.line(state.scenario.goal)
    if state.scenario.context:
        out.heading("Context")
        out.line(state.scenario.context)
    out.heading(f"Values: {state.profile.title or state.profile.name}")
    out.items([f"{value.weight:.1f}  {value.statement}" for value in state.profile.values])
    out.heading("Plan")
    _tell_plan(session, out)
    for place, candidate in enumerate(state.ranking(), start=1):
        _tell_candidate(session, session.candidates[candidate], place, out, lens)
    if state.notes:
        out.heading("Notes")
        out.items(state.notes)
    out.heading("How it was made")
    out.items(_made(session))


def _tell_plan(session: Session, out: Writer) -> None:
    plan = session.state.plan
    approved = [
        candidate
        for candidate in session.candidates.values()
        if candidate.standing is Standing.APPROVED
    ]
    for candidate in approved:
        reason = f" ({candidate.reason})" if candidate.reason else ""
        out.line(f"Approved by the operator: {candidate.id}{reason}")
        out.quote(candidate.text)
    if plan and plan.candidate:
        out.line(f"Proposed by the judge's ranking: {plan.candidate}, for {plan.why}.")
        out.quote(session.candidates[plan.candidate].text)
    elif plan:
        out.line(f"There is no plan: {plan.why}.")
    elif not approved:
        out.line("Nothing is decided yet.")


def _tell_candidate(
    session: Session, candidate: Candidate, place: int, out: Writer, lens: LensOf
) -> None:
    standing = "" if candidate.standing is Standing.PENDING else f" · {candidate.standing.value}"
    out.heading(f"{place}. Candidate {candidate.id} · {candidate.origin}{standing}")
    before: Revision | None = None
    for number, revision in enumerate(candidate.revisions, start=1):
        if before:
            out.line(f"Version {number}, by {revision.origin}:")
            if revision.guidance:
                out.line(f"Asked for: {revision.guidance}")
            out.difference(before.text, revision.text)
        out.quote(revision.text)
        _tell_verdict(session.state.verdict_on(revision), session.state.profile, out)
        if seen := lens(session.state.scenario, revision.text):
            for name, told in seen.told:
                out.line(f"{name.capitalize()} reward {told}.")
        before = revision
    if candidate.reason:
        out.line(f"Reason: {candidate.reason}")
    if candidate.trouble:
        out.line(f"Last attempt: {candidate.trouble}.")
    for note in candidate.notes:
        out.line(f"Note: {note}")


def _tell_verdict(verdict: Verdict, profile: Profile, out: Writer) -> None:
    if verdict.judgement is None:
        out.line("UNJUDGED: there is no verdict on this text.")
        return
    out.line(
        f"Risk {verdict.risk.value} ({verdict.risk_probability:.0%}), harm {verdict.harm:.2f}, "
        f"alignment r·c {verdict.alignment:.2f}; the judge recommends: "
        f"{verdict.recommendation.value}"
    )
    out.bars(
        [
            (value.id, verdict.scores[value.id], value.weight, value.id in _at_stake(verdict))
            for value in profile.values
        ]
    )
    if verdict.judgement.unstable:
        out.line(f"Unstable under another wording: {', '.join(verdict.judgement.unstable)}")
    if verdict.judgement.explanation:
        out.line(f"In the judge's words: {verdict.judgement.explanation}")


def _at_stake(verdict: Verdict) -> set[str]:
    return {issue.value for issue in verdict.issues}


def _made(session: Session) -> list[str]:
    state = session.state
    told = []
    for role, model in state.models.items():
        shape = ", ".join(part for part in (model.kind, model.device, model.dtype) if part)
        mark = f", sha256 {model.digest[:16]}…" if model.digest else ""
        told.append(f"{role}: {model.name} ({shape}{mark})")
    told += [f"{name}: {value}" for name, value in state.settings.items()]
    if state.timings:
        spent = ", ".join(
            f"{name.removesuffix('_s')} {seconds:.1f} s" for name, seconds in state.timings.items()
        )
        told.append(f"time: {spent}")
    told.append(f"Placet {__version__}, {len(session.records)} events, last digest {session.head}")
    return told
