"""What each key of the review screen does, and what stands between a key and a decision."""

from collections.abc import Callable

from textual.content import Content

from core.domain.candidate import Candidate
from core.domain.scenario import LONGEST_TEXT
from core.domain.text import plain
from core.domain.verdict import Risk, Verdict
from core.errors import Refused
from tui.dialogs import Ask, Edit
from tui.draw import ADVICE, MUTED, RISK, lines
from tui.flow.jobs import Kind
from tui.flow.news import Tone
from tui.literal import literal
from tui.panes.candidates import CandidatesPane
from tui.panes.values import title_of
from tui.panes.verdicts import VerdictPane
from tui.screens import going
from tui.screens.workplace import Workplace

QUOTED = 300
"""Characters of a candidate that a dialog shows, and"""
QUOTED_LINES = 6
"""lines."""


def target(screen: Workplace, key: str) -> Candidate | None:
    """The candidate that a decision key is about, if the press can be meant; else says why not.

    What is in view is drawn first, so that a verdict that has come in but not been seen counts as
    just arrived.
    """
    screen.draw()
    review = screen.review
    row = screen.query_one(CandidatesPane).list.current
    if not review.looking.pressed(key):
        return None  # a key that is held down
    if row is None:
        raise Refused("there is no candidate", mend=f"{screen.key_of('propose')} proposes some.")
    found = review.candidate(row.key)
    if found is None:
        raise Refused("this one is still being written")
    if not review.looking.settled():
        review.news.say(
            f"Too soon: what is under the cursor has only just changed. "
            f"{screen.key_of(key)} again, if you mean it.",
            Tone.WARNING,
        )
        return None
    return found


def _quote(found: Candidate) -> Content:
    """How a candidate begins: a dialog is no place to read all of a long one."""
    text = plain(found.text).strip()
    begun = "\n".join(text.split("\n")[:QUOTED_LINES])[:QUOTED].rstrip()
    told = literal(f"{found.id}  ", MUTED) + literal(begun)
    if begun == text:
        return told
    return told + Content.styled("\n… and more; the verdict's pane shows all of it.", MUTED)


def _at_stake(verdict: Verdict) -> list[Content]:
    """The values at stake, with how likely each is respected."""
    told = [f"✗ {title_of(one.value)} {verdict.scores[one.value]:.0%}" for one in verdict.issues]
    return [literal("   ".join(told), "$text-warning")] if told else []


def approve(screen: Workplace) -> None:
    """Approves; against the judge only with a typed reason."""
    if (found := target(screen, "approve")) is None:
        return
    review, name = screen.review, found.id
    hidden, blind = review.hides(name), review.is_blind(name)
    if to_do := review.what_to_do(name):
        key = screen.key_of("judge")
        waits = review.work.expects(review.session, name)
        raise Refused(
            f"{name} can't be approved yet. {to_do}".rstrip("."),
            mend="" if waits else f"{key} has it judged.",
        )
    if not review.session.needs_reason(name) or found.standing.value == "approved":
        review.approve(name, of=found.current.digest, blind=blind)
        return
    if hidden:
        review.reveal(name)
    verdict = review.session.verdict(name)
    shape, word, style = RISK[verdict.risk]
    advice = ADVICE[verdict.recommendation]
    told = f"The judge finds the risk {verdict.risk} and advises to {advice}."
    about = lines(
        Content.styled(f"{shape} {word}  ", style) + Content(told),
        *_at_stake(verdict),
        Content(""),
        _quote(found),
    )

    # It speaks for this text and this verdict, and for no other.
    draft = f"approve {name} {found.current.digest} {verdict.risk}"

    async def ask() -> None:
        reason = await screen.app.push_screen_wait(
            Ask(
                "Approve against the judge's advice?",
                about=about,
                placeholder="why it is right all the same; this stays in the log",
                value=screen.drafts.get(draft, ""),
                do="Approve all the same",
                required="Type a reason first; without one this is not approved.",
                danger=verdict.risk is Risk.HIGH,
                meant=lambda: review.looking.pressed("enter", strict=True),
                keep=screen.keeps(draft),
                held=screen.held("approve"),
            )
        )
        if reason is None:
            if blind:
                review.session.note(
                    "Would have approved it blind; took that back on seeing the verdict.", name
                )
            review.news.say(f"{name} is not approved; nothing was changed.")
            return
        review.approve(name, reason, of=found.current.digest, blind=blind)
        screen.drafts.pop(draft, None)

    screen.do(ask())


