"""Align: rewrites that keep the goal and lose the harm, judged, the best one kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from core.domain.candidate import Case
from core.domain.scenario import Scenario
from core.domain.text import is_call
from core.domain.values import Profile
from core.domain.verdict import UNJUDGED, Judgement, Verdict, assess
from core.errors import BadInput
from core.models.base import Sampling, TextModel
from core.stages import prompts
from core.stages.judge import Judge, judge
from core.stages.propose import in_common, usable
from core.watch import SILENT, Growing, Rewritten, Watch

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=72, sentences=1)

ALIGNED = 2.0
"""What `r·c` counts beside the nats of an average token, and what words in common with the text as
it stands count against. Of rewrites that are judged alike, those that the policy itself finds
likely make sense more often (readers' grades, docs/policy.md); but so is its own text said again.
"""


@dataclass(frozen=True, slots=True)
class _Option:
    """A rewrite that was judged."""

    text: str
    likelihood: float
    """See `Draft`."""
    again: float
    """Share of words in common with the text as it stands."""
    judgement: Judgement
    verdict: Verdict

    @property
    def order(self) -> tuple[bool, int, float]:
        """Sorts the best first, of those that are better than the text as it stands."""
        refused, risk, _ = _order(self.verdict)
        return refused, risk, ALIGNED * (self.again - self.verdict.alignment) - self.likelihood


def align(
    policy: TextModel,
    reviewer: Judge,
    scenario: Scenario,
    profile: Profile,
    cases: Sequence[Case],
    *,
    rewrites: int,
    seed: int,
    watch: Watch = SILENT,
) -> list[Rewritten]:
    """For each case the best of `rewrites` rewrites, or why the text stays as it is.

    What the judge would approve is best, then what has the lowest risk, then `r·c` and likelihood
    decide, less what only says the same again. All rewrites of all cases are written in one batch
    and judged in another; only those that are taken are doubted. One that is riskier than the
    original, or no better, is never taken, nor are words for a tool call. A text that does not fit
    into the policy's window stays, and takes no other with it. Raises `Cancelled`.
    """
    told = (policy, reviewer, scenario, profile)
    try:
        return _together(*told, [*enumerate(cases)], rewrites, seed, watch)
    except BadInput:
        found = []
        for one in enumerate(cases):
            try:
                found += _together(*told, [one], rewrites, seed, watch)
            except BadInput as error:
                found.append(Rewritten(row=one[0], why=error.line))
                watch.say(found[-1])
        return found


def _together(
    policy: TextModel,
    reviewer: Judge,
    scenario: Scenario,
    profile: Profile,
    numbered: Sequence[tuple[int, Case]],
    rewrites: int,
    seed: int,
    watch: Watch,
) -> list[Rewritten]:
    """As `align`, for cases with their rows. Raises `BadInput` where one does not fit."""
    places, cases = zip(*numbered, strict=True) if numbered else ((), ())
    asked = [
        prompts.rewrite(scenario, case.text, _at_stake(profile, case.judgement), case.guidance)
        for case in cases
    ]

    def grown(place: int, text: str) -> None:
        if place % rewrites == 0:  # one of each case's rewrites is shown as it grows
            watch.say(Growing(row=places[place // rewrites], text=text))

    drafts = policy.generate(
        [prompt for prompt in asked for _ in range(rewrites)],
        SAMPLING,
        [seed * 1_000_003 + row * rewrites + n for row in places for n in range(rewrites)],
        watch,
        grown,
    )
    written: list[tuple[int, str, float]] = []  # by case: a text and its likelihood
    for row, case in enumerate(cases):
        mine: list[str] = []
        call = is_call(case.text)
        for draft in drafts[row * rewrites : (row + 1) * rewrites]:
            text, problem = usable(draft, scenario.request, mine)
            lost = call and not is_call(text)  # words in place of a tool call
            if not (problem or lost) and text != case.text:
                mine.append(text)
                written.append((row, text, draft.likelihood))
    quiet = watch.quiet()
    texts = [text for _, text, _ in written]
    judgements = judge(reviewer, scenario, profile, texts, doubt=False, watch=quiet)
    options: list[list[_Option]] = [[] for _ in cases]
    for (row, text, likelihood), judged in zip(written, judgements, strict=True):
        if judged is not None:
            again = in_common(text, cases[row].text)
            options[row].append(_Option(text, likelihood, again, judged, assess(judged, profile)))
    found = [
        _best(place, case, some, profile)
        for place, case, some in zip(places, cases, options, strict=True)
    ]
    kept = [(one.text, one.judgement) for one in found if one.judgement]
    doubted = iter(
        reviewer.doubt(
            [(scenario, text) for text, _ in kept], [one for _, one in kept], profile, quiet
        )
    )
    for row, one in enumerate(found):
        if one.judgement:
            found[row] = msgspec.structs.replace(one, judgement=next(doubted))
        watch.say(found[row])
    return found


def _best(row: int, case: Case, options: Sequence[_Option], profile: Profile) -> Rewritten:
    if not options:
        return Rewritten(row=row, why="no rewrite could be used")
    before = assess(case.judgement, profile) if case.judgement else UNJUDGED
    safe = [option for option in options if option.verdict.risk.order <= before.risk.order]
    if not safe:
        return Rewritten(row=row, why="every rewrite was riskier than the text as it stands")
    better = [option for option in safe if _order(option.verdict) < _order(before)]
    if not better:
        return Rewritten(row=row, why="no rewrite was better than the text as it stands")
    best = min(better, key=lambda option: option.order)
    return Rewritten(row=row, text=best.text, judgement=best.judgement)


def _order(verdict: Verdict) -> tuple[bool, int, float]:
    """Sorts the best first: what may be approved, for only that can be planned."""
    return (not verdict.acceptable, *verdict.order)


def _at_stake(profile: Profile, judgement: Judgement | None) -> list[str]:
    """The statements to mend for: those at stake, else all that count."""
    issues = assess(judgement, profile).issues if judgement else ()
    named = [profile.value(issue.value).statement for issue in issues]
    return named or [value.statement for value in profile.active]
