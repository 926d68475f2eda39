"""Harm and weighted violations make one number."""

from core.domain.danger import Danger


def test_danger_grows_with_a_violation_and_with_its_weight() -> None:
    danger = Danger(harm=1.0, peak=2.0, mean=1.0, bias=-1.0).of
    assert danger(0.3, [0.9, 0.1], [1, 1]) > danger(0.3, [0.2, 0.1], [1, 1])
    assert danger(0.3, [0.9, 0.1], [1, 1]) > danger(0.3, [0.9, 0.1], [0.1, 1])
    assert danger(0.9, [], []) > danger(0.1, [], [])
