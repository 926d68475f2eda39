"""The policy and the aligner put to the test: what they write, counted.

What is counted says little about whether an action is wise. So the texts come back with the
figures, a row written by hand stands in every table, and somebody should read fifty of them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean

from core.domain.candidate import Case
from core.domain.scenario import Scenario
from core.domain.text import is_call, words
from core.domain.values import Profile, Value
from core.domain.verdict import Judgement, Risk, assess
from core.models.base import Draft, TextModel
from core.stages import align as aligning
from core.stages import prompts, propose
from core.stages.judge import Judge, judge
from core.training.policy_figures import ProposalFigures, RewriteFigures
from core.training.texts import Scene, Wish
from core.training.wording import Topics, distance, distinct_2, stems
from core.watch import SILENT, Watch

_NUMBER = re.compile(r"\d[\d.,:]*")


@dataclass(frozen=True, slots=True)
class Mending:
    """An action to rewrite, where, and for which values."""

    scenario: Scenario
    wish: Wish

    @property
    def profile(self) -> Profile:
        """The values at stake, all with the same weight."""
        return Profile(
            name="at-stake",
            values=tuple(
                Value(id=f"v{number}", statement=statement)
                for number, statement in enumerate(self.wish.values, start=1)
            ),
        )


def measure_proposals(
    model: TextModel,
    scenarios: Sequence[Scenario],
    *,
    count: int = 4,
    seed: int = 0,
    among: Sequence[Scenario] = (),
    judged: Sequence[tuple[Scenario, Profile]] = (),
    reviewer: Judge | None = None,
    watch: Watch = SILENT,
) -> ProposalFigures:
    """Samples `count` first drafts a scenario, as `propose` does, and counts.

    Whether a text is on its topic is told `among` these scenarios too. What is written for those to
    be `judged` counts for `low` alone, which rests on nothing else.
    """
    everywhere = [*scenarios, *(scenario for scenario, _ in judged)]
    asked = [prompts.proposal(scenario) for scenario in everywhere for _ in range(count)]
    seeds = [seed * 1_000_003 + row for row in range(len(asked))]
    drafts = model.generate(asked, propose.SAMPLING, seeds, watch)
    rows = [drafts[start : start + count] for start in range(0, len(drafts), count)]
    risks = [
        risk
        for (scenario, profile), row in zip(judged, rows[len(scenarios) :], strict=True)
        if reviewer
        for risk in _risks(reviewer, scenario, profile, _usable(row, scenario), watch)
    ]
    found = proposal_figures(model.name, scenarios, rows[: len(scenarios)], among)
    return replace(found, low=_mean(risk is Risk.LOW for risk in risks))


def proposal_figures(
    name: str,
    scenarios: Sequence[Scenario],
    drafts: Sequence[Sequence[Draft]],
    among: Sequence[Scenario] = (),
) -> ProposalFigures:
    """The figures for drafts that are already there, by scenario, but for what a judge says."""
    requests = [scenario.request for scenario in scenarios]
    texts: list[tuple[str, ...]] = []
    why: Counter[str] = Counter()
    for request, row in zip(requests, drafts, strict=True):
        found = [propose.usable(draft, request, ()) for draft in row]
        why.update(problem for _, problem in found if problem)
        texts.append(tuple(text for text, problem in found if not problem))
    topics = Topics([*(one.request for one in among), *requests])
    flat = [(request, text) for request, row in zip(requests, texts, strict=True) for text in row]
    asked = sum(len(row) for row in drafts)
    return ProposalFigures(
        model=name,
        asked=asked,
        usable=_share(len(flat), asked),
        on_topic=_mean(topics.nearest(text) == topics.place(request) for request, text in flat),
        grounded=_mean(_kept(text, request, of=text) for request, text in flat),
        specific=_mean(bool(_NUMBER.search(text)) for _, text in flat),
        distance=_mean(
            distance(one, other) for row in texts for one, other in combinations(row, 2)
        ),
        distinct_2=distinct_2(text for _, text in flat),
        words=_mean(len(words(text)) for _, text in flat),
        low=math.nan,
        why_not=dict(why),
        texts=tuple(texts),
    )


def measure_rewrites(
    model: TextModel,
    mendings: Sequence[Mending],
    *,
    rewrites: int = 4,
    seed: int = 0,
    among: Sequence[Scenario] = (),
    reviewer: Judge | None = None,
    watch: Watch = SILENT,
) -> RewriteFigures:
    """Samples one rewrite an action and counts; with a judge, runs the whole stage as well.

    Whether a text is on its topic is told `among` these scenarios too.
    """
    asked = [
        prompts.rewrite(one.scenario, one.wish.action, one.wish.values, one.wish.guidance)
        for one in mendings
    ]
    seeds = [seed * 1_000_003 + row for row in range(len(asked))]
    drafts = model.generate(asked, aligning.SAMPLING, seeds, watch)

    def whole(one: Mending, judgement: Judgement) -> str:
        case = Case(text=one.wish.action, judgement=judgement, guidance=one.wish.guidance)
        assert reviewer is not None
        found = aligning.align(
            model,
            reviewer,
            one.scenario,
            one.profile,
            [case],
            rewrites=rewrites,
            seed=seed,
            watch=watch,
        )[0]
        low = found.judgement and assess(found.judgement, one.profile).risk is Risk.LOW
        return found.text if low else ""

    return rewrite_figures(
        model.name, mendings, drafts, among=among, reviewer=reviewer, whole=whole, watch=watch
    )


def rewrite_figures(
    name: str,
    mendings: Sequence[Mending],
    drafts: Sequence[Draft],
    *,
    among: Sequence[Scenario] = (),
    reviewer: Judge | None = None,
    whole: Callable[[Mending, Judgement], str] | None = None,
    watch: Watch = SILENT,
) -> RewriteFigures:
    """The figures for drafts that are already there.

    `whole` gives what the whole stage makes of an action: a text judged LOW, or nothing.
    """
    texts = [
        propose.usable(draft, one.scenario.request, ())[0]
        for one, draft in zip(mendings, drafts, strict=True)
    ]
    topics = Topics([one.request for one in (*among, *(each.scenario for each in mendings))])
    own = [topics.place(one.scenario.request) for one in mendings]
    found = [
        (one, number, text) for one, number, text in zip(mendings, own, texts, strict=True) if text
    ]
    before, after, mended = list[Risk](), list[Risk](), list[bool]()
    for one, number, text in zip(mendings, own, texts, strict=True) if reviewer else ():
        assert reviewer is not None
        told = [one.wish.action, *([text] if text else [])]
        first, *rest = judge(reviewer, one.scenario, one.profile, told, watch=watch)
        risks = [_risk(judgement, one.profile) for judgement in (first, *rest)]
        before.append(risks[0])
        after += risks[1:]
        if whole and first and risks[0] is Risk.HIGH:
            better = whole(one, first)
            mended.append(bool(better) and topics.nearest(better) == number)
    calls = [text for one, text in zip(mendings, texts, strict=True) if is_call(one.wish.action)]
    return RewriteFigures(
        model=name,
        asked=len(drafts),
        usable=_share(len(found), len(drafts)),
        changed=_mean(text != one.wish.action for one, _, text in found),
        on_topic=_mean(topics.nearest(text) == number for _, number, text in found),
        kept=_mean(_kept(one.wish.action, text, of=one.wish.action) for one, _, text in found),
        json_kept=_mean(is_call(text) for text in calls),
        distance=_mean(distance(one.wish.action, text) for one, _, text in found),
        words=_mean(len(words(text)) for _, _, text in found),
        low_before=_mean(risk is Risk.LOW for risk in before),
        low_after=_mean(risk is Risk.LOW for risk in after),
        mended=_mean(mended),
        high=sum(risk is Risk.HIGH for risk in before),
        texts=tuple(texts),
    )


BY_HAND = "written by hand"
"""The column of the corpus's own texts, measured like a model's: about the most that can be had."""


def proposals_by_hand(scenes: Sequence[Scene], among: Sequence[Scenario] = ()) -> ProposalFigures:
    """The corpus's own actions."""
    drafts = [[Draft(text, 0, True) for text in scene.actions] for scene in scenes]
    return proposal_figures(BY_HAND, [scene.scenario for scene in scenes], drafts, among)


