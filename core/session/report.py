"""A session told to a reader: as text, Markdown, HTML or JSON."""

import json
from collections.abc import Callable
from html import escape
from typing import Any

from core import __version__
from core.domain.candidate import Candidate, Revision, Source, Standing
from core.domain.diff import Change, word_diff
from core.domain.payoffs import Lens
from core.domain.scenario import Scenario
from core.domain.text import plain
from core.domain.values import Profile
from core.domain.verdict import Verdict
from core.files import as_table
from core.session.session import Session

FORMATS = ("text", "markdown", "html", "json")

ECHO_WARNING = (
    "This came from `echo`, a stand-in without weights. Its texts and verdicts mean nothing."
)

LensOf = Callable[[Scenario, str], Lens | None]
"""What a payoff table says of a text (`core.games.lens.lens`, which stands above this room)."""


def no_lens(scenario: Scenario, text: str) -> Lens | None:
    """A report without what payoff tables say."""
    return None


def report(session: Session, format: str, lens: LensOf = no_lens) -> str:
    """The session in one of `FORMATS`, ending with a line break."""
    if format == "json":
        return json.dumps(as_json(session, lens), indent=2, ensure_ascii=False) + "\n"
    writer = {"text": _Text, "markdown": _Markdown, "html": _Html}[format]()
    _tell(session, writer, lens)
    return writer.done()


def as_json(session: Session, lens: LensOf = no_lens) -> dict[str, Any]:
    """The decision as `docs/formats.md` lays it down."""
    state = session.state
    plan = state.plan
    planned = _planned(session)
    return {
        "schema": 1,
        "goal": state.scenario.goal,
        "context": state.scenario.context,
        "seed": state.settings.get("seed", 0),
        "models": as_table(state.models),
        "settings": as_table(state.settings),
        "timings": dict(plan.timings) if plan else {},
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
                "candidate": plan.candidate,
                "text": planned.text,
                "verdict": verdict_json(state.verdict_on(planned)),
            }
            if plan and planned
            else None
        ),
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
    return told


def _candidate_json(session: Session, candidate: Candidate, lens: LensOf) -> dict[str, Any]:
    first, aligned = candidate.revisions[0], aligned_revision(candidate)
    seen = lens(session.state.scenario, first.text)
    return {
        "id": candidate.id,
        "text": first.text,
        "origin": str(candidate.origin),
        "standing": candidate.standing.value,
        "verdict": verdict_json(session.state.verdict_on(first)),
        "aligned": (
            {"text": aligned.text, "verdict": verdict_json(session.state.verdict_on(aligned))}
            if aligned
            else None
        ),
        **({"lens": seen.table} if seen else {}),
    }


def _planned(session: Session) -> Revision | None:
    """The version that the plan is about; None without a plan, or where it was taken back since."""
    plan = session.state.plan
    chosen = session.candidates.get(plan.candidate) if plan else None
    versions = chosen.revisions if chosen else ()
    return next((version for version in versions if plan and version.digest == plan.text), None)


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


def _tell(session: Session, out: "_Writer", lens: LensOf) -> None:
    """The one telling that all formats for people share."""
    state = session.state
    out.title(f"Placet: {state.scenario.title or state.scenario.name or 'a decision'}")
    if any(model.name == "echo" for model in state.models.values()):
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
        out.items(list(state.notes))
    out.heading("How it was made")
    out.items(_made(session))


def _tell_plan(session: Session, out: "_Writer") -> None:
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
        planned = _planned(session)
        out.line(f"Proposed by the judge's ranking: {plan.candidate}, for {plan.why}.")
        out.quote(planned.text if planned else "This version of it was taken back since.")
    elif plan:
        out.line(f"There is no plan: {plan.why}.")
    elif not approved:
        out.line("Nothing is decided yet.")


