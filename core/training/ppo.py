"""The one PPO trainer: moral agents and matrix games learn by it.

A *sampler* plays: it asks the policy for replies, finds out what each was worth, and gives rollouts
back (see `core.training.samplers`). The trainer moves the adapter so that replies worth more than
expected become likelier, in clipped steps (Schulman et al. 2017), and pays for every nat by which
they drift from the base model (Ziegler et al. 2019). A reply is one decision: its tokens share its
reward, nothing is discounted.

Under `accelerate launch` every process samples for itself, replies are held against those of all,
gradients are averaged, and the first process writes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from core.training.adapted import Adapted, clipped_step
from core.training.rollouts import Laid, Policy, Rollout, Tokens, lay
from core.training.settings import Count, Natural, Positive, Rate, Share
from core.training.steps import rate_at


@dataclass(frozen=True, slots=True)
class PpoConfig:
    """Every hyper-parameter of a run; written into its folder."""

    seed: int = 1
    steps: Count = 100
    """Updates of the policy, each on fresh samples."""
    rank: Count = 16
    alpha: Count = 32
    first_layer: Natural = 15
    """Lowest layer with an adapter; what lies below is read once and has no backward pass."""
    rate: Rate = 2e-4
    """Learning rate after warming up."""
    rate_left: Share = 1.0
    """Share of it that is left at the last step, come down to along a cosine."""
    warmup_steps: Natural = 5
    weight_decay: Rate = 0.0
    clip: Rate = 1.0
    """Bound of the gradient's norm."""
    passes: Count = 2
    """How often the samples of a step are gone through."""
    ratio_clip: Rate = 0.2
    """How far a token's probability ratio counts, to either side of 1."""
    entropy_bonus: Rate = 0.0
    """Reward of a nat of entropy a token, in units of the scaled advantage."""
    kl_coefficient: Rate = 0.2
    """Price of a nat of drift from the base model at the start, in units of reward."""
    exact_kl: bool = False
    """Charge drift in the loss, exactly over the vocabulary, not in the reward, as sampled: what is
    no longer sampled still pulls back."""
    kl_target: Positive = 6.0
    """Nats a reply that the coefficient aims at."""
    kl_horizon: Positive = 50.0
    """Steps in which the coefficient grows e-fold while the drift is a fifth above its target or
    more; it falls as fast below."""
    kl_stop: Rate = 40.0
    """Nats a reply above which the run has run away."""
    kl_patience: Count = 3
    """So many steps above `kl_stop`, one after the other, end the run."""
    baseline: Literal["prompt", "running"] = "prompt"
    """`prompt`: a reply is held against the others to its prompt. `running`: against what this
    prompt's replies were worth lately, for samplers that come back to a few prompts."""
    memory: Share = 0.9
    """What is left of a running value after one more sample, 0 to 1."""
    scale_floor: Positive = 0.05
    """Advantages are divided by their usual size, but never by less than this."""
    row_length: Count = 640
    """Tokens in a row of a pass, about."""
    samples_per_pass: Count = 64
    """Rollouts read at once: bounds the memory."""
    checkpoint_every: Count = 10
    threads: Count = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """What a step was like; means over its replies, before the update."""

    step: int
    """Counted from 1."""
    steps: int
    reward: float
    kl: float
    """Drift from the base model, nats a reply, exact over the vocabulary at each token."""
    entropy: float
    """Nats a token."""
    length: float
    """Tokens a reply."""
    samples: int
    coefficient: float
    """Price of a nat of drift in this step."""
    clipped: float
    """Share of tokens whose ratio was clipped in the last pass, 0 to 1."""
    seconds: float
    extra: Mapping[str, float] = field(default_factory=dict)
    """Whatever the sampler counts."""


