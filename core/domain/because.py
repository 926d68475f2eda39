"""Why a risk is what it is, in a sentence, for a judge that gives numbers and no words."""

from collections.abc import Callable

from core.domain.values import Profile
from core.domain.verdict import Judgement, Risk


def because(judgement: Judgement, profile: Profile, name: Callable[[str], str] = str) -> str:
    """What the risk rests on: which threshold was met, and which value weighs most.

    Empty where the judge answered by itself (`Judgement.rule` is not used then), or the judgement
    is about other values. `name` writes a value's id out.
    """
    rule, weights = judgement.rule, profile.weights
    if rule is None or judgement.risk or judgement.scores.keys() != weights.keys():
        return ""
    risk, harm = rule.level(judgement.harm, judgement.breaks, weights)
    heaviest = max(
        profile.active,
        key=lambda value: value.weight * judgement.breaks.get(value.id, 0.0),
        default=None,
    )
    broken = judgement.breaks.get(heaviest.id, 0.0) if heaviest else 0.0
    if risk is Risk.HIGH:
        told = f"{risk} because harm {harm:.2f} has reached {rule.high:.2f}"
    elif risk is Risk.MED and harm >= rule.med:
        told = f"{risk} because harm {harm:.2f} has reached {rule.med:.2f}, and not {rule.high:.2f}"
    elif risk is Risk.MED:
        told = f"{risk} although harm {harm:.2f} is below {rule.med:.2f}, because a value is broken"
    else:
        told = f"{risk} because harm {harm:.2f} is below {rule.med:.2f}"
    if heaviest is None or not broken:
        return f"{told}."
    return (
        f"{told}; what weighs most is {name(heaviest.id)} "
        f"({broken:.0%} likely broken, weight {heaviest.weight:.2f})."
    )