def _tell_candidate(
    session: Session, candidate: Candidate, place: int, out: "_Writer", lens: LensOf
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
        out.line(f"Left as it was: {candidate.trouble}.")
    for note in candidate.notes:
        out.line(f"Note: {note}")


def _tell_verdict(verdict: Verdict, profile: Profile, out: "_Writer") -> None:
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
    if state.plan and state.plan.timings:
        spent = ", ".join(
            f"{name.removesuffix('_s')} {seconds:.1f} s"
            for name, seconds in state.plan.timings.items()
        )
        told.append(f"time: {spent}")
    told.append(f"Placet {__version__}, {len(session.records)} events, last digest {session.head}")
    return told


class _Writer:
    """Collects a report; every text passes `plain`, whoever wrote it."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def done(self) -> str:
        return "\n".join(self.parts).strip() + "\n"

    def title(self, text: str) -> None:
        raise TypeError

    heading = line = quote = title

    def items(self, texts: list[str]) -> None:
        raise TypeError

    def bars(self, rows: list[tuple[str, float, float, bool]]) -> None:
        raise TypeError

    def difference(self, before: str, after: str) -> None:
        raise TypeError


class _Text(_Writer):
    width = 96

    def title(self, text: str) -> None:
        text = plain(text, one_line=True)
        self.parts += [text, "=" * len(text)]

    def heading(self, text: str) -> None:
        text = plain(text, one_line=True)
        self.parts += ["", text, "-" * len(text)]

    def line(self, text: str) -> None:
        self.parts += _wrapped(plain(text), "", self.width)

    def quote(self, text: str) -> None:
        self.parts += _wrapped(plain(text), "  | ", self.width)

    def items(self, texts: list[str]) -> None:
        for text in texts:
            lines = _wrapped(plain(text, one_line=True), "    ", self.width)
            self.parts += ["  - " + lines[0][4:], *lines[1:]]

    def bars(self, rows: list[tuple[str, float, float, bool]]) -> None:
        longest = max(len(name) for name, *_ in rows)
        for name, score, weight, at_stake in rows:
            bar = "█" * round(score * 20) + "·" * (20 - round(score * 20))
            mark = "  at stake" if at_stake else ""
            self.parts.append(f"    {name:<{longest}}  {bar} {score:.2f} × {weight:.1f}{mark}")

    def difference(self, before: str, after: str) -> None:
        marks = {Change.SAME: "{}", Change.REMOVED: "[-{}-]", Change.ADDED: "{{+{}+}}"}
        self.line("Difference: " + _marked(before, after, marks))


class _Markdown(_Writer):
    def title(self, text: str) -> None:
        self.parts += [f"# {_md(text)}", ""]

    def heading(self, text: str) -> None:
        self.parts += ["", f"## {_md(text)}", ""]

    def line(self, text: str) -> None:
        self.parts += [_md(text), ""]

    def quote(self, text: str) -> None:
        self.parts += [*(f"> {_md(line)}" for line in plain(text).split("\n")), ""]

    def items(self, texts: list[str]) -> None:
        self.parts += [f"- {_md(text)}" for text in texts]

    def bars(self, rows: list[tuple[str, float, float, bool]]) -> None:
        self.parts += ["| value | respected | weight | |", "|---|---:|---:|---|"]
        self.parts += [
            f"| {_md(name)} | {score:.2f} | {weight:.1f} | {'at stake' if at_stake else ''} |"
            for name, score, weight, at_stake in rows
        ]
        self.parts.append("")

    def difference(self, before: str, after: str) -> None:
        marks = {Change.SAME: "{}", Change.REMOVED: "<del>{}</del>", Change.ADDED: "<ins>{}</ins>"}
        self.parts += [f"Difference: {_marked(before, after, marks, _md)}", ""]


class _Html(_Writer):
    style = (
        ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;"
        "margin:2rem auto;padding:0 1rem}blockquote{border-left:.25rem solid #888;margin:.5rem 0;"
        "padding:.1rem 1rem}table{border-collapse:collapse}td,th{padding:.1rem .8rem;"
        "text-align:left}meter{width:10rem}del{background:#f4433633}ins{background:#4caf5033}"
    )

    def done(self) -> str:
        head = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f"<title>Placet</title><style>{self.style}</style></head><body>"
        )
        return "\n".join([head, *self.parts, "</body></html>"]) + "\n"

    def title(self, text: str) -> None:
        self.parts.append(f"<h1>{_html(text)}</h1>")

    def heading(self, text: str) -> None:
        self.parts.append(f"<h2>{_html(text)}</h2>")

    def line(self, text: str) -> None:
        self.parts.append(f"<p>{_html(text)}</p>")

    def quote(self, text: str) -> None:
        self.parts.append(f"<blockquote>{_html(text)}</blockquote>")

    def items(self, texts: list[str]) -> None:
        self.parts += ["<ul>", *(f"<li>{_html(text)}</li>" for text in texts), "</ul>"]

    def bars(self, rows: list[tuple[str, float, float, bool]]) -> None:
        self.parts.append(
            "<table><tr><th>value</th><th>respected</th><th></th><th>weight</th><th></th></tr>"
        )
        self.parts += [
            f'<tr><td>{_html(name)}</td><td><meter value="{score:.2f}" low=".5"></meter></td>'
            f"<td>{score:.2f}</td><td>× {weight:.1f}</td>"
            f"<td>{'at stake' if at_stake else ''}</td></tr>"
            for name, score, weight, at_stake in rows
        ]
        self.parts.append("</table>")

    def difference(self, before: str, after: str) -> None:
        marks = {Change.SAME: "{}", Change.REMOVED: "<del>{}</del>", Change.ADDED: "<ins>{}</ins>"}
        self.parts.append(f"<p>Difference: {_marked(before, after, marks, _html)}</p>")


def _marked(
    before: str, after: str, marks: dict[Change, str], quote: "Any" = lambda text: text
) -> str:
    return "".join(
        marks[change].format(quote(text)) if text.strip() else text
        for change, text in word_diff(before, after)
    )


def _md(text: str) -> str:
    text = plain(text, one_line=True)
    return "".join("\\" + char if char in "\\`*_{}[]<>#|~" else char for char in text)


def _html(text: str) -> str:
    return escape(plain(text)).replace("\n", "<br>")


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    from textwrap import wrap

    lines = []
    for line in text.split("\n"):
        lines += wrap(
            line, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        ) or [indent.rstrip()]
    return lines