class Baseline:
    """What a reply to a prompt may be expected to be worth, and how far rewards usually stray."""

    def __init__(self, kind: str, memory: float, floor: float) -> None:
        self.kind = kind
        self.memory = memory
        self.floor = floor
        self.values: dict[Tokens, float] = {}
        self.overall: float | None = None
        self.square: float | None = None

    def advantages(self, prompts: Sequence[Tokens], returns: Sequence[float]) -> list[float]:
        """How much better each reply was than expected, in usual sizes; then learns from them."""
        by_prompt: dict[Tokens, list[float]] = {}
        for prompt, value in zip(prompts, returns, strict=True):
            by_prompt.setdefault(prompt, []).append(value)
        if self.overall is None:
            self.overall = _mean(returns)
        raw = [
            value - self._expected(prompt, value, by_prompt[prompt])
            for prompt, value in zip(prompts, returns, strict=True)
        ]
        square = _mean([one * one for one in raw])
        self.square = square if self.square is None else self._moved(self.square, square, 1)
        for prompt, values in by_prompt.items():
            if self.kind == "running":
                before = self.values.get(prompt, self.overall)
                self.values[prompt] = self._moved(before, _mean(values), len(values))
        self.overall = self._moved(self.overall, _mean(returns), 1)
        return [one / self.size for one in raw]

    @property
    def size(self) -> float:
        """How far rewards usually stray, not less than the floor."""
        return max(math.sqrt(self.square or 0.0), self.floor)

    def _expected(self, prompt: Tokens, value: float, alike: Sequence[float]) -> float:
        assert self.overall is not None
        if self.kind == "running":
            return self.values.get(prompt, self.overall)
        others = len(alike) - 1  # leaving the reply itself out, or it would pull itself down
        return (sum(alike) - value) / others if others else self.overall

    def _moved(self, before: float, now: float, samples: int) -> float:
        return now + (before - now) * self.memory**samples

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"values": self.values, "overall": self.overall, "square": self.square}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.values = dict(state["values"])
        self.overall, self.square = state["overall"], state["square"]


