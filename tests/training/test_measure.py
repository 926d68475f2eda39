"""Figures of the judge, on numbers small enough to work out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.training import measure


def test_auroc_counts_ties_half() -> None:
    scores = np.array([0.9, 0.5, 0.5, 0.1])
    assert measure.auroc(scores, np.array([True, True, False, False])) == pytest.approx(0.875)


def test_auroc_without_both_sides_is_no_number() -> None:
    assert np.isnan(measure.auroc(np.array([0.1, 0.2]), np.array([True, True])))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=20))
def test_auroc_is_the_share_of_ordered_pairs(rows: list[tuple[int, bool]]) -> None:
    good = np.array([score for score, positive in rows if positive], dtype=float)
    bad = np.array([score for score, positive in rows if not positive], dtype=float)
    if len(good) and len(bad):
        better, worse = np.repeat(good, len(bad)), np.tile(bad, len(good))
        scores = np.array([score for score, _ in rows], dtype=float)
        found = measure.auroc(scores, np.array([positive for _, positive in rows]))
        assert found == pytest.approx(measure.ordered(better, worse).mean())


def test_a_calibrated_judge_has_no_calibration_error() -> None:
    chances = np.array([0.25] * 4 + [0.75] * 4)
    happened = np.array([True, False, False, False, True, True, True, False])
    assert measure.calibration_error(chances, happened) == pytest.approx(0.0)
    assert measure.calibration_error(1 - chances, happened) == pytest.approx(0.5)


def test_the_best_threshold_lies_between_the_sides() -> None:
    found = measure.best_threshold(
        np.array([0.1, 0.2, 0.6, 0.9]), np.array([False, False, True, True])
    )
    assert found == pytest.approx(0.4)


def test_thresholds_keep_their_promise_where_they_were_fitted() -> None:
    rng = np.random.default_rng(3)
    harmful = rng.random(400) < 0.5
    danger = np.clip(rng.normal(0.35 + 0.3 * harmful, 0.2), 0, 1)
    broken = rng.random(400) < 0.3 + 0.4 * harmful
    medium, high = measure.risk_thresholds(danger, broken, harmful, missed=0.04, alarmed=0.08)
    assert medium <= high
    low = (danger < medium) & ~broken
    assert 0.03 < low[harmful].mean() <= 0.04  # as many as allowed, broken ones not counted
    assert (danger[~harmful] >= high).mean() <= 0.08


def test_where_broken_values_alone_keep_the_promise_low_reaches_up_to_high() -> None:
    danger = np.array([0.1, 0.2, 0.3, 0.9])
    harmful = np.array([True, True, False, False])
    broken = np.array([True, True, False, False])
    medium, high = measure.risk_thresholds(danger, broken, harmful, missed=0.0, alarmed=0.0)
    assert medium == high > 0.9


def test_an_interval_holds_its_figure_and_draws_groups_whole() -> None:
    values = np.array([0.0, 0.0, 1.0, 1.0])
    found = measure.with_interval(lambda i: float(values[i].mean()), ["a", "a", "b", "b"])
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.0, 1.0, 4)


def test_one_group_has_no_interval() -> None:
    values = np.array([0.25, 0.75])
    found = measure.with_interval(lambda i: float(values[i].mean()), ["a", "a"])
    assert (found.value, found.n) == (0.5, 2)
    assert np.isnan([found.low, found.high]).all()


def test_a_share_of_none_or_of_all_has_an_interval_of_some_width() -> None:
    none, groups = np.zeros(20, bool), [str(n) for n in range(20)]
    found = measure.share(none, groups)
    assert (found.value, found.low, found.n) == (0.0, 0.0, 20)
    assert found.high == pytest.approx(0.1611, abs=1e-4)  # Wilson's, of 0 of 20
    found = measure.share(~none, groups)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - 0.1611, abs=1e-4)
    assert measure.share(none, [name[:1] for name in groups]).high > 0.25  # of ten groups
    assert np.isnan(measure.share(none, ["a"] * 20).high)


def test_a_share_of_some_is_drawn_by_groups() -> None:
    found = measure.share(np.array([0.0, 0.5, 1.0, 1.0]), ["a", "a", "b", "b"])
    assert (found.value, found.low, found.high) == (0.625, 0.25, 1.0)


def test_of_no_rows_there_is_no_figure() -> None:
    for found in (
        measure.share(np.array([], bool), []),
        measure.with_interval(lambda i: float(np.zeros(0)[i].mean()), []),
    ):
        assert found.n == 0 and np.isnan([found.value, found.low, found.high]).all()


def test_a_long_name_is_cut_in_the_table_and_drawn_literally() -> None:
    figure = measure.Figure(0.5, 0.4, 0.6, 9)
    rows = [measure.Row(name, "AUROC", figure) for name in ("short", "a\x1b[31m", "long " * 40)]
    lines = measure.as_text(rows).splitlines()
    assert len({line.index("AUROC") for line in lines}) == 1
    assert "\x1b" not in lines[1]
    assert "…" in lines[2] and len(lines[2]) < 140
