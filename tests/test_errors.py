"""What is told of an error that somebody else raised."""

import pytest

from core.errors import reason


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no such thing\nat line 3"), "no such thing"),
        (ValueError("\n  late  \nmore"), "late  "),
        (NotImplementedError(), "NotImplementedError"),
        (RuntimeError("x" * 500), "x" * 200),
    ],
)
def test_an_error_is_told_in_a_line_even_if_it_says_nothing(error: Exception, told: str) -> None:
    assert reason(error) == told
