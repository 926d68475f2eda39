"""Moral agents answer, the aggregator makes one answer of theirs, and each tells its origin."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import pytest
from msgspec.structs import replace

from core.decide import Options, decide
from core.domain.candidate import Source
from core.domain.values import Profile
from core.domain.verdict import Judgement
from core.errors import BadInput, Cancelled, ModelProblem
from core.models.base import AGGREGATOR, Draft, Prompt, Sampling
from core.models.echo import Echo, EchoVoices
from core.session.events import ModelUsed
from core.stages.advise import SAMPLES, Answer, advise, ranked
from core.stages.aggregate import aggregate, best, provenance
from core.stages.consult import consult
from core.stages.judge import PromptedJudge, Row
from core.team import Team
from core.watch import Advised, AnyNote, Dropped, Measured, Progress, Watch
from tests.fakes import USED, FakeJudge
from tests.nouns import CONSENT, HONESTY, LETTER, PROFILE, SCENARIO, judgement

ASK = "Ask each bakery first whether it wants any post."
FEES = "Print all fees on the first page of the leaflet."
BOTH = "Ask each bakery first, and print all fees on the first page."
WORSE = "Ring them every evening until somebody signs the paper."


class FakeVoices:
    """Speakers that say what is queued for them."""

    aggregates = True

    def __init__(self, drafts: Mapping[str, Sequence[str]]) -> None:
        self.drafts = {who: deque(texts) for who, texts in drafts.items()}
        self.asked: list[tuple[str, Prompt]] = []

    def used(self, profile: Profile) -> dict[str, ModelUsed]:
        return {f"agent {who}": USED for who in self.speakers(profile)}

    def speakers(self, profile: Profile) -> list[str]:
        return [value.id for value in profile.active if value.id in self.drafts]

    def speak(
        self,
        profile: Profile,
        who: str,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None] = lambda row, text: None,
    ) -> list[Draft]:
        found = []
        for row, prompt in enumerate(prompts):
            watch.check()
            self.asked.append((who, prompt))
            watch.say(Progress(stage="write", done=row + 1, total=len(prompts), tokens_per_s=9.0))
            text = self.drafts[who].popleft() if self.drafts[who] else ""
            on_text(row, text)
            found.append(Draft(text, len(text.split()), True))
        return found


def scored(text: str, consent: float, honesty: float) -> Judgement:
    return judgement(text, scores={CONSENT: consent, HONESTY: honesty})


JUDGE = FakeJudge(
    {
        ASK: scored(ASK, 0.9, 0.3),
        FEES: scored(FEES, 0.3, 0.9),
        BOTH: scored(BOTH, 0.9, 0.8),
        WORSE: scored(WORSE, 0.1, 0.2),
    }
)


def voices(**changes: Sequence[str]) -> FakeVoices:
    made = {CONSENT: [ASK], HONESTY: [FEES], AGGREGATOR: [WORSE, BOTH, *["No."] * 6]}
    return FakeVoices(made | changes)


def test_each_value_that_counts_has_its_answer() -> None:
    speaking = voices()

    found, notice = advise(speaking, JUDGE, SCENARIO, PROFILE, seed=3)

    assert found == {CONSENT: ASK, HONESTY: FEES} and not notice
    assert [who for who, _ in speaking.asked] == [CONSENT] * SAMPLES + [HONESTY] * SAMPLES
    assert SCENARIO.goal in speaking.asked[0][1].user
    off = PROFILE.with_weights({CONSENT: 0.0})
    assert list(advise(voices(), JUDGE, SCENARIO, off, seed=3)[0]) == [HONESTY]


def test_what_cannot_be_used_or_was_said_before_is_left_out() -> None:
    speaking = voices(**{CONSENT: ["Sure!", LETTER, ASK], HONESTY: ["", "No.", "Sure!"]})

    found, notice = advise(speaking, JUDGE, SCENARIO, PROFILE, seed=3, avoid=[LETTER])

    assert found == {CONSENT: ASK}
    assert HONESTY in notice


def test_an_agent_leaves_to_another_what_that_one_is_there_to_say() -> None:
    """`BOTH` respects consent as much as `ASK`, but honesty more than `FEES` does."""
    known = {ASK: scored(ASK, 0.9, 0.3), FEES: scored(FEES, 0.3, 0.9), BOTH: scored(BOTH, 0.9, 1.0)}
    speaking = voices(**{CONSENT: [BOTH, ASK], HONESTY: ["Sure!", FEES]})

    found, notice = advise(speaking, FakeJudge(known), SCENARIO, PROFILE, seed=3)

    assert found == {CONSENT: ASK, HONESTY: FEES} and not notice


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ([{"own": 0.5, "a": 0.5}, {"own": 0.6, "a": 0.5}], 1),
        ([{"own": 0.6, "a": 0.5}, {"own": 0.6, "a": 0.2}], 0),
        ([{"own": 0.6, "a": 0.9}, {"own": 0.5, "a": 0.7}], 1),
        ([{"own": 0.6, "a": 0.75}, {"own": 0.5, "a": 0.7}], 0),
        ([{}, {"own": 0.0, "a": 1.0}], 1),
        ([{}, {}], 0),
    ],
)
def test_what_another_says_better_is_left_to_it_and_what_was_not_judged_comes_last(
    own: list[dict[str, float]], kept: int
) -> None:
    """The other's best answer respects its own value by 0.7."""
    other = [{"own": 0.1, "a": 0.6}, {"own": 0.1, "a": 0.7}]
    answers = {"own": [Answer("x", one) for one in own], "a": [Answer("y", one) for one in other]}

    assert ranked(answers) == {"own": [kept, 1 - kept], "a": [1, 0]}
    assert ranked({"own": []}) == {"own": []}


