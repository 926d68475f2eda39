"""A stand-in without weights, for demonstrations and tests. It says so in all it writes."""

import hashlib
from collections.abc import Callable, Sequence

from core.domain.values import Profile
from core.models.base import AGGREGATOR, Draft, Prompt, Sampling
from core.models.catalog import ECHO, Kind
from core.session.events import ModelUsed
from core.watch import Watch

_OPENINGS = (
    "Ask everyone concerned what they need before anything is sent",
    "Draft a short letter with all costs and let a colleague read it first",
    "Offer an appointment at a time that each person chooses",
    "Publish the plan in plain words and collect questions for a week",
    "Call everybody again this evening until they have agreed",
    "Try it with ten volunteers and report what went wrong",
    "Leave the small print out so that the answer comes faster",
    "Invite two outside readers and note their objections",
)


class Echo:
    """Writes canned sentences and gives probabilities drawn from a digest of what it was asked."""

    name = ECHO

    @property
    def used(self) -> ModelUsed:
        """What a session notes about it."""
        return ModelUsed(name=ECHO, kind=Kind.ECHO, device="none", dtype="none")

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None] = lambda row, text: None,
    ) -> list[Draft]:
        """One canned sentence a prompt, chosen by prompt and seed, a word at a time."""
        texts = []
        for prompt, seed in zip(prompts, seeds, strict=True):
            number = _number(f"{prompt.user}{seed}")
            texts.append(f"Echo {number % 900 + 100}: {_OPENINGS[number % len(_OPENINGS)]}.")
        for length in range(1, max((len(text.split()) for text in texts), default=0) + 1):
            watch.check()
            for row, text in enumerate(texts):
                words = text.split()
                if length <= len(words):
                    on_text(row, " ".join(words[:length]))
        return [Draft(text, len(text.split()), True) for text in texts]

    def choose(
        self, prompts: Sequence[Prompt], answers: Sequence[str], watch: Watch
    ) -> list[list[float]]:
        """Probabilities from a digest: always the same for the same question."""
        rows = []
        for prompt in prompts:
            watch.check()
            weights = [
                1 + _number(f"{prompt.user}{prompt.lead} {answer}") % 97 for answer in answers
            ]
            rows.append([weight / sum(weights) for weight in weights])
        return rows


class EchoVoices:
    """Agents without weights: every value has one, and there is an aggregator."""

    aggregates = True

    def __init__(self) -> None:
        self._echo = Echo()

    def used(self, profile: Profile) -> dict[str, ModelUsed]:
        """See `Voices.used`."""
        roles = [*(f"agent {who}" for who in self.speakers(profile)), AGGREGATOR]
        return dict.fromkeys(roles, self._echo.used)

    def speakers(self, profile: Profile) -> list[str]:
        """All values that count."""
        return [value.id for value in profile.active]

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
        """Canned sentences, others for each speaker."""
        own = [seed + _number(who) for seed in seeds]
        return self._echo.generate(prompts, sampling, own, watch, on_text)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:6], "big")
