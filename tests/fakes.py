"""Models that do as they are told: what they write and answer is queued beforehand."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from core.domain.values import Profile
from core.domain.verdict import Judgement
from core.errors import BadInput
from core.models.base import Draft, Prompt, Sampling
from core.session.events import ModelUsed
from core.stages.judge import Row
from core.watch import Watch

USED = ModelUsed(name="fake", kind="causal", device="none", dtype="none")


class FakeModel:
    """A `TextModel` that takes each draft and each row of probabilities from a queue.

    A queue that runs dry is an `IndexError`: a stage asked for more than the test foresaw.
    """

    name = "fake"
    used = USED

    def __init__(
        self, drafts: Iterable[str | Draft] = (), answers: Iterable[Sequence[float]] = ()
    ) -> None:
        self.drafts = deque(
            Draft(draft, len(draft.split()), True) if isinstance(draft, str) else draft
            for draft in drafts
        )
        self.answers = deque(list(row) for row in answers)
        self.asked: list[Prompt] = []
        self.seeds: list[list[int]] = []
        self.questions: list[tuple[Prompt, tuple[str, ...]]] = []

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None] = lambda row, text: None,
    ) -> list[Draft]:
        self.asked += prompts
        self.seeds.append(list(seeds))
        written = []
        for row, _ in enumerate(prompts):
            watch.check()
            written.append(self.drafts.popleft())
            on_text(row, written[-1].text)
        return written

    def choose(
        self, prompts: Sequence[Prompt], answers: Sequence[str], watch: Watch
    ) -> list[list[float]]:
        watch.check()
        self.questions += [(prompt, tuple(answers)) for prompt in prompts]
        return [self.answers.popleft() for _ in prompts]


class FakeJudge:
    """A `Judge` that knows beforehand what it thinks of each text; `BadInput` is raised."""

    used = USED

    def __init__(self, opinions: Mapping[str, Judgement | BadInput]) -> None:
        self.opinions = dict(opinions)
        self.calls: list[list[str]] = []
        self.doubted: list[str] = []

    def measure(
        self, rows: Sequence[Row], profile: Profile, watch: Watch, *, doubt: bool = True
    ) -> list[Judgement]:
        watch.check()
        texts = [text for _, text in rows]
        self.calls.append(texts)
        found = [self.opinions[text] for text in texts]
        for opinion in found:
            if isinstance(opinion, BadInput):
                raise opinion
        return [opinion for opinion in found if isinstance(opinion, Judgement)]

    def doubt(
        self, rows: Sequence[Row], judgements: Sequence[Judgement], profile: Profile, watch: Watch
    ) -> list[Judgement]:
        self.doubted += [text for _, text in rows]
        return list(judgements)