def test_what_one_agent_is_to_say_another_does_not_repeat() -> None:
    speaking = voices(**{CONSENT: [ASK], HONESTY: [ASK, FEES]})

    assert advise(speaking, JUDGE, SCENARIO, PROFILE, seed=3)[0] == {CONSENT: ASK, HONESTY: FEES}

    found, notice = advise(
        voices(**{CONSENT: [ASK], HONESTY: [ASK] * SAMPLES}), JUDGE, SCENARIO, PROFILE, seed=3
    )

    assert found == {CONSENT: ASK} and "honesty" in notice


def test_all_that_is_asked_for_is_one_way_with_one_end() -> None:
    told: list[AnyNote] = []

    consult(voices(), JUDGE, SCENARIO, PROFILE, seed=3, watch=Watch(told.append))

    steps = [note for note in told if isinstance(note, Progress)]
    shares = [note.done for note in steps]
    assert {(note.stage, note.total, note.tokens_per_s) for note in steps} == {("advise", 100, 9.0)}
    assert shares == sorted(shares) and shares[0] < 10 and shares[-1] == 95


def test_an_agent_that_says_nothing_usable_is_dropped_and_stops_nobody() -> None:
    told: list[AnyNote] = []

    reviewer = FakeJudge(JUDGE.opinions)
    speaking = voices(**{CONSENT: [], HONESTY: [FEES]})
    found, notice = advise(speaking, reviewer, SCENARIO, PROFILE, seed=3, watch=Watch(told.append))

    assert found == {HONESTY: FEES} and "the agent of consent" in notice
    assert [note.row for note in told if isinstance(note, Advised)] == [1]
    assert [note.row for note in told if isinstance(note, Dropped)] == [0]
    assert all(reviewer.calls)  # nothing is judged where there is nothing


def test_a_value_that_nobody_speaks_for_is_named_with_the_mend() -> None:
    speaking = voices()
    del speaking.drafts[HONESTY]

    found, notice = advise(speaking, JUDGE, SCENARIO, PROFILE, seed=3)

    assert list(found) == [CONSENT]
    assert "nobody speaks for honesty" in notice and "placet train agent" in notice


