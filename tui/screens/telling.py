"""What the lines at the top and at the bottom of the review screen say."""

from textual.content import Content
from textual.widgets import Static

from tui.bars import ActivityLine, Item, KeyBar, StatusLine, items, moving
from tui.draw import MUTED
from tui.flow.jobs import Kind
from tui.keys import KEYS, Key, Place
from tui.literal import cut, literal
from tui.panes.candidates import CandidatesPane
from tui.screens.workplace import Workplace

_GROUPS = ("work", "decide", "look", "go", "file")
_WAY = ("propose", "approve", "reject", "realign", "undo", "save-as", "quit")
"""What is enough to get through a review: it comes first, and is on one line of 80."""

_SHORT = {"values": "panes", "save-as": "save", "statistics": "stats"}


def bars(screen: Workplace) -> None:
    """Draws all of them."""
    _status(screen)
    _banner(screen)
    _activity(screen)
    keys(screen)


def _status(screen: Workplace) -> None:
    review = screen.review
    saver, work = review.saver, review.work
    if saver.problem:
        saved = Content.styled("! not saved", "bold $text-error")
    elif saver.dirty:
        saved = Content.styled("○ saving", "$text-warning")
    elif saver.saved_at:
        saved = Content.styled(f"● saved {saver.saved_at:%H:%M}", "$text-success")
    else:
        told = "○ nothing to save" if saver.fresh else "● saved"
        saved = Content.styled(told, MUTED)
    left = [saved]
    if review.blind:
        left.append(Content.styled("▒ blind", "bold $text-accent"))
    right = []
    policy, judge = (work.models.get(role) for role in ("policy", "judge"))
    names = [used.name for used in (policy, judge) if used]
    if vitals := work.vitals:
        right.append(Content.styled(f"{vitals.memory_bytes / 1e9:.1f} GB", MUTED))
        if vitals.tokens_per_s >= 1:
            right.append(Content.styled(f"{vitals.tokens_per_s:.0f} tok/s", MUTED))
    parts = [policy.device, policy.dtype] if policy else []
    if told := " ".join(part for part in parts if part not in ("", "none")):
        right.append(literal(told, MUTED, one_line=True))
    right.append(
        Content.styled("online: pulling", "bold $text-warning")
        if work.pulling
        else Content.styled("offline", MUTED)
    )
    if names:
        told = _short(names)
        style = "bold $text-warning" if work.echo else "bold"
        right.append(literal(told, style, one_line=True))
    elif work.loading:
        right.append(Content.styled("loading…", "$text-accent"))
    else:
        right.append(Content.styled("no model", "bold $text-warning"))
    title = review.scenario.title or review.scenario.name or "untitled"
    screen.query_one(StatusLine).tell(title, left, right)


def _short(names: list[str]) -> str:
    """The models' names; what two of them share is said once."""
    own = [name.rsplit("/", 1)[-1].partition("+") for name in names]
    if len(own) == 2 and own[0][0] == own[1][0]:
        base = own[0][0].removesuffix("-Instruct")
        return base + "".join(dict.fromkeys(f" +{part}" for _, _, part in own if part))
    return " + ".join(name.rsplit("/", 1)[-1] for name in names)


def _banner(screen: Workplace) -> None:
    review = screen.review
    banner = screen.query_one("#banner", Static)
    told, error = Content(""), False
    if review.saver.problem:
        if review.work.echo:
            told = Content("! echo is at work: its texts and verdicts mean nothing.\n")
        key = f"{screen.key_of('save-as')} saves elsewhere. "
        told += Content(f"! Not saved: {key}") + literal(review.saver.problem, one_line=True)
        error = True
    elif review.work.trouble and not review.work.jobs:
        told = literal(cut(f"! {review.work.trouble}", 2 * screen.size.width - 16).rstrip())
        told += Content(f"\n{screen.key_of('models')} chooses a model, or brings one; ")
        told += Content(f"{screen.key_of('propose')} or {screen.key_of('judge')} tries again.")
        error = True
    elif review.work.echo:
        told = Content(
            "! echo is at work: a stand-in without weights. Its texts and verdicts mean nothing. "
            f"{screen.key_of('models')} chooses a model."
        )
    banner.set_class(bool(told), "-on")
    banner.set_class(error, "-error")
    if not told.is_same(getattr(banner, "told", Content("\0"))):
        banner.told = told  # type: ignore[attr-defined]
        banner.update(told)


