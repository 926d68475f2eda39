"""Guesses come from what stood after the same tokens before."""

from core.models.lookup import Lookup


def test_two_tokens_tell_more_than_one_and_the_latest_counts() -> None:
    lookup = Lookup()
    lookup.learn([1, 2, 3, 4, 2, 5])

    assert lookup.guess([1, 2], 1) == [3]  # the pair
    assert lookup.guess([9, 2], 1) == [5]  # only the token: what came last after it
    lookup.learn([1, 2, 7])
    assert lookup.guess([1, 2], 1) == [7]


def test_a_guess_goes_on_from_itself_until_nothing_is_known() -> None:
    lookup = Lookup()
    lookup.learn([1, 2, 3, 4])

    assert lookup.guess([0, 1], 5) == [2, 3, 4]
    assert lookup.guess([0, 1], 2) == [2, 3]
    assert lookup.guess([0, 1], 0) == []
    assert lookup.guess([3, 4], 5) == []


def test_only_what_is_new_is_learnt_but_upon_what_stands_before() -> None:
    lookup = Lookup()
    lookup.learn([1, 2, 3, 4], 3)

    assert lookup.guess([0, 3], 1) == [4]
    assert lookup.guess([2, 3], 1) == [4]
    assert lookup.guess([1, 2], 1) == []
