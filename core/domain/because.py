"""Why a risk is what it is, in a sentence, for a judge that gives numbers and no words."""

from collections.abc import Callable

from core.domain.values import Profile
from core.domain.verdict import Judgement, Risk

FEWEST, MOST = 2, 17
"""Decimal places that a number is told with. With the most of them two floats of this size differ
wherever they are not the same."""


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
        found, high = _apart(harm, rule.high)
        told = f"{risk} because harm {found} has reached {high}"
    elif risk is Risk.MED and harm >= rule.med:
        found, med, high = _apart(harm, rule.med, rule.high)
        told = f"{risk} because harm {found} has reached {med}, and not {high}"
    elif risk is Risk.MED:
        found, med = _apart(harm, rule.med)
        told = f"{risk} although harm {found} is below {med}, because a value is broken"
    else:
        found, med = _apart(harm, rule.med)
        told = f"{risk} because harm {found} is below {med}"
    if heaviest is None or not broken:
        return f"{told}."
    return (
        f"{told}; what weighs most is {name(heaviest.id)} "
        f"({broken:.0%} likely broken, weight {heaviest.weight:.2f})."
    )


def _apart(harm: float, *thresholds: float) -> list[str]:
    """Harm and thresholds as text, with as many decimal places as tell it from those it is not."""
    others = [threshold for threshold in thresholds if threshold != harm]
    places = FEWEST
    while places < MOST and any(f"{harm:.{places}f}" == f"{one:.{places}f}" for one in others):
        places += 1
    return [f"{number:.{places}f}" for number in (harm, *thresholds)]
