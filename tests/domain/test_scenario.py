"""A goal and its context."""

import msgspec
import pytest

from core.domain.scenario import LONGEST_TEXT, HandedIn, Scenario


def test_words_cannot_move_from_the_goal_to_the_context_under_one_digest() -> None:
    one = Scenario(goal="Open accounts", context="in town")
    other = Scenario(goal="Open accounts in town", context="")

    assert one.digest != other.digest
    assert msgspec.structs.replace(one, title="T", candidates=(HandedIn(text="x"),)).digest == (
        one.digest
    )


def test_a_scenario_needs_a_goal_of_a_length_that_can_be_read() -> None:
    with pytest.raises(ValueError, match="the goal is empty"):
        Scenario(goal=" \n")
    with pytest.raises(ValueError, match="context is longer than"):
        Scenario(goal="g", context="x" * (LONGEST_TEXT + 1))
    with pytest.raises(ValueError, match="candidate is empty"):
        HandedIn(text="\t")
