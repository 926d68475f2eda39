"""The contextual aggregator: an adapter that makes one answer of a profile and agents' answers.

After CMVA-GS (IBM Research 2024): cross-entropy on people's reference answers, the input being the
question, the profile vector and what each moral agent said. Where nobody said what an answer speaks
for, all values count alike. Then, beyond the paper, PPO for what the profile asks (see `serving`).
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
from core.training.agents import Scorer, sentence_ends
from core.training.data import hashed_share
from core.training.ppo import Figures, Ppo, PpoConfig
from core.training.ppo_run import LAST as PPO_LAST
from core.training.ppo_run import train as reinforce
from core.training.questions import Question
from core.training.replies import Sample, prompt_tokens, sample
from core.training.samplers import PromptSampler
from core.training.serving import ServingReward, Wanted
from core.training.settings import Count, Rate
from core.training.sft import Held, SftConfig, Trainer, begin, learn, see_held_out
from core.training.steps import Report
from core.training.writer import Writer

CARD = "aggregator.toml"
ANSWERS = "answers.jsonl"
TAUGHT = "taught"
"""Folder of the adapter as cross-entropy leaves it, with its checkpoints."""


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
    prompts_per_step: Count = 8
    replies_per_prompt: Count = 4
    max_tokens: Count = 40
    closeness: Rate = 0.6
    """Weight of closeness to the person's answer (Jaccard, of words) beside `r·c`."""
    ppo: PpoConfig = field(
        default_factory=lambda: PpoConfig(
            steps=40,
            rank=8,
            alpha=16,
            first_layer=6,
            rate=5e-4,
            rate_left=0.1,
            kl_coefficient=0.003,  # rewards lie about 0 to 1
            kl_target=25.0,
            kl_stop=150.0,  # it begins far from the base model
            row_length=512,
            checkpoint_every=5,
            threads=1,
        )
    )
    """`rank`, `alpha` and `first_layer` have to be those of `sft`: it goes on with that adapter."""


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


def turned(profile: Profile) -> list[Profile]:
    """The profile with each value alone, all alike, and falling weights from each value on."""
    ids = [value.id for value in profile.values]
    alone = [{one: float(one == name) for one in ids} for name in ids]
    alike = [dict.fromkeys(ids, 1.0)]
    falling = [
        {one: round(1 - (place - first) % len(ids) / len(ids), 2) for place, one in enumerate(ids)}
        for first in range(len(ids))
    ]
    return [profile.with_weights(weights) for weights in (*alone, *alike, *falling)]


def _said(answers: Mapping[str, Sequence[str]], place: int) -> dict[str, str]:
    """By value id what was answered to the question at that place, where anything was."""
    return {who: texts[place] for who, texts in answers.items() if texts[place]}


def samples(
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Question],
    answers: Mapping[str, Sequence[str]],
    profile: Profile,
) -> list[Sample]:
    """Each question with profile and answers, and the reference to learn."""
    made = []
    for place, one in enumerate(questions):
        said = _said(answers, place)
        prompt = prompts.synthesis(one.text, profile_of(one, profile), said)
        made.append(sample(tokenizer, [(prompt, one.answer)]))
    return made


def wanted(
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Question],
    answers: Mapping[str, Sequence[str]],
    profile: Profile,
) -> dict[tuple[int, ...], Wanted]:
    """By prompt: each question under the profile its answer speaks for, and turned to another."""
    many = turned(profile)
    made = {}
    for place, one in enumerate(questions):
        said = _said(answers, place)
        for turn in (profile_of(one, profile), many[place % len(many)]):
            prompt = prompts.synthesis(one.text, turn, said)
            made[tuple(prompt_tokens(tokenizer, prompt))] = Wanted(one, turn)
    return made


