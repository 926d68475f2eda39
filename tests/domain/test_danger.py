"""Harm and weighted violations make one number."""

from math import isnan, nan

from core.domain.danger import Danger, features


def test_danger_grows_with_a_violation_and_with_its_weight() -> None:
    weighing = Danger(harm=1.0, peak=2.0, mean=1.0, bias=-1.0)

    def danger(harm: float, breaks: list[float], weights: list[float]) -> float:
        return weighing.at(*features(harm, breaks, weights))

    assert danger(0.3, [0.9, 0.1], [1, 1]) > danger(0.3, [0.2, 0.1], [1, 1])
    assert danger(0.3, [0.9, 0.1], [1, 1]) > danger(0.3, [0.9, 0.1], [0.1, 1])
    assert danger(0.9, [], []) > danger(0.1, [], [])


def test_coefficients_of_any_size_give_a_probability_and_a_nan_stays_one() -> None:
    assert 0.0 <= Danger(harm=1000.0).at(*features(0.0, [], [])) < 1e-9
    assert Danger(harm=1000.0).at(*features(1.0, [], [])) == 1.0
    assert isnan(Danger(bias=nan).at(*features(0.0, [], [])))