def reject(screen: Workplace) -> None:
    """Rejects, with a reason."""
    if (found := target(screen, "reject")) is None:
        return
    review, name = screen.review, found.id
    blind = review.is_blind(name)
    if found.standing.value == "rejected":
        raise Refused(f"{name} is rejected already")
    draft = f"reject {name}"  # of any version: it is read again before it is sent

    async def ask() -> None:
        reason = await screen.app.push_screen_wait(
            Ask(
                f"Reject {name}",
                about=_quote(found),
                placeholder="the reason; it is offered as guidance when you re-align",
                value=screen.drafts.get(draft, ""),
                do="Reject",
                required="A rejection needs a reason.",
                keep=screen.keeps(draft),
                held=screen.held("reject"),
            )
        )
        if reason is not None:
            review.reject(name, reason, of=found.current.digest, blind=blind)
            screen.drafts.pop(draft, None)

    screen.do(ask())


def realign(screen: Workplace) -> None:
    """Asks for guidance, which may be empty, then for a better text."""
    if (found := target(screen, "realign")) is None:
        return
    review, name = screen.review, found.id
    review.session.refuse_approved(name)
    draft = f"realign {name}"

    async def ask() -> None:
        guidance = await screen.app.push_screen_wait(
            Ask(
                f"Re-align {name}",
                about=_quote(found),
                placeholder="guidance for the rewrite; may be left empty",
                value=screen.drafts.get(draft) or review.guidance_for(name),
                do="Re-align",
                keep=screen.keeps(draft),
                held=screen.held("realign"),
            )
        )
        if guidance is not None:
            review.realign(name, guidance)
            screen.drafts.pop(draft, None)

    screen.do(ask())


def edit(screen: Workplace) -> None:
    """Lets the text be edited; it is judged again at once."""
    if (found := target(screen, "edit")) is None:
        return
    review, name = screen.review, found.id
    before = plain(found.text)
    draft = f"edit {name} {found.current.digest}"  # a draft of another version would undo this one

    def check(texts: dict[str, str]) -> str:
        text = texts["Text"]
        if not text.strip():
            return "The text is empty."
        if len(text) > LONGEST_TEXT:
            return f"The text is longer than {LONGEST_TEXT:,} characters."
        return "It is the same as before." if text == before else ""

    async def ask() -> None:
        told = await screen.app.push_screen_wait(
            Edit(
                f"Edit {name}",
                {"Text": before},
                check=check,
                draft=screen.drafts.get(draft),
                keep=screen.keeps(draft),
                held=screen.held("edit"),
            )
        )
        if told is not None:
            now = review.candidate(name)
            review.edit(name, told["Text"])
            screen.drafts.pop(draft, None)
            if now and now.current.digest != found.current.digest:
                review.news.say(
                    f"{name} was rewritten while you were typing. Yours counts; "
                    f"{screen.key_of('difference')} shows both.",
                    Tone.WARNING,
                )

    screen.do(ask())


def defer(screen: Workplace) -> None:
    """Puts it off."""
    if found := target(screen, "defer"):
        screen.review.defer(found.id)


def undo(screen: Workplace) -> None:
    """Takes back the last action; a key held down takes back one.

    A rewrite that came as the key was on its way is not what was meant.
    """
    review = screen.review
    if not review.looking.pressed("undo"):
        return
    if told := review.just_came():
        key = screen.key_of("undo")
        review.news.say(
            f"Too soon: {told} has only just come. {key} again takes that back, if you mean it.",
            Tone.WARNING,
        )
        return
    review.undo()


def note(screen: Workplace) -> None:
    """Adds a remark."""
    row = screen.query_one(CandidatesPane).list.current
    name = row.key if row and row.candidate else ""
    draft = f"note {name}"

    async def ask() -> None:
        text = await screen.app.push_screen_wait(
            Ask(
                f"Note on {name}" if name else "Note on the session",
                placeholder="what whoever reads the log should know",
                value=screen.drafts.get(draft, ""),
                do="Note",
                required="An empty note says nothing.",
                keep=screen.keeps(draft),
            )
        )
        if text is not None:
            screen.review.note(text, name)
            screen.drafts.pop(draft, None)

    screen.do(ask())


