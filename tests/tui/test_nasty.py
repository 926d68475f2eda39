"""Text that must do no harm: in every place where text of others is drawn."""

import pytest
from textual.widgets import TextArea

from core.domain.candidate import Origin, Source
from core.domain.scenario import Scenario
from core.domain.text import digest, plain
from core.domain.values import Profile, Value
from core.domain.verdict import Judgement, RiskRule
from core.engine.protocol import Propose, Trouble
from core.session.events import ModelUsed
from core.session.session import Session
from core.watch import Growing
from tests.nasty import SPOKEN
from tests.tui.driving import Desk, desk
from tui.literal import cut, cut_start, literal
from tui.opening import Opened

BAD = ("\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\x00", "\u200f", "\ufeff")
RULE = RiskRule(harm=1.0, peak=0.0, mean=0.0, bias=0.0, med=0.4, high=0.8)
MANY = [SPOKEN[start : start + 6] for start in range(0, len(SPOKEN), 6)]


def clean(on: Desk) -> None:
    """Nothing that a terminal would obey stands on the screen."""
    shown = on.text()
    assert not [char for char in BAD if char in shown]


def everywhere(texts: tuple[str, ...]) -> Opened:
    """A session with these texts in every field that text of others can be in."""
    first = texts[0]
    profile = Profile(
        name=first, title=first, values=(Value(id="one", statement=first[:500].strip() or "x"),)
    )
    scenario = Scenario(goal=first, context=texts[-1], name=first, title=first)
    session = Session.start(
        profile, scenario, models={"policy": ModelUsed(name=first, device=first)}
    )
    for text in texts:
        name = session.propose(text, Origin(Source.HANDED_IN, text))
        session.judged(
            name,
            Judgement(
                text=digest(session.candidates[name].text),
                profile=profile.digest,
                scenario=scenario.digest,
                judge=text,
                scores={"one": 0.2},
                harm=0.6,
                rule=RULE,
                explanation=text,
                raw=text,
            ),
        )
        session.note(text, name)
        session.failed("judge", text, name)
        session.realigned(name, f"{text[:19_000]} again", text, text)
    return Opened(session, None)


@pytest.mark.parametrize("texts", MANY, ids=range(len(MANY)))
async def test_nasty_text_is_drawn_literally_on_the_review_screen(texts: tuple[str, ...]) -> None:
    async with desk(everywhere(texts), size=(120, 34)) as on:
        on.review.work.models = {"policy": ModelUsed(name=texts[0], device=texts[0])}
        clean(on)
        on.screen.raw = True
        for name in list(on.session.candidates):
            await on.go_to(name)
            on.screen.compare = (0, 1)
            on.screen.draw()
            await on.pilot.pause()
            clean(on)
        on.review.work.trouble = texts[0]
        on.review.news.say(texts[0])
        await on.pilot.pause()
        clean(on)
        for key in ("x", "r", "e"):
            on.clock.forward(3)
            await on.press(key)
            await on.answered()
            clean(on)
            await on.press("escape")
            await on.closed()
        assert on.app.is_running


async def test_nasty_text_is_drawn_literally_while_it_grows() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        task = on.engine.last(Propose)
        for text in SPOKEN:
            on.engine.said(task, Growing(row=0, text=text))
            on.screen.draw()
            await on.pilot.pause()
            clean(on)


async def test_nasty_text_from_the_worker_is_only_told() -> None:
    async with desk() as on:
        for text in SPOKEN:
            on.engine.hear(Trouble(problem=text, where=text, mend=text))
            on.screen.draw()
            await on.pilot.pause()
            clean(on)


async def test_an_edit_of_nasty_text_starts_from_what_was_seen() -> None:
    async with desk(everywhere(("\x1b[31mred\x1b[0m and \u202eback",))) as on:
        await on.go_to("c1")
        await on.press("e")
        await on.answered()
        assert not [char for char in BAD if char in on.app.screen.query_one(TextArea).text]


@pytest.mark.parametrize("text", SPOKEN, ids=range(len(SPOKEN)))
def test_literal_text_has_no_styles_and_no_controls(text: str) -> None:
    drawn = literal(text)
    assert not drawn.spans
    assert not [char for char in BAD if char in drawn.plain]
    assert literal("", "bold").plain == ""


@pytest.mark.parametrize("text", SPOKEN, ids=range(len(SPOKEN)))
@pytest.mark.parametrize("width", [0, 1, 7, 40])
def test_a_cut_text_has_exactly_its_width(text: str, width: int) -> None:
    from rich.cells import cell_len

    assert cell_len(cut(text, width)) == width
    assert cell_len(cut_start(text, width)) <= width


@pytest.mark.parametrize("text", SPOKEN, ids=range(len(SPOKEN)))
def test_a_line_of_a_long_text_costs_no_more_than_its_start(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def told(text: str, **how: bool) -> str:
        read.append(text)
        return plain(text, **how)

    monkeypatch.setattr("tui.literal.plain", told)
    long = f"Letter by letter. {text} " * 2 + "word " * 4_000

    assert cut(long, 17) == "Letter by letter…"
    assert cut(long, 40) == cut(long[:500], 40)
    assert max(map(len, read)) <= 500
    assert cut("\n" * 19_000 + "late", 10) == "late      "