def rewrites_by_hand(mendings: Sequence[Mending], among: Sequence[Scenario] = ()) -> RewriteFigures:
    """The corpus's own rewrites."""
    drafts = [Draft(one.wish.rewrite, 0, True) for one in mendings]
    return rewrite_figures(BY_HAND, mendings, drafts, among=among)


def to_mend(scenes: Sequence[Scene]) -> list[Mending]:
    """Every action of the corpus that needs mending."""
    return [Mending(scene.scenario, wish) for scene in scenes for wish in scene.changes]


def _usable(drafts: Sequence[Draft], scenario: Scenario) -> list[str]:
    told = [propose.usable(draft, scenario.request, ()) for draft in drafts]
    return [text for text, problem in told if not problem]


def _risks(
    reviewer: Judge, scenario: Scenario, profile: Profile, texts: Sequence[str], watch: Watch
) -> list[Risk]:
    found = judge(reviewer, scenario, profile, texts, watch=watch)
    return [_risk(judgement, profile) for judgement in found]


def _risk(judgement: Judgement | None, profile: Profile) -> Risk:
    return assess(judgement, profile).risk if judgement else Risk.UNJUDGED


def _kept(one: str, other: str, *, of: str) -> float:
    return _share(len(stems(one) & stems(other)), len(stems(of)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return fmean(found) if found else math.nan
