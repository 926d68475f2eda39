"""Calibration of a trained judge: what its logits mean, and where LOW ends and HIGH begins.

Everything here is fitted on the calibration split: situations and stories that were not trained on
and are not reported on. Temperature and bias: Guo et al. 2017; harm: Platt 1999.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import structs
from torch import Tensor, nn

from core.domain.danger import Danger, features
from core.domain.verdict import RiskRule
from core.files import dump_toml, write_whole
from core.models.judge_model import CARD, JudgeModel
from core.models.manifest import weights_digest
from core.models.readout import LAYOUT_VERSION, Calibration
from core.training import measure
from core.training.answers import (
    ActionAnswer,
    Answer,
    calibrated,
    corpus_answers,
    decided,
    levels,
    story_answers,
    whole_actions,
)
from core.training.data import Label, Split, corpus_case, split_situations, training_stories
from core.training.examine import evaluate, rates
from core.training.heads_config import HeadsConfig
from core.watch import SILENT, Watch


@dataclass(frozen=True, slots=True)
class CalibrationConfig:
    """What the thresholds promise on the calibration split."""

    missed: float = 0.03
    """At most this share of harmful actions comes out LOW: below `medium`, no value broken."""
    alarmed: float = 0.06
    """At most this share of harmless actions from `high` on, that is HIGH."""
    false_violations: float = 0.1
    """At most this share of values not broken has P(breaks) from `violation` on."""
    corpus_share: float = 0.6
    """Weight of the corpus against Moral Stories when fitting temperature and bias."""
    stories: int = 200
    """How many of the stories kept for calibration are read."""
    neutral_grid: tuple[float, float] = (0.6, 0.8)
    """Bounds of the credit that an unrelated value gets."""


def draft_card(
    config: HeadsConfig, base: Path, base_name: str, begin_digest: str = ""
) -> dict[str, Any]:
    """judge.toml before calibration; `begin_digest` is of the weights that were trained further."""
    return {
        "schema": 1,
        "base": base_name,
        "base_digest": weights_digest(base),
        **({"begin_digest": begin_digest} if begin_digest else {}),
        "layout": LAYOUT_VERSION,
        "config": config.table(),
        "calibration": {},
        "data": {
            "sets": [
                "Moral Stories (train), MIT",
                "Social Chemistry 101 (positive and neutral; foundation labels), CC BY-SA 4.0",
                "MoralChoice (low ambiguity), MIT",
                "SafeText, MIT",
                "PrivacyLens, MIT",
                "ETHICS (deontology and justice), MIT",
                "Placet's own corpus of agents at work, core/training/corpus/judge",
            ],
        },
    }


def fit_respect(
    logits: Tensor, labels: Tensor, weights: Tensor
) -> tuple[float, tuple[float, float, float]]:
    """Temperature and bias by maximum likelihood; logits [n, 3], labels [n], weights [n]."""
    temperature = torch.zeros(1, requires_grad=True)
    bias = torch.zeros(3, requires_grad=True)

    def loss() -> Tensor:
        each = nn.functional.cross_entropy(
            logits / temperature.exp() + bias, labels, reduction="none"
        )
        return (each * weights).sum() / weights.sum() + 1e-3 * bias.pow(2).sum()

    minimise([temperature, bias], loss)
    found = (bias - bias.mean()).detach().tolist()
    return float(temperature.detach().exp()), (found[0], found[1], found[2])


def fit_logistic(
    features: Tensor, happened: Tensor, ridge: float = 1e-2
) -> tuple[list[float], float]:
    """Logistic regression, features [n, k] → (k weights, none negative; bias)."""
    raw = torch.full((features.shape[1],), 0.5, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)

    def weight() -> Tensor:
        return nn.functional.softplus(raw)

    def loss() -> Tensor:
        logit = features @ weight() + bias
        fit = nn.functional.binary_cross_entropy_with_logits(logit, happened)
        return fit + ridge * weight().pow(2).sum()

    minimise([raw, bias], loss)
    return weight().detach().tolist(), float(bias.detach())


def minimise(parameters: list[Tensor], loss: Callable[[], Tensor], rounds: int = 200) -> None:
    """Moves the parameters to where the loss is least: L-BFGS, so many steps at most."""
    optimiser = torch.optim.LBFGS(parameters, max_iter=rounds, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]


def calibrate(judge: JudgeModel, data: Path, corpus: Path, watch: Watch = SILENT) -> JudgeModel:
    """Fit everything on the calibration split; the judge with it, its card filled in."""
    config = CalibrationConfig()
    raw = replace(judge, calibration=Calibration())
    situations = split_situations(corpus, Split.CALIBRATION)
    _, stories = training_stories(data)
    agents = corpus_answers(raw, situations, watch.timed("calibrating"))
    people = [
        a for a in story_answers(raw, stories[: config.stories], seed=1) if a.kind != "unrelated"
    ]
    share = config.corpus_share
    temperature, bias = fit_respect(
        torch.tensor([a.logits for a in agents + people]),
        torch.tensor([a.label.value for a in agents + people]),
        torch.tensor(
            [share / len(agents)] * len(agents) + [(1 - share) / len(people)] * len(people)
        ),
    )
    cases = [corpus_case(one) for one in situations]
    whole = whole_actions(cases, agents)
    harm, harm_bias = fit_logistic(
        torch.tensor([[a.harm_logit] for a in whole]),
        torch.tensor([float(a.harmful) for a in whole]),
        ridge=1e-3,
    )
    fitted = Calibration(
        respect_temperature=temperature,
        respect_bias=bias,
        harm_scale=harm[0],
        harm_bias=harm_bias,
    )
    fitted = replace(fitted, neutral=_neutral(fitted, agents, config))
    scale, bias_of_score = fit_score(fitted, agents)
    fitted = replace(fitted, score_scale=scale, score_bias=bias_of_score)
    whole = whole_actions(cases, calibrated(agents, fitted))
    found = calibrated(agents + people, fitted)
    clear = decided(found)
    respect = measure.best_threshold(
        np.array([a.score for a in clear]), np.array([a.label is Label.KEEPS for a in clear])
    )
    unbroken = [a.chances[Label.BREAKS.value] for a in found if a.label is not Label.BREAKS]
    violation = float(np.quantile(unbroken, 1 - config.false_violations))
    rule = fit_rule(whole, violation, config)
    risks = [risk for risk, _ in levels(rule, whole)]
    card = judge.card | {
        "calibration": asdict(fitted) | {"respect_bias": list(bias)},
        "calibration_config": asdict(config) | {"neutral_grid": list(config.neutral_grid)},
        "danger": {name: getattr(rule, name) for name in Danger.__struct_fields__},
        "thresholds": {
            "respect": respect,
            "violation": violation,
            "medium": rule.med,
            "high": rule.high,
        },
        "calibrated_on": {
            "situations": len(situations),
            "actions": len(whole),
            "stories": min(len(stories), config.stories),
        },
        "on_calibration_split": {
            figure: sum(out) / len(out) for figure, out, _ in rates(whole, risks) if out
        },
    }
    return replace(judge, calibration=fitted, card=card)


def _neutral(fitted: Calibration, agents: Sequence[Answer], config: CalibrationConfig) -> float:
    """The credit for P(unrelated) at which scores of keeps/breaks rows are best calibrated."""
    clear = decided(agents)
    chances = fitted.respect(torch.tensor([a.logits for a in clear])).numpy()
    kept = np.array([a.label is Label.KEEPS for a in clear])
    low, high = config.neutral_grid

    def surprise(neutral: float) -> float:
        score = np.clip(chances[:, 0] + neutral * chances[:, 1], 1e-4, 1 - 1e-4)
        return float(-np.mean(np.where(kept, np.log(score), np.log(1 - score))))

    return min((float(n) for n in np.round(np.arange(low, high + 1e-9, 0.01), 2)), key=surprise)


def fit_score(fitted: Calibration, agents: Sequence[Answer]) -> tuple[float, float]:
    """Scale and bias of the score's log-odds over values that are kept or broken (Platt 1999)."""
    clear = decided(agents)
    odds = torch.logit(fitted.score(torch.tensor([a.logits for a in clear])), 1e-6)
    kept = torch.tensor([float(a.label is Label.KEEPS) for a in clear])
    scale, bias = fit_logistic(odds[:, None], kept, ridge=1e-3)
    return scale[0], bias


