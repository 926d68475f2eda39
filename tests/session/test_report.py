"""A session told to a reader holds all there is to tell, and nothing that could do harm."""

import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import settings as examples
from markdown_it import MarkdownIt
from msgspec.structs import replace

from core.domain.scenario import Scenario
from core.domain.verdict import Recommendation, Risk
from core.games.lens import lens
from core.session.events import ModelUsed
from core.session.report import ECHO_WARNING, FORMATS, as_json, report
from core.session.session import Session
from core.session.statistics import statistics
from tests.nasty import SPOKEN
from tests.nouns import CALL, CONSENT, HONESTY, LETTER, PROFILE, SCENARIO, judgement
from tests.session.operations import OPERATIONS, Operation, after, judge_current, started

TOLD = ("text", "markdown", "html")
SAFER = "Send each bakery that agreed one letter that names every fee."


class Tags(HTMLParser):
    """Which tags a page holds, and what a reader sees of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.seen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.seen += data


def decided() -> Session:
    """One candidate to take, one re-aligned."""
    session = started(LETTER, CALL)
    judge_current(session, "c1", Risk.LOW, Recommendation.APPROVE)
    session.judged(
        "c2",
        judgement(
            CALL,
            Risk.HIGH,
            scores={CONSENT: 0.12, HONESTY: 0.93},
            scenario=session.state.scenario,
        ),
    )
    session.realigned("c2", SAFER, "fake", "Letters only.")
    judge_current(session, "c2", Risk.LOW, Recommendation.APPROVE)
    session.choose("c1", "LOW risk", {"propose_s": 1.0, "total_s": 2.5})
    return session


@pytest.mark.parametrize("format", TOLD)
def test_a_report_holds_goal_values_verdicts_difference_models_settings_and_timings(
    format: str,
) -> None:
    told = report(decided(), format, lens).replace("\\", "").replace("\n", " ")

    for part in (
        SCENARIO.goal,
        SCENARIO.context,
        PROFILE.values[0].statement,
        LETTER,
        CALL,
        SAFER,
        "HIGH",
        "0.12",
        "at stake",
        "r·c",
        "Letters only.",
        "policy: fake",
        "seed: 7",
        "total 2.5 s",
        "last digest",
    ):
        assert part in told, part
    assert "that agreed" in told.partition("Difference")[2][:300]


def test_the_json_report_is_laid_out_as_promised() -> None:
    told = json.loads(report(decided(), "json", lens))

    assert set(told) >= {
        "schema", "goal", "context", "seed", "models", "settings", "timings", "profile",
        "candidates", "plan",
    }  # fmt: skip
    assert told["schema"] == 1
    assert told["seed"] == 7
    assert told["timings"]["total_s"] == 2.5
    assert [set(value) for value in told["profile"]["values"]] == [
        {"id", "statement", "weight"}
    ] * 2
    first, second = told["candidates"]
    assert set(first) >= {"id", "text", "origin", "verdict", "aligned"}
    assert first["aligned"] is None
    assert first["current"]["text"] == first["text"]
    now = second["current"]
    assert (now["text"], now["verdict"]) == (SAFER, second["aligned"]["verdict"])
    assert (second["text"], second["aligned"]["text"]) == (CALL, SAFER)
    assert (second["verdict"]["risk"], second["aligned"]["verdict"]["risk"]) == ("HIGH", "LOW")
    assert set(second["verdict"]) >= {
        "risk", "risk_probability", "harm", "scores", "alignment", "recommendation", "issues",
    }  # fmt: skip
    assert second["verdict"]["issues"][0]["value"] == CONSENT
    assert told["plan"]["candidate"] == "c1"
    assert told["plan"]["verdict"]["recommendation"] == "approve"


def test_a_seed_that_nobody_noted_is_null_in_json() -> None:
    session = Session.start(PROFILE, SCENARIO)

    assert json.loads(report(session, "json", lens))["seed"] is None


def test_the_json_report_says_why_as_every_other_does() -> None:
    session = started(LETTER, CALL)
    session.failed("propose", "1 of 4 proposals could be used")
    session.failed("judge", "it comes to 900 tokens", "c1")
    session.note("The board meets on Friday.")
    session.note("Ask Ben.", "c2")
    session.reject("c2", "Nobody is rung at night.")
    session.choose("", "nothing could be judged")

    told = json.loads(report(session, "json", lens))

    assert told["notes"] == [
        "propose: 1 of 4 proposals could be used",
        "The board meets on Friday.",
    ]
    first, second = told["candidates"]
    assert (first["reason"], first["trouble"], first["notes"]) == (
        "", "it comes to 900 tokens", [],
    )  # fmt: skip
    assert first["current"]["verdict"]["risk"] == "UNJUDGED"
    assert (told["plan"], told["plan_why"]) == (None, "nothing could be judged")
    assert (second["reason"], second["trouble"], second["notes"]) == (
        "Nobody is rung at night.", "", ["Ask Ben."],
    )  # fmt: skip


def test_the_json_report_says_what_was_asked_for_and_what_the_judge_said() -> None:
    session = decided()
    told = judgement(LETTER, scenario=session.state.scenario)
    session.judged("c1", replace(told, explanation="It names the fees."))
    session.choose("c1", "it is best")

    found = as_json(session, lens)

    first, second = found["candidates"]
    assert first["verdict"]["explanation"] == "It names the fees."
    assert "explanation" not in second["verdict"]
    assert first["current"]["guidance"] == ""
    assert second["aligned"]["guidance"] == second["current"]["guidance"] == "Letters only."
    assert found["plan_why"] == "it is best"


def test_without_a_plan_every_format_says_so_and_why() -> None:
    session = started(CALL)
    judge_current(session, "c1", Risk.HIGH, Recommendation.REJECT)
    session.choose("", "the judge would approve none of the candidates")

    for kind in TOLD:
        assert "There is no plan: the judge would approve none" in report(session, kind, lens)
    assert as_json(session, lens)["plan"] is None


@pytest.mark.parametrize("format", TOLD)
def test_a_stage_that_gave_less_than_asked_for_is_told_of(format: str) -> None:
    session = decided()
    session.failed("propose", "1 of 4 proposals could be used; the others were: empty")

    assert "propose: 1 of 4 proposals could be used" in report(session, format, lens)


@pytest.mark.parametrize("format", TOLD)
def test_the_stand_in_announces_itself_in_every_report(format: str) -> None:
    session = Session.start(PROFILE, SCENARIO, models={"judge": ModelUsed(name="echo")})

    told = report(session, format, lens)

    assert ECHO_WARNING.replace("`", "") in told.replace("`", "").replace("\\", "")
    assert "stand-in without weights" not in report(decided(), format, lens)


@pytest.mark.parametrize("format", TOLD)
@pytest.mark.parametrize("text", SPOKEN, ids=range(len(SPOKEN)))
def test_text_from_anywhere_is_drawn_literally_in_reports(text: str, format: str) -> None:
    session = started(text)
    session.edit("c1", "x" + text[:50])
    session.reject("c1", text)
    session.note(text)
    session.note(text, "c1")

    told = report(session, format, lens)

    for char in told:
        category = unicodedata.category(char)
        assert char == "\n" or category not in ("Cc", "Cs", "Cn", "Co"), (char, format)
        assert category != "Cf" or char in "\u00ad\u200c\u200d"
    if format == "html":
        page = Tags()
        page.feed(told)
        assert not page.tags & {"script", "img", "a", "iframe"}


def test_html_shows_markup_as_text() -> None:
    session = started("<script>alert(1)</script> & <img src=x onerror=y>")

    page = Tags()
    page.feed(report(session, "html", lens))

    assert "<script>alert(1)</script> & <img src=x onerror=y>" in page.seen
    assert not page.tags & {"script", "img"}


def drawn(session: Session) -> tuple[list[str], str]:
    """The tags of the Markdown report as a browser would get it, in order, and what is seen."""
    page = MarkdownIt("commonmark").enable("table").render(report(session, "markdown", lens))
    tags = Tags()
    tags.feed(page)
    return re.findall(r"<\w+", page), tags.seen


@pytest.mark.parametrize(
    "text",
    [
        "Approve\n---", "Approve\n===", "Approve\n:-", "- one", "+ one", "-", "1. one", "2) one",
        "3.", "    four", "\tone", "&rlm;one", "&lt;b&gt;", "&#42;", "1.5 hours", "2026-01-02",
    ],
)  # fmt: skip
def test_markdown_draws_a_text_literally_whatever_its_lines_begin_with(text: str) -> None:
    def told(text: str) -> Session:
        session = started(text)
        session.set_scenario(Scenario(goal=text))
        session.note(text)
        return session

    tags, seen = drawn(told(text))

    assert tags == drawn(told("Write."))[0]
    for line in text.split("\n"):
        assert seen.count(line.strip()) >= 3


def test_markdown_draws_a_difference_on_one_line_though_lines_were_joined() -> None:
    def joined(word: str) -> Session:
        session = started(f"One\n\n{word} two")
        session.edit("c1", f"One {word} two")
        return session

    assert drawn(joined("-"))[0] == drawn(joined("Write"))[0]


def test_markdown_escapes_what_would_be_markup() -> None:
    told = report(started("# Heading\n| a | **b** | [x](y) <b> `c`"), "markdown", lens)

    assert "\\# Heading" in told
    assert "\\| a \\| \\*\\*b\\*\\* \\| \\[x\\](y) \\<b\\> \\`c\\`" in told


@given(OPERATIONS)
@examples(max_examples=30)
def test_any_session_can_be_told_in_every_format(operations: list[Operation]) -> None:
    session = after(operations)

    for kind in FORMATS:
        assert report(session, kind, lens).endswith("\n")


# Statistics


def test_statistics_count_what_stands_and_how_often_the_judge_was_overruled() -> None:
    session = started("one", "two", "three", "four")
    for candidate, risk, advice in (
        ("c1", Risk.LOW, Recommendation.APPROVE),
        ("c2", Risk.HIGH, Recommendation.REJECT),
        ("c3", Risk.LOW, Recommendation.APPROVE),
    ):
        judge_current(session, candidate, risk, advice)
    session.approve("c1", seconds=4)
    session.approve("c2", "The board agreed.", seconds=8)
    session.reject("c3", "Not today.", blind=True, seconds=6)
    session.reject("c4", "Never judged.")
    session.defer("c4")
    session.reject("c4", "A mistake.")
    session.undo()

    found = statistics(session.records)

    assert (found.decisions, found.approved, found.rejected, found.undone) == (4, 2, 2, 1)
    assert (found.all.decisions, found.all.agreed) == (3, 1)
    assert (found.open.share, found.blind.share, found.sway) == (0.5, 0.0, 0.5)
    assert found.overrides_by_risk == {Risk.HIGH: 1, Risk.LOW: 1}
    assert found.overrides == 2
    assert found.decided_by_risk == {Risk.LOW: 2, Risk.HIGH: 1, Risk.UNJUDGED: 1}
    assert (found.median_seconds, found.total_seconds) == (6, 18)


def test_kappa_is_agreement_beyond_chance() -> None:
    session = started("one", "two", "three", "four")
    for candidate, risk, advice in (
        ("c1", Risk.LOW, Recommendation.APPROVE),
        ("c2", Risk.LOW, Recommendation.APPROVE),
        ("c3", Risk.HIGH, Recommendation.REJECT),
        ("c4", Risk.HIGH, Recommendation.REJECT),
    ):
        judge_current(session, candidate, risk, advice)
    session.approve("c1")
    session.reject("c2", "No.")
    session.reject("c3", "No.")
    session.reject("c4", "No.")

    # observed 3/4; by chance 1/4·1/2 + 3/4·1/2 = 1/2
    assert statistics(session.records).all.kappa == pytest.approx(0.5)


def test_statistics_of_no_decisions_are_undefined_and_not_zero() -> None:
    found = statistics(started(LETTER).records)

    assert (found.all.share, found.all.kappa, found.median_seconds, found.sway) == (
        None, None, None, None,
    )  # fmt: skip
