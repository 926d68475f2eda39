"""What is told of an error, ours or one that somebody else raised."""

import pytest

from core.errors import BadInput, reason


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


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BadInput("it is empty"), "it is empty"),
        (BadInput("it is empty", where="a.toml"), "a.toml: it is empty"),
        (BadInput("it is empty", mend="Fill it."), "it is empty. Fill it."),
        (
            BadInput("is it empty?", where="a.toml", mend="Fill it."),
            "a.toml: is it empty? Fill it.",
        ),
        (BadInput("it has\n two lines", mend="Join\nthem."), "it has two lines. Join them."),
    ],
)
def test_all_of_an_error_fits_on_one_line(error: BadInput, told: str) -> None:
    assert error.line == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BadInput("it is empty"), "It is empty."),
        (BadInput("is it empty?"), "Is it empty?"),
        (BadInput("it is empty", where="a.toml"), "a.toml: it is empty."),
        (BadInput("it is empty", mend="Fill it."), "It is empty. Fill it."),
        (BadInput("c3 is approved already"), "c3 is approved already."),
    ],
)
def test_an_error_is_a_sentence_but_names_stand_as_they_are(error: BadInput, told: str) -> None:
    assert error.sentence == told