def train(
    config: AggregatorConfig,
    questions: Sequence[Question],
    answers: Answers,
    agents: Mapping[str, str],
    profile: Profile,
    judge: Scorer,
    base: Path,
    out: Path,
    base_name: str,
    *,
    resume: bool = False,
    progress: Report = lambda _: None,
    updated: Callable[[Figures], None] = lambda _: None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Trains the adapter by cross-entropy, then by PPO, and gives the card.

    Cross-entropy keeps the adapter with the lowest held-out loss in `out / TAUGHT`, where PPO takes
    it up. `limit` bounds the steps of an epoch. With `resume` it goes on from the last checkpoint,
    by the same `agents`, the digests of their adapters by value id: nobody is asked before that is
    seen to.

    Raises:
        BadInput: no question is held out, or a resumed training was begun with something else.
    """
    settings = config.sft
    asked = chosen(questions, config.questions, settings.seed)
    apart = [_apart(one.text, settings.held_out) for one in asked]
    see_held_out(
        "sft.held_out",
        "Raise the share, or bring more questions.",
        questions=[one for one, away in zip(asked, apart, strict=True) if away],
    )
    about = {"profile": profile.digest, "weights": dict(profile.weights), "agents": dict(agents)}
    about |= {name: told for name, told in asdict(config).items() if name not in ("ppo", "sft")}
    begin(out / TAUGHT / "checkpoints", settings, resume, limit, about)
    if not resume:
        (out / PPO_LAST).unlink(missing_ok=True)  # an earlier training's is not to be taken up
    said = answers([one.text for one in asked])
    tokenizer = AutoTokenizer.from_pretrained(base)
    made = samples(tokenizer, asked, said, profile)
    learnt = [one for one, away in zip(made, apart, strict=True) if not away]
    kept = [one for one, away in zip(made, apart, strict=True) if away]
    loss = _teach(settings, learnt, kept, base, out / TAUGHT, base_name, resume, progress, limit)

    places = [place for place, away in enumerate(apart) if not away]
    reward = ServingReward(
        judge,
        config.closeness,
        tokenizer,
        wanted(
            tokenizer,
            [asked[place] for place in places],
            {who: [texts[place] for place in places] for who, texts in said.items()},
            profile,
        ),
        sentence_ends(tokenizer),
    )
    trainer = Ppo(config.ppo, base)
    trainer.adapted.load(out / TAUGHT)
    sampler = PromptSampler(
        list(reward.wanted),
        reward,
        prompts_per_step=config.prompts_per_step,
        replies_per_prompt=config.replies_per_prompt,
        max_tokens=config.max_tokens,
        ends=reward.ends,
        writer=Writer(base, trainer.adapted),
    )
    outcome = reinforce(trainer, sampler, out, base_name, resume, updated, about=about)
    card = {
        "schema": 1,
        "base": base_name,
        "profile": profile.name,
        "questions": {"learnt": len(learnt), "held_out": len(kept)},
        "held_out_loss": loss,
        "steps": outcome.steps,
        "ran_away": outcome.ran_away,
        "data": ["Moral Stories as questions (training part), MIT", "the moral agents' answers"],
        "config": asdict(config),
    }
    if trainer.accelerator.is_main_process:
        write_whole(out / CARD, dump_toml(card))
    return card


def _teach(
    config: SftConfig,
    learnt: Sequence[Sample],
    kept: Sequence[Sample],
    base: Path,
    out: Path,
    base_name: str,
    resume: bool,
    progress: Report,
    limit: int | None,
) -> float:
    """Cross-entropy on people's answers; the lowest loss on the questions kept apart."""
    trainer = Trainer(config, base)

    def shuffled(rng: Random) -> list[Sample]:
        order = list(learnt)
        rng.shuffle(order)
        return order

    def look() -> Held:
        found = trainer.loss_on(kept)
        return Held(found, found)

    looks = learn(trainer, shuffled, look, out / "checkpoints", resume, progress, limit)
    trainer.adapted.save(out, base_name)
    return min(look.mean for look in looks)


def _apart(text: str, share: float) -> bool:
    """Whether a question decides when to stop instead of being learnt from."""
    return hashed_share(f"placet aggregator {text}") < share