def test_the_synthesis_is_the_sample_that_serves_the_profile_best_and_tells_its_sources() -> None:
    speaking = voices()

    found = aggregate(
        speaking, JUDGE, SCENARIO, PROFILE, {CONSENT: ASK, HONESTY: FEES}, seed=1, samples=8
    )

    assert found.text == BOTH and found.judgement is not None
    assert found.sources.startswith("honesty ") and "consent" in found.sources
    assert found.sources.endswith("own 0%")
    asked = speaking.asked[0][1].user
    assert f"1.0 {PROFILE.value(CONSENT).statement}\nAnswer: {ASK}" in asked
    assert f"0.5 {PROFILE.value(HONESTY).statement}\nAnswer: {FEES}" in asked


def test_without_a_sample_that_can_be_used_there_is_no_synthesis() -> None:
    speaking = voices(**{AGGREGATOR: ["Sure!"] * 8})

    found = aggregate(speaking, JUDGE, SCENARIO, PROFILE, {CONSENT: ASK}, seed=1)

    assert not found.text and "no synthesis could be used" in found.problem


def test_another_profile_keeps_another_answer() -> None:
    judged = [JUDGE.measure([(SCENARIO, text)], PROFILE, Watch())[0] for text in (ASK, FEES)]
    wins = [
        best([ASK, FEES], judged, PROFILE.with_weights({CONSENT: one, HONESTY: other}))
        for one, other in ((1.0, 0.0), (0.0, 1.0))
    ]

    assert [won[0] for won in wins if won] == [ASK, FEES]
    assert best([ASK], [None], PROFILE) is None


def test_words_tell_what_an_answer_drew_on() -> None:
    drew_on, own = provenance("Print fees quickly.", {"a": "print them", "b": "the fees"})

    assert drew_on == {"a": pytest.approx(1 / 3), "b": pytest.approx(1 / 3)}
    assert own == pytest.approx(1 / 3)
    assert provenance("a b", {"a": "x"}) == ({"a": 0.0}, 1.0)


def test_what_an_answer_drew_on_is_told_where_no_blank_stands_between_words() -> None:
    letter = "给每位客户写一封信，用Excel列出所有费用。"

    assert provenance(letter, {"a": letter, "b": "打电话。"}) == ({"a": 1.0, "b": 0.0}, 0.0)
    assert provenance("写信打电话", {"a": "写信"}) == ({"a": 0.25}, 0.75)


def test_every_answer_is_told_with_its_origin_in_a_row_of_its_own() -> None:
    notes: list[AnyNote] = []

    notice = consult(voices(), JUDGE, SCENARIO, PROFILE, seed=1, watch=Watch(notes.append))

    told = [note for note in notes if isinstance(note, Advised)]
    assert [(note.row, str(note.origin).split(" ")[1], note.text) for note in told] == [
        (0, CONSENT, ASK),
        (1, HONESTY, FEES),
        (2, "honesty", BOTH),
    ]
    assert [note.origin.source for note in told[1:]] == [Source.AGENT, Source.AGGREGATOR]
    assert not notice


def test_every_sample_is_judged_once_and_what_is_kept_read_a_second_time() -> None:
    reviewer = FakeJudge(JUDGE.opinions)
    notes: list[AnyNote] = []

    consult(voices(), reviewer, SCENARIO, PROFILE, seed=1, watch=Watch(notes.append))

    measured = {note.row: note.judgement for note in notes if isinstance(note, Measured)}
    assert measured == {row: JUDGE.opinions[text] for row, text in enumerate((ASK, FEES, BOTH))}
    assert reviewer.calls == [[ASK], [FEES], [WORSE, BOTH]]
    assert reviewer.doubted == [ASK, FEES, BOTH], "only what is kept is read a second time"


