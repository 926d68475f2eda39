"""Statements turned round: what was praised is blamed, and nothing else is said."""

from random import Random

import pytest

from core.training.norms import Stance, edit_round, parse, permit, reword, turn_rule


@pytest.mark.parametrize(
    ("statement", "stance", "act"),
    [
        ("It's mean to hide a colleague's tools.", Stance.AGAINST, "hide a colleague's tools"),
        ("It is not okay to open other people's post", Stance.AGAINST, "open other people's post"),
        ("It's wrong not to greet visitors.", Stance.FOR, "greet visitors"),
        ("It’s good to water the plants.", Stance.FOR, "water the plants"),
        ("You shouldn't park on the lawn.", Stance.AGAINST, "park on the lawn"),
        ("Nobody should smoke in the archive.", Stance.AGAINST, "smoke in the archive"),
        ("Clerks must sign the ledger.", Stance.FOR, "sign the ledger"),
        ("Tenants are expected to shovel snow.", Stance.FOR, "shovel snow"),
        ("Do not feed the swans.", Stance.AGAINST, "feed the swans"),
        ("Always lock the shed.", Stance.FOR, "lock the shed"),
    ],
)
def test_a_norm_is_taken_apart(statement: str, stance: Stance, act: str) -> None:
    norm = parse(statement)
    assert norm is not None
    assert (norm.stance, norm.act) == (stance, act)


def test_what_no_rule_fits_is_left_alone() -> None:
    assert parse("Letters in green ink.") is None
    assert edit_round("Letters in green ink.", Random(0)) is None
    assert permit("Letters in green ink.", Random(0)) is None


@pytest.mark.parametrize(
    "statement",
    [
        "It's rude to interrupt the choir.",
        "You should thank the driver.",
        "It is not acceptable to skip the queue.",
        "You shouldn't borrow tools unasked.",
        "It's important to label the jars.",
        "Do not lean on the fence.",
        "People are expected to be on time.",
    ],
)
def test_the_edited_statement_takes_the_other_side(statement: str) -> None:
    before = parse(statement)
    assert before is not None
    for seed in range(8):
        edited = edit_round(statement, Random(seed))
        assert edited is not None
        after = parse(edited)
        if after is not None:
            assert after.stance is before.stance.opposite, edited


def test_reworded_statements_take_the_side_asked_for() -> None:
    norm = parse("It's bad to slam doors.")
    assert norm is not None
    for seed in range(40):
        again = parse(reword(norm, Stance.FOR, Random(seed)))
        if again is not None and not again.act.startswith("fail to"):
            assert again.stance is Stance.FOR


def test_a_rule_is_turned_only_where_that_is_sure() -> None:
    assert turn_rule("Never ring customers.", Random(0)) == "Always ring customers."
    assert turn_rule("Never ring customers, whatever they ask.", Random(0)) is None
    assert turn_rule("Letters go out on Fridays.", Random(0)) is None