def propose(screen: Workplace) -> None:
    """Has candidates proposed."""
    _only_once(screen, Kind.PROPOSE, "candidates are being proposed already")
    screen.review.work.propose()


def more(screen: Workplace) -> None:
    """Has more proposed, where there are some."""
    if not screen.review.session.candidates:
        raise Refused(
            "there are none yet, so there can't be more",
            mend=f"{screen.key_of('propose')} proposes the first.",
        )
    propose(screen)


def agents(screen: Workplace) -> None:
    """Has the moral agents answer."""
    _only_once(screen, Kind.CONSULT, "the agents are being asked already")
    screen.review.work.consult()


def _only_once(screen: Workplace, kind: Kind, told: str) -> None:
    """Refuses, while a job of that kind is under way."""
    if any(job.kind is kind for job in screen.review.work.jobs.values()):
        raise Refused(told, mend=f"{screen.key_of('cancel')} cancels that.")


def judge(screen: Workplace) -> None:
    """Has everything judged that needs it."""
    many, waits = screen.review.check(), len(screen.review.unjudged())
    if many:
        told = f"Judging {many}."
    elif waits:
        told = f"{waits} being judged already."
    else:
        told = "Every candidate that is open has a verdict that counts."
    screen.review.news.say(told)


def difference(screen: Workplace) -> None:
    """Shows, or hides, the differences of the last two versions."""
    found = _in_view(screen)
    many = len(found.revisions)
    if many < 2:
        raise Refused(f"{found.id} has only one version")
    screen.compare = None if screen.compare else (many - 2, many - 1)
    screen.draw_verdict()


def other_version(screen: Workplace, by: int) -> None:
    """Compares other versions: `[` moves the older side, `]` the newer one."""
    found = _in_view(screen)
    many = len(found.revisions)
    if many < 2:
        raise Refused(f"{found.id} has only one version")
    older, newer = screen.compare or (many - 2, many - 1)
    if by < 0:
        older = (older - 1) % newer
    else:
        newer = newer + 1 if newer + 1 < many else older + 1
    screen.compare = (older, newer)
    screen.draw_verdict()


def raw(screen: Workplace) -> None:
    """Shows, or hides, what the judge gave."""
    screen.raw = not screen.raw
    screen.draw_verdict()
    if screen.raw:  # it stands below all else
        screen.call_after_refresh(screen.query_one(VerdictPane).action_last)


def _in_view(screen: Workplace) -> Candidate:
    row = screen.query_one(CandidatesPane).list.current
    found = screen.review.candidate(row.key) if row else None
    if found is None:
        raise Refused("there is no candidate under the cursor")
    return found


def cancel(screen: Workplace) -> None:
    """Cancels what runs, else closes what is open."""
    if screen.review.work.cancel():
        return
    if screen.query_one(CandidatesPane).filtering:
        screen.filter_closed()
    elif screen.compare or screen.raw:
        screen.compare, screen.raw = None, False
        screen.draw_verdict()
    elif pulling := screen.review.work.pulling:
        keys = f"{screen.key_of('models')} {screen.key_of('stop-bringing')}"
        screen.review.news.say(f"{pulling.model} is being brought. {keys} cancels that.")
    elif screen.review.work.loading:
        screen.review.news.say("The models are loading.")
    else:
        screen.review.news.say("Nothing is running, and nothing is open.")


DO: dict[str, Callable[[Workplace], None]] = {
    "propose": propose,
    "more": more,
    "agents": agents,
    "judge": judge,
    "approve": approve,
    "reject": reject,
    "realign": realign,
    "edit": edit,
    "defer": defer,
    "undo": undo,
    "note": note,
    "difference": difference,
    "older": lambda screen: other_version(screen, -1),
    "newer": lambda screen: other_version(screen, 1),
    "raw": raw,
    "filter": lambda screen: screen.query_one(CandidatesPane).open_filter(),
    "sort": lambda screen: screen.review.next_order(),
    "blind": lambda screen: screen.review.toggle_blind(),
    "cancel": cancel,
    **going.DO,
}
"""By the word in the key's action."""
