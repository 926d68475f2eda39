"""What trainings in steps share."""

from dataclasses import dataclass

from core.models.trees import Node, Tree
from core.training.steps import in_steps, rate_at


@dataclass(frozen=True)
class Sample:
    tree: Tree


def test_the_rate_warms_up_and_falls_and_stays_where_it_came_to() -> None:
    rates = [rate_at(8e-4, 3e-5, step, 40, warmup=4) for step in range(50)]
    assert rates[0] < rates[3] == 8e-4
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[39] < 6e-5
    assert rates[40:] == [3e-5] * 10


def test_neighbours_share_a_step_up_to_its_tokens_and_nothing_makes_no_step() -> None:
    one, two, three = (Sample((Node(tuple(range(length))),)) for length in (4, 5, 2))

    assert in_steps([one, two, three], 9) == [[one, two], [three]]
    assert in_steps([two, one], 3) == [[two], [one]]
    assert in_steps([], 9) == []