def fit_danger(whole: Sequence[ActionAnswer]) -> Danger:
    """Logistic regression of harmful on harm and violations, all values weighing 1."""
    weighed = torch.tensor([features(a.harm, a.breaks, [1.0] * len(a.breaks)) for a in whole])
    (harm, peak, mean), bias = fit_logistic(
        weighed, torch.tensor([float(a.harmful) for a in whole])
    )
    return Danger(harm=harm, peak=peak, mean=mean, bias=bias)


def fit_rule(
    whole: Sequence[ActionAnswer], violation: float, config: CalibrationConfig
) -> RiskRule:
    """Danger, and where LOW ends and HIGH begins, all together: a broken value is no LOW."""
    fitted = fit_danger(whole)
    weighing = RiskRule(**structs.asdict(fitted), med=0.5, high=0.5, violation=violation)
    danger = np.array([number for _, number in levels(weighing, whole)])
    medium, high = measure.risk_thresholds(
        danger,
        np.array([max(a.breaks) >= violation for a in whole]),
        np.array([a.harmful for a in whole]),
        config.missed,
        config.alarmed,
    )
    return structs.replace(weighing, med=medium, high=high)


def finish(
    weights: Path,
    base: Path,
    base_name: str,
    config: HeadsConfig,
    data: Path,
    corpus: Path,
    watch: Watch = SILENT,
    begin_digest: str = "",
) -> list[measure.Row]:
    """After training: calibrate the judge in `weights`, evaluate it, and write its card."""
    write_whole(weights / CARD, dump_toml(draft_card(config, base, base_name, begin_digest)))
    judge = calibrate(JudgeModel.load(base, weights), data, corpus, watch)
    write_whole(weights / CARD, dump_toml(judge.card))
    table = evaluate(judge, data, corpus, watch)
    figures = [
        {"set": row.set, "figure": row.figure}
        | {key: round(getattr(row.value, key), 4) for key in ("value", "low", "high")}
        | {"n": row.value.n}
        | ({"action_only": round(row.action_only.value, 4)} if row.action_only else {})
        for row in table
    ]
    write_whole(weights / CARD, dump_toml(judge.card | {"figures": figures}))
    return table
