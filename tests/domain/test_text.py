"""Text that nobody here wrote is bounded, drawn literally and told apart by its digest."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.diff import MOST, Change, word_diff
from core.domain.text import (
    digest,
    first_sentences,
    first_whole,
    is_call,
    plain,
    storable,
    tidy,
    words,
)
from tests.nasty import NASTY

ANY_TEXT = st.one_of(st.sampled_from(NASTY), st.text(max_size=200))


@pytest.mark.parametrize("one_line", [False, True])
@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_text_is_drawn_without_control_or_override_characters(text: str, one_line: bool) -> None:
    drawn = plain(text, one_line=one_line)

    allowed = "" if one_line else "\n"
    for char in drawn:
        assert char in allowed or unicodedata.category(char) not in ("Cc", "Cs", "Cn", "Co")
        assert unicodedata.category(char) != "Cf" or char in "\u00ad\u200c\u200d"


def test_what_is_taken_out_of_a_text_leaves_a_visible_mark() -> None:
    assert plain("abc\u202egnp.exe") == "abc\ufffdgnp.exe"
    assert plain("\x1b[2J") == "\ufffd[2J"


def test_what_cannot_be_seen_leaves_a_mark_too() -> None:
    hidden = "".join(chr(0xE0100 + ord(char)) for char in "and wire them all")
    assert plain(f"Send a sheet.{hidden}").count("\ufffd") == len(hidden)
    for char in "\u034f\u115f\u1160\u3164\uffa0\ufe0f\u180b":
        assert plain(f"Send{char}") == "Send\ufffd"
    piled = plain("z" + "\u0335" * 40)
    assert piled.count("\u0335") == 6 and piled.count("\ufffd") == 34


def test_scripts_emoji_and_markup_stay_as_they_were_written() -> None:
    for text in (
        "مرحبا بالعالم",
        "👩‍👩‍👧‍👦 🏳️‍🌈 1️⃣ ☎️ ⚠️",
        "漢字かな交じり文 葛\U000e0100城",
        "[bold]not bold[/bold]",
    ):
        assert plain(text) == text


def test_all_line_breaks_are_one_kind_and_tabs_are_spaces() -> None:
    assert plain("a\r\nb\rc\u2028d\te") == "a\nb\nc\nd    e"
    assert plain("a\r\nb", one_line=True) == "a b"


@given(ANY_TEXT)
def test_any_text_can_be_stored_and_keeps_its_digest(text: str) -> None:
    stored = storable(text)

    assert stored.encode("utf-8").decode("utf-8") == stored
    assert digest(stored) == digest(text)
    assert storable(stored) == stored


@given(st.text(max_size=40), st.text(max_size=40))
def test_texts_share_a_digest_only_if_they_are_the_same(one: str, other: str) -> None:
    assert (digest(one) == digest(other)) == (storable(one) == storable(other))


def test_a_trailing_space_makes_another_digest() -> None:
    assert digest("Write to them.") != digest("Write to them. ")


@given(ANY_TEXT, ANY_TEXT)
def test_a_word_difference_holds_both_texts_in_full(before: str, after: str) -> None:
    if max(len(before), len(after)) > 2000:
        before, after = before[:500], after[:500]
    runs = word_diff(before, after)

    assert "".join(text for change, text in runs if change is not Change.ADDED) == before
    assert "".join(text for change, text in runs if change is not Change.REMOVED) == after


def test_a_difference_of_long_texts_that_share_only_blanks_takes_no_time() -> None:
    one, other = (" ".join(f"{word}{n}" for n in range(1500)) for word in ("old", "new"))
    began = time.monotonic()
    runs = word_diff(one, other)
    assert time.monotonic() - began < 3  # a minute and more where every blank is tried
    assert "".join(text for change, text in runs if change is not Change.ADDED) == one


def test_a_difference_of_longer_texts_than_can_be_compared_while_drawing_is_all_of_both() -> None:
    def text(step: int) -> str:
        return " ".join(f"{number * step % 60:02}" for number in range(MOST + 1))

    assert word_diff(text(7), text(11)) == (
        (Change.REMOVED, text(7)),
        (Change.ADDED, text(11)),
    )
    assert word_diff(text(7), text(7)) == ((Change.SAME, text(7)),)
    shorter = text(7).rpartition(" ")[0]
    assert word_diff(shorter, shorter + "0")[0][0] is Change.SAME


def test_a_word_difference_goes_word_by_word() -> None:
    found = word_diff("Ring every bakery tonight.", "Ring every bakery tomorrow.")
    assert [*found] == [
        (Change.SAME, "Ring every bakery "),
        (Change.REMOVED, "tonight."),
        (Change.ADDED, "tomorrow."),
    ]


@pytest.mark.parametrize(
    ("text", "count", "first"),
    [
        ("Send a letter. Then wait.", 1, "Send a letter."),
        ("Send a letter. Then wait. Then call.", 2, "Send a letter. Then wait."),
        ("Send a letter", 1, ""),
        ("Send a letter. Then", 2, ""),
        ("Ask Dr. Weber first. Then send it.", 1, "Ask Dr. Weber first."),
        ("Charge 2.50 a month. No more.", 1, "Charge 2.50 a month."),
        ("Offer rewards, e.g. tea. Then stop.", 1, "Offer rewards, e.g. tea."),
        ('Say "we waive it." Then do so.', 1, 'Say "we waive it."'),
        ("Really?! Yes.", 1, "Really?!"),
        ("写信给他们。然后等。", 1, "写信给他们。"),
        ("他们说：「好。」然后等。", 1, "他们说：「好。」"),
        ("真的！？是。", 1, "真的！？"),
        ("写信给他们，然后", 1, ""),
        ("पत्र भेजें। फिर रुकें।", 1, "पत्र भेजें।"),
        ("", 1, ""),
    ],
)
def test_the_first_sentences_are_found_whole(text: str, count: int, first: str) -> None:
    assert first_sentences(text, count) == first


def test_a_full_stop_at_the_end_of_a_growing_text_may_yet_be_a_decimal_point() -> None:
    assert first_sentences("Charge 2.", 1, open_ended=True) == ""
    assert first_sentences("Charge 2. ", 1, open_ended=True) == "Charge 2."


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (" Write. Ring", "Write."),
        ("Write.", ""),
        (' {"tool": "mail", "text": "It is due. Ple', ""),
        (' {"text": "It is \\"due\\". }"}', '{"text": "It is \\"due\\". }"}'),
        ('{"args": {"to": "all. "}} Then', '{"args": {"to": "all. "}}'),
        ("{tool: mail} Then ring. More", ""),
        ('{"a": ' * 9000, ""),
        ("[Ann] rings. More", "[Ann] rings."),
        ('Action: {"text": "It is due. Ple', ""),
        ('Action: {"text": "It is due. "} Then', 'Action: {"text": "It is due. "}'),
        ("1. ", ""),
        ('1. {"text": "It is due. "} Then', '1. {"text": "It is due. "}'),
        ("Step 1. Write. Ring", "Step 1. Write."),
    ],
)
def test_what_may_go_on_ends_with_a_sentence_or_with_the_call_that_it_is(
    text: str, whole: str
) -> None:
    assert first_whole(text, 1) == whole


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ('{"tool": "mail"}', True),
        (' {"tool": {"a": [1]}}\n', True),
        ("{}", True),
        ("", False),
        (" ", False),
        ('\u00a0{"tool": "mail"}', False),
        ('{"tool": "mail"} Then', False),
        ('{"tool": "mail"', False),
        ("[1]", False),
        ("1", False),
        ('{"a": ' * 9000 + "1" + "}" * 9000, False),
    ],
)
def test_a_call_is_one_whole_json_object_and_nothing_else(text: str, call: bool) -> None:
    assert is_call(text) is call


@given(ANY_TEXT)
def test_tidy_text_is_one_line_with_single_spaces(text: str) -> None:
    tidied = tidy(text)

    assert tidied == " ".join(tidied.split(" ")).strip(" ")
    assert not set(tidied) & set("\n\r\t\u2028\x85")
    assert words(tidied) == words(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't ring_2 all über-all, ёлка", "don t ring_2 all über all ёлка"),
        ("用Excel写信，2024年", "用 excel 写 信 2024 年"),
        ("カタカナと漢字", "カ タ カ ナ と 漢 字"),
        ("ถนนยาว", "ถ น น ย า ว"),
        ("모든 고객에게 편지", "모든 고객에게 편지"),
    ],
)
def test_where_no_blank_stands_between_words_each_letter_is_one(text: str, found: str) -> None:
    assert words(text) == found.split()
