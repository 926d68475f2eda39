"""Proposals: what can be used is kept, what cannot is asked for again, and the rest is told."""

from collections.abc import Sequence

import pytest

from core.errors import Cancelled
from core.models.base import Draft
from core.stages.propose import ROUNDS, action_in, propose, usable
from core.watch import SILENT, AnyNote, Dropped, Growing, Watch, Written
from tests.fakes import FakeModel
from tests.nasty import NASTY
from tests.nouns import SCENARIO

GOOD = (
    "Send each bakery one letter that names every fee.",
    "Invite ten bakers to the branch and answer their questions.",
    "Publish the fees on a page in plain words for everybody.",
)
NO_CALL = "not a whole tool call"
LOOP = "Send it now and " * 12


def cut(text: str) -> Draft:
    return Draft(text, len(text.split()), False)


def proposed(
    model: FakeModel, *, count: int, avoid: Sequence[str] = (), watch: Watch = SILENT
) -> tuple[list[str], str]:
    """The texts in the order of their rows, and the notice."""
    there: dict[int, str] = {}
    notice = propose(
        model, SCENARIO, count=count, seed=7, avoid=avoid, on_round=there.update, watch=watch
    )
    return [there[row] for row in sorted(there)], notice


def test_as_many_are_proposed_as_were_asked_for_in_one_batch() -> None:
    model = FakeModel(GOOD)

    assert proposed(model, count=3) == (list(GOOD), "")
    assert len(model.seeds) == 1
    assert len(set(model.seeds[0])) == 3
    assert len(set(map(id, model.asked))) == 1
    assert SCENARIO.goal in model.asked[0].user


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        (Draft("", 0, True), "empty"),
        (Draft(" \n ", 1, True), "empty"),
        (Draft("Do it.", 2, True), "not an action"),
        (Draft("Sure! Here is one: what now?", 6, True), "not an action"),
        (cut("Send each bakery one letter that names every"), "cut short"),
        (Draft(SCENARIO.goal, 8, True), "an echo of the request"),
        (Draft("Context: " + SCENARIO.context, 8, True), "not an action"),
        (Draft(LOOP + ".", 40, True), "repeating itself"),
        (Draft("Send each bakery one short letter that names every fee.", 9, True), "like another"),
        *(
            (Draft(f'{{"tool": "send_mail", "to": "Ana", "body": "{said}', 20, ended), NO_CALL)
            for said in ("We are sorry.", "We are sorry. Please")
            for ended in (True, False)
        ),
        (Draft('{"tool": "send_mail", "to": Ana, "body": "We are sorry."}', 20, True), NO_CALL),
    ],
)
def test_what_cannot_be_used_is_left_out_and_it_is_said_why(draft: Draft, why: str) -> None:
    assert usable(draft, SCENARIO.request, [GOOD[0]]) == ("", why)


@pytest.mark.parametrize("finished", [True, False])
def test_a_whole_tool_call_is_an_action_whatever_stands_in_its_strings(finished: bool) -> None:
    call = '{"tool": "send_mail", "to": "Ana", "body": "We are sorry. Please wait'

    assert usable(Draft(f'{call}."}}', 20, finished), SCENARIO.request, []) == (f'{call}."}}', "")


def test_a_whole_sentence_survives_though_the_next_was_cut_short() -> None:
    draft = cut(GOOD[0] + " Then ring every bakery which has")

    assert usable(draft, SCENARIO.goal, []) == (GOOD[0], "")