class Ppo:
    """A policy, the optimiser of its adapter, its baseline, and the price of drift."""

    def __init__(self, config: PpoConfig, base: Path) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config = config
        self.accelerator = Accelerator()
        self.adapted = Adapted(
            base, config.rank, config.alpha, config.first_layer, self.accelerator.device
        )
        self.policy = Policy(self.adapted, config.row_length)
        self.optimiser = torch.optim.AdamW(
            self.adapted.masters, weight_decay=config.weight_decay, betas=(0.9, 0.98)
        )
        self.baseline = Baseline(config.baseline, config.memory, config.scale_floor)
        self.coefficient = config.kl_coefficient
        self.above = 0
        """Steps above `kl_stop`, one after the other."""

    def generator(self, step: int) -> torch.Generator:
        """What a step of this process draws from: the same one however the run came there."""
        seed = (self.config.seed * 1_000_003 + step) * 1_009 + self.accelerator.process_index
        return torch.Generator().manual_seed(seed)

    def update(self, rollouts: Sequence[Rollout], step: int) -> Figures:
        """Learns from fresh rollouts; `step` counts from 0."""
        began = time.monotonic()
        parts = [
            rollouts[start : start + self.config.samples_per_pass]
            for start in range(0, len(rollouts), self.config.samples_per_pass)
        ]
        laid = [lay(part, self.config.row_length) for part in parts]
        looks = [self._look(one) for one in laid]
        drift = [nats for look, one in zip(looks, laid, strict=True) for nats in look.drift(one)]
        price = 0.0 if self.config.exact_kl else self.coefficient
        returns = [one.reward - price * nats for one, nats in zip(rollouts, drift, strict=True)]
        advantages = self._advantages([one.prompt for one in rollouts], returns)
        tokens = sum(len(one.reply) for one in rollouts)
        clipped = 0.0
        for _ in range(self.config.passes):
            clipped, start = 0.0, 0
            for one, look, part in zip(laid, looks, parts, strict=True):
                share = torch.tensor(advantages[start : start + len(part)])
                loss, beyond = self._loss(one, look, share)
                (loss / tokens).backward()  # type: ignore[no-untyped-call]
                clipped += beyond / tokens
                start += len(part)
            self._step(step)
        kl = sum(float(look.kl.sum()) for look in looks) / len(rollouts)
        entropy = sum(float(look.entropy.sum()) for look in looks) / tokens
        found: dict[str, Any] = self._together(
            {
                "reward": _mean([one.reward for one in rollouts]),
                "kl": kl,
                "entropy": entropy,
                "length": tokens / len(rollouts),
                "clipped": clipped,
            }
        )
        told = Figures(
            step=step + 1,
            steps=self.config.steps,
            samples=len(rollouts) * self.accelerator.num_processes,
            coefficient=self.coefficient,
            seconds=time.monotonic() - began,
            **found,
        )
        self._reprice(told.kl)
        return told

    @property
    def ran_away(self) -> bool:
        """Whether the policy has drifted too far for too long."""
        return self.above >= self.config.kl_patience

    def state(self) -> dict[str, Any]:
        """All that is needed to go on, for a checkpoint."""
        return {
            "masters": [master.detach() for master in self.adapted.masters],
            "optimiser": self.optimiser.state_dict(),
            "baseline": self.baseline.state(),
            "coefficient": self.coefficient,
            "above": self.above,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""
        self.adapted.take(state["masters"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.baseline.restore(state["baseline"])
        self.coefficient, self.above = state["coefficient"], state["above"]

    def _advantages(self, prompts: Sequence[Tokens], returns: Sequence[float]) -> list[float]:
        """Of this process's replies, by a baseline of all processes' that is the same in each."""
        gathered = gather_object([(list(prompts), list(returns))])
        found = self.baseline.advantages(
            [one for told, _ in gathered for one in told],
            [one for _, told in gathered for one in told],
        )
        before = sum(len(told) for told, _ in gathered[: self.accelerator.process_index])
        return found[before : before + len(returns)]

    @torch.no_grad()
    def _look(self, laid: Laid) -> _Look:
        """The policy and the base model on the same replies, before the update."""
        new, base = self.policy.log_probs(laid), self.policy.base_log_probs(laid)
        at, targets = laid.at.to(new.device), laid.targets.to(new.device)
        chances = new.exp()
        return _Look(
            new[at, targets],
            base[at, targets],
            -(chances * new).sum(-1)[at],
            (chances * (new - base)).sum(-1)[at],
        )

    def _loss(self, laid: Laid, look: _Look, advantages: Tensor) -> tuple[Tensor, float]:
        """The clipped loss, summed over tokens, and on how many of them the clip bit."""
        found = self.policy.logits(laid).log_softmax(-1)
        device = found.device
        at, targets = laid.at.to(device), laid.targets.to(device)
        share = advantages.to(device)[laid.owners.to(device)]
        ratio = (found[at, targets] - look.new).exp()
        bound = self.config.ratio_clip
        plain, held = ratio * share, ratio.clamp(1 - bound, 1 + bound) * share
        loss = -torch.minimum(plain, held).sum()
        if self.config.entropy_bonus:
            entropy = -(found.exp() * found).sum(-1)[at]
            loss = loss - self.config.entropy_bonus * entropy.sum()
        if self.config.exact_kl:
            base = self.policy.base_log_probs(laid)
            drift = (found.exp() * (found - base)).sum(-1)[at]
            loss = loss + self.coefficient / self.baseline.size * drift.sum()
        return loss, float((held < plain).sum())

    def _step(self, step: int) -> None:
        self.adapted.collect()
        if self.accelerator.num_processes > 1:
            for master in self.adapted.masters:
                if master.grad is not None:
                    master.grad = self.accelerator.reduce(master.grad, "mean")
        config = self.config
        end = config.rate_left * config.rate
        rate = rate_at(config.rate, end, step, config.steps, config.warmup_steps)
        clipped_step(self.optimiser, self.adapted.masters, config.clip, rate)
        self.adapted.renew()

    def _together(self, figures: dict[str, float]) -> dict[str, Any]:
        """Means over all processes."""
        if self.accelerator.num_processes == 1:
            return figures
        values = torch.tensor(list(figures.values()), device=self.accelerator.device)
        reduced = self.accelerator.reduce(values, "mean").tolist()
        return dict(zip(figures, reduced, strict=True))

    def _reprice(self, kl: float) -> None:
        """Ziegler et al. 2019: drift costs more above its target and less below."""
        error = min(max(kl / self.config.kl_target - 1, -0.2), 0.2)
        self.coefficient *= 1 + error * 5 / self.config.kl_horizon
        self.above = self.above + 1 if kl > self.config.kl_stop else 0


@dataclass(frozen=True, slots=True)
class _Look:
    """Log-probabilities of reply tokens before an update, and how they are spread [tokens]."""

    new: Tensor
    base: Tensor
    entropy: Tensor
    kl: Tensor

    def drift(self, laid: Laid) -> list[float]:
        """How much likelier each reply is than under the base model, in nats."""
        sums = torch.zeros(int(laid.owners[-1]) + 1)
        sums.index_add_(0, laid.owners, (self.new - self.base).cpu())
        return [float(one) for one in sums]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
