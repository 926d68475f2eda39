"""Judge: what an action means for the organisation's values, as probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from core.domain.scenario import Scenario
from core.domain.text import digest
from core.domain.values import Profile
from core.domain.verdict import Judgement, Recommendation, Risk
from core.errors import BadInput
from core.models.base import GREEDY, Sampling, TextModel
from core.session.events import ModelUsed
from core.stages import prompts
from core.watch import SILENT, AnyNote, Measured, Progress, Watch

EXPLAIN = Sampling(temperature=GREEDY.temperature, max_tokens=40, sentences=1)

QUESTIONS = 64
"""Questions that a judge asked in words gets at once, about: more is hardly faster, and nothing is
told before they are answered."""

ASKED = 0.6
"""When of the time that judging in words takes all is asked, about; the rest goes into a sentence
on what would not be approved."""

Row = tuple[Scenario, str]
"""An action, and the scenario it belongs to."""


class Judge(Protocol):
    """Whatever can score actions against values."""

    @property
    def used(self) -> ModelUsed:
        """What a session notes about it."""

    def measure(
        self, rows: Sequence[Row], profile: Profile, watch: Watch, *, doubt: bool = True
    ) -> Iterable[Judgement]:
        """A judgement a row, in order, as they come; doubted as well, unless told otherwise.

        Raises `BadInput` where a row does not fit into the window.
        """

    def doubt(
        self, rows: Sequence[Row], judgements: Sequence[Judgement], profile: Profile, watch: Watch
    ) -> list[Judgement]:
        """The judgements on these rows, with what another wording turns round marked `unstable`.

        No number changes by it.
        """


def judge(
    judge: Judge,
    scenario: Scenario,
    profile: Profile,
    texts: Sequence[str],
    *,
    doubt: bool = True,
    places: Sequence[int] | None = None,
    watch: Watch = SILENT,
) -> list[Judgement | None]:
    """A judgement a text, or None where there is none; see `judge_rows`.

    What is said about the n-th text is said about row `places[n]`, or about row n.
    """

    def say(note: AnyNote) -> None:
        if places is not None and isinstance(note, Measured):
            note = msgspec.structs.replace(note, row=places[note.row])
        watch.say(note)

    rows = [(scenario, text) for text in texts]
    return judge_rows(judge, rows, profile, doubt=doubt, watch=Watch(say, watch.is_cancelled))


def judge_rows(
    judge: Judge,
    rows: Sequence[Row],
    profile: Profile,
    *,
    doubt: bool = True,
    watch: Watch = SILENT,
) -> list[Judgement | None]:
    """A judgement a row, or None where there is none; the note, told at once, says why.

    Rows are judged together; if that fails because one does not fit, the rest one by one, so that
    it does not take the others with it. Raises `Cancelled`.
    """
    if not rows:
        return []
    found: list[Judgement | None] = []

    def take(judgement: Judgement | BadInput) -> None:
        row = len(found)
        if isinstance(judgement, BadInput):
            found.append(None)
            watch.say(Measured(row=row, problem=judgement.line))
        elif not judgement.sound:
            found.append(None)
            problem = "the judge gave numbers that are none, or not all of them"
            watch.say(Measured(row=row, problem=problem))
        else:
            found.append(judgement)
            watch.say(Measured(row=row, judgement=judgement))

    try:
        for judgement in judge.measure(rows, profile, watch, doubt=doubt):
            take(judgement)
    except BadInput:
        for row in rows[len(found) :]:
            try:
                [alone] = judge.measure([row], profile, watch, doubt=doubt)
            except BadInput as error:
                take(error)
            else:
                take(alone)
    return found


class PromptedJudge:
    """Asks any model in words, and reads the probabilities of the allowed answers.

    Risk and recommendation are the likeliest of the answers asked for, so a reply can always be
    read; scores are the probability of "yes", one question a value.
    """

    def __init__(self, model: TextModel, *, explain: bool = True) -> None:
        self.model = model
        self.explain = explain
        self.used = model.used

    def doubt(
        self, rows: Sequence[Row], judgements: Sequence[Judgement], profile: Profile, watch: Watch
    ) -> list[Judgement]:
        """See `Judge.doubt`. Nothing is asked twice in words: it would take as long again."""
        return list(judgements)

    def measure(
        self, rows: Sequence[Row], profile: Profile, watch: Watch, *, doubt: bool = True
    ) -> Iterator[Judgement]:
        """See `Judge.measure`."""
        watch = watch.timed("read")
        many = max(1, QUESTIONS // (len(profile.values) + 2))
        for start in range(0, len(rows), many):
            some = rows[start : start + many]
            part = watch.part(start / len(rows), (start + len(some)) / len(rows))
            yield from self._measured(some, profile, part)

    def _measured(self, rows: Sequence[Row], profile: Profile, watch: Watch) -> list[Judgement]:
        """Judgements on rows that are asked about together."""
        values = profile.values
        asked = len(values) + 2
        respected = self.model.choose(
            [
                prompts.respect(scenario, profile, text, value.statement)
                for scenario, text in rows
                for value in values
            ],
            prompts.YES_NO,
            watch.part(0.0, ASKED * len(values) / asked),
        )
        risks = self.model.choose(
            [prompts.risk(scenario, profile, text) for scenario, text in rows],
            prompts.RISKS,
            watch.part(ASKED * len(values) / asked, ASKED * (len(values) + 1) / asked),
        )
        advice = self.model.choose(
            [prompts.recommendation(scenario, profile, text) for scenario, text in rows],
            prompts.RECOMMENDATIONS,
            watch.part(ASKED * (len(values) + 1) / asked, ASKED),
        )
        explained = self._explained(rows, profile, advice, watch.part(ASKED, 1.0))
        judgements = []
        for place, (scenario, text) in enumerate(rows):
            yes = [chances[0] for chances in respected[place * len(values) :][: len(values)]]
            low, med, high = risks[place]
            judgements.append(
                Judgement(
                    text=digest(text),
                    profile=profile.digest,
                    scenario=scenario.digest,
                    judge=self.used.name,
                    scores={value.id: score for value, score in zip(values, yes, strict=True)},
                    harm=min(1.0, high + 0.5 * med),
                    risk={Risk.LOW: low, Risk.MED: med, Risk.HIGH: high},
                    recommendation=dict(zip(Recommendation, advice[place], strict=True)),
                    explanation=explained[place],
                    raw=_raw(profile, risks[place], advice[place], yes),
                )
            )
        return judgements

    def _explained(
        self,
        rows: Sequence[Row],
        profile: Profile,
        advice: Sequence[Sequence[float]],
        watch: Watch,
    ) -> list[str]:
        """A sentence for each action the judge would not approve as it is."""
        wanted = [place for place, chances in enumerate(advice) if max(chances[1:]) >= chances[0]]
        explained = ["" for _ in rows]
        if not self.explain or not wanted:
            return explained

        def say(note: AnyNote) -> None:
            if isinstance(note, Progress):  # its tokens are written, and all else counts those read
                watch.say(msgspec.structs.replace(note, tokens_done=0))

        asked = [prompts.explanation(rows[place][0], profile, rows[place][1]) for place in wanted]
        listening = Watch(say, watch.is_cancelled)
        drafts = self.model.generate(asked, EXPLAIN, [0] * len(asked), listening)
        for place, draft in zip(wanted, drafts, strict=True):
            explained[place] = draft.text
        return explained


def _raw(
    profile: Profile, risks: Sequence[float], advice: Sequence[float], scores: Sequence[float]
) -> str:
    lines = [
        f"P({answer}) = {chance:.4f}"
        for answers, chances in ((prompts.RISKS, risks), (prompts.RECOMMENDATIONS, advice))
        for answer, chance in zip(answers, chances, strict=True)
    ]
    lines += [
        f"P(yes | {value.id}) = {score:.4f}"
        for value, score in zip(profile.values, scores, strict=True)
    ]
    return "\n".join(lines)