def _activity(screen: Workplace) -> None:
    review = screen.review
    line = screen.query_one(ActivityLine)
    found = list(review.work.jobs.values())
    if not found:
        last = review.news.last
        line.saying(last, Content("") if last else _hint(screen))
        return
    # A model is brought beside all else: where something else runs, the top line tells of it.
    jobs = [job for job in found if job.kind is not Kind.PULL] or found
    job = next((job for job in jobs if job.progress), jobs[0])
    if job.kind is Kind.PULL:
        key = f"{screen.key_of('models')} {screen.key_of('stop-bringing')}"
    else:
        key = screen.key_of("cancel") if any(job.kind is not Kind.LOAD for job in jobs) else ""
    more = len(jobs) - 1
    line.running(job.told, *job.steps, job.seconds_left, more, key, review.news.fresh)


def _hint(screen: Workplace) -> Content:
    review = screen.review
    total, open_ = review.counts()
    key = Content.styled
    if not total:
        return key(screen.key_of("propose"), "bold $footer-key-foreground") + key(
            " has the model propose actions for this goal", MUTED
        )
    if review.stuck():
        return key(screen.key_of("judge"), "bold $footer-key-foreground") + key(
            " has what is not judged yet judged", MUTED
        )
    if open_:
        return (
            key(f"{open_} to decide: ", MUTED)
            + key(screen.key_of("approve"), "bold $footer-key-foreground")
            + key(" approves the one under the cursor, exactly as it stands", MUTED)
        )
    return (
        key("All decided. ", MUTED)
        + key(screen.key_of("statistics"), "bold $footer-key-foreground")
        + key(" shows how it went", MUTED)
    )


def keys(screen: Workplace) -> None:
    """The footer: what works in this pane, the way through a review, then all the rest."""
    where = screen.focused or screen.query_one(CandidatesPane).list
    shown = [*_of_pane(screen), moving(where)]
    taken = {item.shown for item in shown}
    found = [key for key in KEYS if key.place is Place.REVIEW and _counts_now(screen, key)]
    found.sort(key=_place)
    for key in found:
        told = screen.key_of(key.id)
        if told not in taken:
            if key.id == "values":
                told = f"{told}-{screen.key_of('verdict')} {screen.key_of('next-pane')}"
            label = _SHORT.get(key.id, key.label)
            group = 0 if key.id in _WAY else 1
            shown.append(Item(told, label, key.action, screen, key.tooltip, group))
    screen.query_one(KeyBar).show(tuple(shown))


def _place(key: Key) -> int:
    """Where a key stands: those of the way first, the others by what they are for."""
    return _WAY.index(key.id) if key.id in _WAY else len(_WAY) + _GROUPS.index(key.group)


def _of_pane(screen: Workplace) -> list[Item]:
    """What works in the values, or in the scenario, while they have the focus."""
    focused = screen.focused
    pane = {"value-list": Place.VALUES, "scenario": Place.SCENARIO}.get(
        (focused.id or "") if focused else ""
    )
    if focused is None or pane is None:
        return []
    return items(focused, (key for key in KEYS if key.place is pane))


def _counts_now(screen: Workplace, key: Key) -> bool:
    """Whether a key belongs in the footer now: some only where there is something for them."""
    if key.id == "cancel":
        filtering = screen.query_one(CandidatesPane).filtering
        return bool(screen.review.work.about_session or filtering or screen.compare or screen.raw)
    if key.id in ("older", "newer"):
        return screen.compare is not None
    return key.show
