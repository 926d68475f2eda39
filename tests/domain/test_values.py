"""Values, their weights and their digest."""

import msgspec
import pytest

from core.domain.values import LONGEST_STATEMENT, Profile, Value
from tests.nouns import (
    CONSENT,
    HONESTY,
    PROFILE,
)


def test_the_weights_of_a_profile_are_the_moral_profile_vector_c() -> None:
    assert PROFILE.weights == {CONSENT: 1.0, HONESTY: 0.5}
    assert [value.id for value in PROFILE.with_weights({CONSENT: 0.0}).active] == [HONESTY]


def test_a_profile_has_the_same_digest_under_other_weights() -> None:
    assert PROFILE.with_weights({CONSENT: 0.1}).digest == PROFILE.digest


def test_a_profile_has_the_same_digest_in_another_order_and_under_another_title() -> None:
    turned = msgspec.structs.replace(PROFILE, values=PROFILE.values[::-1], title="Other", name="o")

    assert turned.digest == PROFILE.digest


@pytest.mark.parametrize("change", [{"statement": "Write to anybody."}, {"id": "consents"}])
def test_a_profile_has_another_digest_once_a_statement_or_an_id_changes(
    change: dict[str, str],
) -> None:
    first = msgspec.structs.replace(PROFILE.values[0], **change)
    changed = msgspec.structs.replace(PROFILE, values=(first, *PROFILE.values[1:]))

    assert changed.digest != PROFILE.digest


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"name": " ", "values": [{"id": "a", "statement": "b"}]}, "the name is empty"),
        ({"name": "p", "values": []}, "there are no values"),
        ({"name": "p", "values": [{"id": "a", "statement": "b"}] * 2}, "'a' stands there twice"),
        (
            {"name": "p", "values": [{"id": "a", "statement": "b", "weight": 0}]},
            "every weight is 0",
        ),
        ({"name": "p", "values": [{"id": "A b", "statement": "b"}]}, "lower-case letters"),
        ({"name": "p", "values": [{"id": "a", "statement": " "}]}, "statement of 'a' is empty"),
        (
            {"name": "p", "values": [{"id": "a", "statement": "b" * (LONGEST_STATEMENT + 1)}]},
            "longer than 600",
        ),
        ({"name": "p", "values": [{"id": "a", "statement": "b", "weight": 1.1}]}, "<= 1.0"),
        ({"name": "p", "values": [{"id": "a", "statement": "b", "weight": -0.1}]}, ">= 0.0"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(table: dict[str, object], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert(table, Profile)


def test_a_value_is_found_by_its_id() -> None:
    assert PROFILE.value(CONSENT) is PROFILE.values[0]
    with pytest.raises(KeyError):
        PROFILE.value("nothing")
    assert Value(id="a", statement="b").weight == 1.0