@pytest.mark.parametrize(
    "text",
    [
        "向所有客户发送一封信，说明账户的费用和风险。",
        "すべての顧客に手数料を説明する手紙を送ります。",
        "सभी ग्राहकों को शुल्क समझाने वाला पत्र भेजें।",
        "تمام گاہکوں کو فیس کے بارے میں خط لکھیں۔",
    ],
)
def test_an_action_is_one_in_any_script(text: str) -> None:
    assert usable(cut(text + text[: len(text) // 2]), SCENARIO.request, []) == (text, "")


def test_without_blanks_an_action_is_compared_by_more_than_its_letters() -> None:
    request = (
        "ช่วยให้ลูกค้าสูงอายุเข้าใจค่าธรรมเนียมของบัญชีก่อนสิ้นเดือน ธนาคารมีลูกค้าสามร้อยคน และพนักงานโทรหาได้วันละสิบคน"
    )
    action = "ส่งจดหมายอธิบายค่าธรรมเนียมให้ลูกค้าทุกคน"
    other = "โทรหาลูกค้าสิบคนแล้วอธิบายบัญชี"

    assert usable(Draft(action, 20, True), request, [other]) == (action, "")
    assert usable(Draft(action, 20, True), request, [action])[1] == "like another"


def test_rows_that_came_to_nothing_are_sampled_again_with_other_seeds() -> None:
    model = FakeModel([GOOD[0], "", GOOD[1], GOOD[2]])

    assert proposed(model, count=3) == ([GOOD[0], GOOD[2], GOOD[1]], "")
    assert [len(seeds) for seeds in model.seeds] == [3, 1]
    assert model.seeds[1][0] not in model.seeds[0]


def test_resampling_is_bounded_and_the_notice_says_how_many_are_missing_and_why() -> None:
    model = FakeModel([GOOD[0], "", *["Do it."] * (ROUNDS - 1)])
    notes: list[AnyNote] = []

    texts, notice = proposed(model, count=2, watch=Watch(notes.append))

    assert texts == [GOOD[0]]
    assert notice == "1 of 2 proposals could be used; the others were: not an action"
    assert len(model.seeds) == ROUNDS
    assert not model.drafts
    assert [note for note in notes if isinstance(note, Dropped)] == [
        Dropped(row=1, why="not an action")
    ]
    assert [note.row for note in notes if isinstance(note, Written)] == [0]
    assert Growing(row=0, text=GOOD[0]) in notes


def test_near_duplicates_of_what_is_there_already_are_left_out() -> None:
    model = FakeModel([GOOD[0].upper(), GOOD[0], GOOD[1]])

    assert proposed(model, count=1, avoid=[GOOD[0]])[0] == [GOOD[1]]


def test_a_row_has_its_seed_from_the_seed_and_the_row_only() -> None:
    few, many = FakeModel(GOOD[:2]), FakeModel(GOOD)
    propose(few, SCENARIO, count=2, seed=7)
    propose(many, SCENARIO, count=3, seed=7)
    other = FakeModel(GOOD)
    propose(other, SCENARIO, count=3, seed=8)

    assert many.seeds[0][:2] == few.seeds[0]
    assert not set(other.seeds[0]) & set(many.seeds[0])


def test_cancelling_stops_the_proposing() -> None:
    with pytest.raises(Cancelled):
        propose(FakeModel(GOOD), SCENARIO, count=3, seed=7, watch=Watch(cancelled=lambda: True))


@pytest.mark.parametrize(
    ("draft", "action"),
    [
        ("Action: Write to the bakers.", "Write to the bakers."),
        ("The next action is: Write to the bakers.", "Write to the bakers."),
        ("1. Write to the bakers.", "Write to the bakers."),
        ("- Write to the bakers.", "Write to the bakers."),
        ('"Write to the bakers."', "Write to the bakers."),
        ("Sure, here is one. Write to the bakers.", "Write to the bakers."),
        ("Write to the bakers. Then wait. Then call.", "Write to the bakers. Then wait."),
        ("Write to the bakers. Is that fine?", "Write to the bakers."),
        ("Write to the bakers. Then, if they", "Write to the bakers."),
        ("Write\n  to   the bakers", "Write to the bakers"),
        ('Say "no fees." Then stop.', 'Say "no fees. Then stop.'),
        ('{"tool": "mail", "to": "all"}', '{"tool": "mail", "to": "all"}'),
        ('{"tool": "mail", "to": "all"} Then wait.', '{"tool": "mail", "to": "all"}'),
        ("Answer the letters of all bakers.", "Answer the letters of all bakers."),
        ("Note: the goal is hard. Write to the bakers.", "Write to the bakers."),
        ("给每家面包店写信。然后等待答复。最后打电话。", "给每家面包店写信。然后等待答复。"),
        ("给每家面包店写信。这样好吗？", "给每家面包店写信。"),
        ("给每家面包店写信。然后，如果他们", "给每家面包店写信。"),
    ],
)
def test_the_action_is_found_among_labels_bullets_and_small_talk(draft: str, action: str) -> None:
    assert action_in(draft) == action


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_whatever_a_model_writes_is_used_or_left_out_with_a_reason(text: str) -> None:
    found, why = usable(Draft(text, 5, True), SCENARIO.goal, [])

    assert bool(found) != bool(why)
    assert "\n" not in found
