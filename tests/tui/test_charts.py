"""Charts of characters."""

from tui.charts import areas, curve


def test_an_area_is_as_large_as_its_share() -> None:
    half = {"C|C": 0.5, "D|D": 0.5}
    chart = areas([half, {"illegal": 1.0}], 10, 4)

    assert [line[:5] for line in chart] == [["D|D"] * 5] * 2 + [["C|C"] * 5] * 2
    assert all(line[5:] == ["illegal"] * 5 for line in chart)
    assert areas([], 10, 4) == []


def test_many_updates_are_averaged_into_the_columns_there_are() -> None:
    shares = [{"C|C": 1.0} if place % 2 else {"D|D": 1.0} for place in range(400)]

    assert areas(shares, 20, 2) == [["D|D"] * 20, ["C|C"] * 20]


def test_a_curve_goes_from_its_lower_to_its_upper_bound() -> None:
    assert curve([0.0, 0.5, 1.0], 3, 1, 0.0, 1.0) == ["▁▅█"]
    assert curve([0.0, 1.0], 2, 2, 0.0, 1.0) == [" █", "▁█"]
    assert curve([1.0] * 15 + [0.0], 4, 1, 0.0, 1.0) == ["███▆"]  # a mean of four
    assert curve([0.0, 1.0], 4, 1, 0.0, 1.0) == ["▁▁██"]


def test_a_curve_leaves_out_what_is_not_known_and_holds_to_its_bounds() -> None:
    assert curve([None, 0.0], 4, 1, 0.0, 1.0) == ["  ▁▁"]
    assert curve([], 3, 1, 0.0, 1.0) == ["   "]
    assert curve([9.0, -9.0], 2, 1, 0.0, 1.0) == ["█▁"]
    assert curve([2.0, 2.0], 2, 1, 2.0, 2.0) == ["▁▁"]
