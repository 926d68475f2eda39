"""What trainings in steps share."""

from core.training.steps import rate_at


def test_the_rate_warms_up_and_falls_and_stays_where_it_came_to() -> None:
    rates = [rate_at(8e-4, 3e-5, step, 40, warmup=4) for step in range(50)]
    assert rates[0] < rates[3] == 8e-4
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[39] < 6e-5
    assert rates[40:] == [3e-5] * 10
