"""The contextual aggregator: an adapter that makes one answer of a profile and agents' answers.

After CMVA-GS (IBM Research 2024): cross-entropy on people's reference answers, the input being the
question, the profile vector and what each moral agent said. Where nobody said what an answer speaks
for, all values count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from core.domain.values import Profile
from core.files import dump_toml, write_whole
from core.stages import prompts
from core.training.data import hashed_share
from core.training.questions import Question
from core.training.replies import Sample, sample
from core.training.settings import Count
from core.training.sft import Held, SftConfig, Trainer, learn
from core.training.steps import Report

CARD = "aggregator.toml"
ANSWERS = "answers.jsonl"


@dataclass(frozen=True, slots=True)
class AggregatorConfig:
    """Every hyper-parameter of the aggregator."""

    questions: Count = 1000
    """Learnt from at most; those whose answer speaks for something known come first."""
    sft: SftConfig = field(
        default_factory=lambda: SftConfig(
            epochs=2, peak_rate=5e-4, evaluate_every=40, held_out=0.1, threads=1
        )
    )


Answers = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
"""Questions → by value id the agents' answers to them, in order."""


def chosen(questions: Sequence[Question], count: int, seed: int) -> list[Question]:
    """At most `count` questions with a reference answer, in an order of the seed's."""
    order = [one for one in questions if one.answer]
    Random(seed).shuffle(order)
    order.sort(key=lambda one: not one.weights)
    return order[:count]


def profile_of(question: Question, profile: Profile) -> Profile:
    """The profile with the weights that the question's answer speaks for, or else all alike.

    An answer weighs foundations; a value that names none counts by its id.
    """
    weights = {
        value.id: question.weights.get(value.foundation or value.id, 0.0)
        for value in profile.values
    }
    return profile.with_weights(weights if any(weights.values()) else dict.fromkeys(weights, 1.0))


def samples(
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Question],
    answers: Mapping[str, Sequence[str]],
    profile: Profile,
) -> list[Sample]:
    """Each question with profile and answers, and the reference to learn."""
    made = []
    for place, one in enumerate(questions):
        said = {who: texts[place] for who, texts in answers.items() if texts[place]}
        prompt = prompts.synthesis(one.text, profile_of(one, profile), said)
        made.append(sample(tokenizer, [(prompt, one.answer)]))
    return made


def train(
    config: AggregatorConfig,
    questions: Sequence[Question],
    answers: Answers,
    profile: Profile,
    base: Path,
    out: Path,
    base_name: str,
    *,
    resume: bool = False,
    progress: Report = lambda _: None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Trains the adapter, keeps the one with the lowest held-out loss, and gives the card.

    `limit` bounds the steps of an epoch. With `resume` it goes on from the last checkpoint.
    """
    settings = config.sft
    asked = chosen(questions, config.questions, settings.seed)
    said = answers([one.text for one in asked])
    tokenizer = AutoTokenizer.from_pretrained(base)
    made = samples(tokenizer, asked, said, profile)
    apart = [_apart(one.text, settings.held_out) for one in asked]
    learnt = [one for one, away in zip(made, apart, strict=True) if not away]
    kept = [one for one, away in zip(made, apart, strict=True) if away]
    trainer = Trainer(settings, base)

    def shuffled(rng: Random) -> list[Sample]:
        order = list(learnt)
        rng.shuffle(order)
        return order

    def look() -> Held:
        found = trainer.loss_on(kept)
        return Held(found, found)

    looks = learn(trainer, shuffled, look, out / "checkpoints", resume, progress, limit)
    trainer.adapted.save(out, base_name)
    card = {
        "schema": 1,
        "base": base_name,
        "profile": profile.name,
        "questions": {"learnt": len(learnt), "held_out": len(kept)},
        "held_out_loss": min(look.mean for look in looks),
        "data": ["Moral Stories as questions (training part), MIT", "the moral agents' answers"],
        "config": asdict(config),
    }
    write_whole(out / CARD, dump_toml(card))
    return card


def _apart(text: str, share: float) -> bool:
    """Whether a question decides when to stop instead of being learnt from."""
    return hashed_share(f"placet aggregator {text}") < share
