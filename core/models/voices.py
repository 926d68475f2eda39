"""One model in memory that speaks for one value after another: adapters are lent to it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from core.domain.values import Profile
from core.errors import ModelProblem
from core.models import agents
from core.models.adapters import digest, lent
from core.models.base import AGGREGATOR, Draft, Prompt, Sampling
from core.models.causal import CausalModel
from core.session.events import ModelUsed
from core.watch import Watch


class AdapterVoices:
    """See `Voices`; the model is the plain default one, with weights that can be changed."""

    def __init__(self, model: CausalModel) -> None:
        self.model = model

    def used(self, profile: Profile) -> dict[str, ModelUsed]:
        """See `Voices.used`."""
        folders = {f"agent {who}": folder for who, folder in agents.agents_of(profile).items()}
        if (found := agents.aggregator()) is not None:
            folders[AGGREGATOR] = found
        return {
            role: msgspec.structs.replace(self.model.used, adapter=digest(folder))
            for role, folder in folders.items()
        }

    def speakers(self, profile: Profile) -> list[str]:
        """See `Voices.speakers`."""
        return list(agents.agents_of(profile))

    @property
    def aggregates(self) -> bool:
        """See `Voices.aggregates`."""
        return agents.aggregator() is not None

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
        """See `Voices.speak`."""
        folder = agents.aggregator() if who == AGGREGATOR else agents.agents_of(profile).get(who)
        if folder is None:
            raise ModelProblem(
                f"there is no agent for {who!r}", mend="`placet train agent` or `aggregator`."
            )
        return self.speak_with(folder, prompts, sampling, seeds, watch, on_text)

    def speak_with(
        self,
        folder: Path | None,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None] = lambda row, text: None,
    ) -> list[Draft]:
        """As `speak`, with the adapter in a folder; without one the base model speaks."""
        if folder is None:
            return self.model.generate(prompts, sampling, seeds, watch, on_text)
        with lent(self.model.model, folder):
            self.model.forget()
            try:
                return self.model.generate(prompts, sampling, seeds, watch, on_text)
            finally:
                self.model.forget()
