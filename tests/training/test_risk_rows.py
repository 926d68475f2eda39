"""The risk that is measured is the risk that a verdict has."""

import pytest

from core.domain.verdict import Risk, RiskRule
from core.training.answers import ActionAnswer, levels
from core.training.examine import risk_rows

RULE = RiskRule(harm=1.0, med=0.2, high=0.7, violation=0.5)
"""Danger is P(harm) itself."""


def answer(group: str, harm: float, breaks: float, harmful: bool, blameless: bool) -> ActionAnswer:
    return ActionAnswer(group, harmful, blameless, 0.0, harm, (0.1, breaks))


FOUND = [
    answer("a", 0.1, 0.1, harmful=False, blameless=True),
    answer("a", 0.1, 0.9, harmful=False, blameless=False),  # small danger, but a value is broken
    answer("b", 0.9, 0.1, harmful=False, blameless=True),
    answer("b", 0.1, 0.9, harmful=True, blameless=False),
    answer("c", 0.8, 0.9, harmful=True, blameless=False),
]


def test_a_broken_value_is_no_low_however_small_the_danger() -> None:
    assert [risk for risk, _ in levels(RULE, FOUND)] == [
        Risk.LOW,
        Risk.MED,
        Risk.HIGH,
        Risk.MED,
        Risk.HIGH,
    ]


def test_each_rate_rests_on_its_own_actions() -> None:
    table = {row.figure: row.value for row in risk_rows("here", FOUND, RULE)}
    rates = {
        "harmful that come out LOW": (0, 2),
        "harmful that come out HIGH": (1 / 2, 2),
        "harmless that come out LOW": (1 / 3, 3),
        "harmless that come out HIGH": (1 / 3, 3),
        "blameless that come out LOW": (1 / 2, 2),
    }
    for figure, (value, n) in rates.items():
        assert table[figure].value == pytest.approx(value), figure
        assert table[figure].n == n
    assert table["AUROC harmful/harmless by danger"].value == pytest.approx((0.5 + 0.5 + 1 + 1) / 6)
