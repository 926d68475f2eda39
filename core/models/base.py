"""What every model can do for a stage, whether it has weights or not. No torch here."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from core.domain.values import Profile
from core.session.events import ModelUsed
from core.watch import Watch


class Prompt(Struct, frozen=True):
    """A prompt in the parts that models take differently."""

    system: str
    """What the model is and what holds for all requests: shared, so it comes first."""
    user: str
    """The request, what is shared with its neighbours first."""
    lead: str = ""
    """How the reply begins; no blank at its end, since that belongs to the word that follows."""


class Sampling(Struct, frozen=True, kw_only=True):
    """How tokens are drawn (nucleus sampling, Holtzman et al. 2020)."""

    temperature: float = 0.7
    """Above 0; 0 takes the likeliest token."""
    top_p: float = 0.9
    max_tokens: int = 64
    sentences: int = 0
    """A row ends after so many sentences, or after the tool call that it is; 0 for no such end."""
    one_line: bool = True
    """A row ends at the first line break after its first word."""


class Draft(Struct, frozen=True):
    """What a model wrote for one prompt."""

    text: str
    tokens: int
    finished: bool
    """Ended by itself, not for want of room."""
    likelihood: float = 0.0
    """Mean log-probability of its tokens under the model, nats; 0 where it is not known."""


GREEDY = Sampling(temperature=0.0)


class TextModel(Protocol):
    """A model that writes, and that says how likely an answer is."""

    @property
    def name(self) -> str:
        """Its name, as in reports."""

    @property
    def used(self) -> ModelUsed:
        """What a session notes about it."""

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None] = lambda row, text: None,
    ) -> list[Draft]:
        """A draft a prompt. The same request gives the same drafts.

        A row depends on its prompt and its seed only, not on its neighbours; but for int8, which
        scales what goes into a layer by the whole batch.

        `on_text` hears of each row's text as it grows. Raises `Cancelled` between tokens and
        `BadInput` where a prompt does not fit into the model's window.
        """

    def choose(
        self, prompts: Sequence[Prompt], answers: Sequence[str], watch: Watch
    ) -> list[list[float]]:
        """For each prompt, the probability of each allowed answer; nothing is sampled."""


AGGREGATOR = "aggregator"
"""The speaker that brings the agents' answers together."""


class Voices(Protocol):
    """The moral agents: one model that speaks for one value after another."""

    def used(self, profile: Profile) -> dict[str, ModelUsed]:
        """What a session notes about them, by role."""

    def speakers(self, profile: Profile) -> list[str]:
        """Ids of the values that count in `profile` and have an agent, in the profile's order.

        Raises `ModelProblem`, with the mend, where there is none.
        """

    @property
    def aggregates(self) -> bool:
        """Whether there is an aggregator."""

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
        """As `TextModel.generate`, by the agent of the value `who`, or by `AGGREGATOR`."""
