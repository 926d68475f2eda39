"""How an action's harm and its weighted violations make one number.

A logistic regression: it is fitted where a judge is calibrated, and computed anew, without the
model, after every change of a weight.
"""

from collections.abc import Collection, Iterable
from math import exp, log
from operator import mul

from msgspec import Struct

_LEAST = -700.0
"""Log-odds below which the exponential would overflow."""


class Danger(Struct, frozen=True, kw_only=True):
    """The fitted coefficients.

    danger = σ(harm · logit P(harm) + peak · max_v c_v P(breaks v)
    + mean · Σ c_v P(breaks v) / Σ c_v + bias), over values v with their weights c.
    """

    harm: float = 1.0
    peak: float = 0.0
    mean: float = 0.0
    bias: float = 0.0

    def at(self, logit_harm: float, peak: float, mean: float) -> float:
        """What `features` gives → danger, 0 to 1."""
        found = self.harm * logit_harm + self.peak * peak + self.mean * mean + self.bias
        return 1 / (1 + exp(-max(found, _LEAST)))  # `found` first: a NaN stays one


def features(
    harm: float, breaks: Iterable[float], weights: Collection[float]
) -> tuple[float, float, float]:
    """What `Danger` weighs: logit of the harm, worst weighted violation, weighted mean."""
    weighed = list(map(mul, weights, breaks))
    total = sum(weights)
    return logit(harm), max(weighed, default=0.0), sum(weighed) / total if total else 0.0


def logit(probability: float) -> float:
    """The log-odds, finite though it be 0 or 1."""
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return log(bounded / (1 - bounded))