def test_what_a_second_reading_turned_round_stays_with_the_synthesis() -> None:
    class Doubter(FakeJudge):
        def doubt(
            self,
            rows: Sequence[Row],
            judgements: Sequence[Judgement],
            profile: Profile,
            watch: Watch,
        ) -> list[Judgement]:
            return [replace(one, unstable=(HONESTY,)) for one in judgements]

    team = Team(Echo(), Doubter(JUDGE.opinions), voices())
    session = decide(team, SCENARIO, PROFILE, Options(candidates=0, rounds=0, agents=True))

    [name] = [one.id for one in session.candidates.values() if one.text == BOTH]
    verdict = session.verdict(name)
    assert verdict.judgement is not None
    assert verdict.judgement.unstable == (HONESTY,)


def test_an_agent_that_says_nothing_does_not_shift_the_verdicts() -> None:
    speaking = voices(**{CONSENT: ["No."]})
    notes: list[AnyNote] = []

    consult(speaking, JUDGE, SCENARIO, PROFILE, seed=1, watch=Watch(notes.append))

    measured = {note.row: note.judgement for note in notes if isinstance(note, Measured)}
    assert measured == {1: JUDGE.opinions[FEES], 2: JUDGE.opinions[BOTH]}


def test_an_answer_that_cannot_be_judged_is_told_and_the_rest_is_judged() -> None:
    reviewer = FakeJudge(JUDGE.opinions | {ASK: BadInput("it is too long", mend="Shorten it.")})
    team = Team(Echo(), reviewer, voices())

    session = decide(team, SCENARIO, PROFILE, Options(candidates=0, rounds=0, agents=True))

    judged = {one.text: session.verdict(one.id).judgement for one in session.candidates.values()}
    assert judged[ASK] is None
    assert judged[FEES] is not None
    failed = [one.table for one in session.records if one.table["kind"] == "failed"]
    assert [one["problem"] for one in failed] == ["it is too long. Shorten it."]


def test_without_an_aggregator_the_agents_still_answer() -> None:
    speaking = voices()
    speaking.aggregates = False

    assert "placet train aggregator" in consult(speaking, JUDGE, SCENARIO, PROFILE, seed=1)


def test_the_operator_can_stop_between_two_agents() -> None:
    heard: list[AnyNote] = []
    watch = Watch(heard.append, lambda: any(isinstance(note, Advised) for note in heard))

    with pytest.raises(Cancelled):
        consult(voices(), JUDGE, SCENARIO, PROFILE, seed=1, watch=watch)


def test_a_decision_with_agents_has_their_candidates_judged_like_any_other() -> None:
    team = Team(Echo(), JUDGE, voices())

    session = decide(team, SCENARIO, PROFILE, Options(candidates=0, rounds=0, agents=True))

    origins = {one.text: one.origin for one in session.candidates.values()}
    assert origins[ASK].source is Source.AGENT and origins[ASK].name == CONSENT
    assert origins[BOTH].source is Source.AGGREGATOR
    assert session.state.plan is not None
    assert session.candidates[session.state.plan.candidate].text == BOTH
    assert "agent consent" in session.state.models
    assert session.state.settings["agents"] == 1


def test_a_decision_without_agents_asks_none() -> None:
    team = Team(Echo(), PromptedJudge(Echo()), FakeVoices({}))

    session = decide(team, SCENARIO, PROFILE, Options(candidates=1, rounds=0))

    assert all(one.origin.source is Source.POLICY for one in session.candidates.values())


def test_echo_speaks_for_every_value_that_counts_each_time_the_same() -> None:
    found = [
        advise(EchoVoices(), PromptedJudge(Echo()), SCENARIO, PROFILE, seed=2)[0] for _ in range(2)
    ]

    assert found[0] == found[1] and set(found[0]) == {CONSENT, HONESTY}


def test_where_no_value_has_an_agent_the_error_says_how_to_train_one() -> None:
    from core.models import agents

    with pytest.raises(ModelProblem) as caught:
        agents.agents_of(PROFILE)
    assert "placet train agent --value consent --profile house" in caught.value.mend
