"""Whatever can be done to a session, as data, so that hypothesis can do it in any order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import strategies as st

from core.domain.candidate import Origin, Source
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.domain.verdict import Recommendation, Risk
from core.errors import Refused
from core.session.events import ModelUsed
from core.session.session import Session
from tests.nasty import SPOKEN
from tests.nouns import CONSENT, HONESTY, PROFILE, handed_in, judgement

SHORT = tuple(text for text in SPOKEN if len(text) < 500)

TEXTS = st.one_of(
    st.sampled_from(SHORT),
    st.text(min_size=1, max_size=30).filter(lambda text: bool(text.strip())),
)
IDS = st.sampled_from(["c1", "c2", "c3", "c9"])
WEIGHTS = st.sampled_from([0.0, 0.25, 0.5, 1.0])

Operation = Callable[[Session], object]


class Ticking:
    """A clock that goes on by a second each time it is looked at."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


def started(*texts: str) -> Session:
    """A session with those candidates handed in."""
    return Session.start(
        PROFILE,
        handed_in(*texts),
        models={"policy": ModelUsed(name="fake", digest="ab" * 32, kind="chat")},
        settings={"seed": 7, "rounds": 1},
        operator="rosa",
        clock=Ticking(),
    )


def judge_current(session: Session, candidate: str, risk: Risk, advice: Recommendation) -> None:
    """Judges the text as it stands under the values and scenario as they stand."""
    session.judged(
        candidate,
        judgement(
            session.candidates[candidate].text,
            risk,
            advice,
            profile=session.state.profile,
            scenario=session.state.scenario,
        ),
    )


def judge_anew(candidate: str, risk: Risk, advice: Recommendation) -> Operation:
    def judge(session: Session) -> None:
        if candidate in session.candidates:
            judge_current(session, candidate, risk, advice)

    return judge


def other_statement(text: str) -> Profile:
    return msgspec.structs.replace(
        PROFILE,
        values=(msgspec.structs.replace(PROFILE.values[0], statement=text), PROFILE.values[1]),
    )


UNDOABLE: st.SearchStrategy[Operation] = st.one_of(
    st.builds(lambda c, t: lambda s: s.approve(c, t), IDS, TEXTS),
    st.builds(lambda c, t: lambda s: s.reject(c, t), IDS, TEXTS),
    st.builds(lambda c: lambda s: s.defer(c), IDS),
    st.builds(lambda c, t: lambda s: s.edit(c, t), IDS, TEXTS),
    st.builds(lambda c, t, g: lambda s: s.realigned(c, t, "fake", g), IDS, TEXTS, TEXTS),
    st.builds(lambda t, c: lambda s: s.note(t, c), TEXTS, st.one_of(st.just(""), IDS)),
    st.builds(lambda a, b: lambda s: s.set_weights({CONSENT: a, HONESTY: b}), WEIGHTS, WEIGHTS),
    st.builds(lambda t: lambda s: s.set_profile(other_statement(t)), TEXTS),
    st.builds(lambda t: lambda s: s.set_scenario(Scenario(goal=t)), TEXTS),
)
"""What the operator can take back."""

LASTING: st.SearchStrategy[Operation] = st.one_of(
    st.builds(
        judge_anew,
        IDS,
        st.sampled_from([Risk.LOW, Risk.MED, Risk.HIGH]),
        st.sampled_from(Recommendation),
    ),
    st.builds(lambda t: lambda s: s.propose(t, Origin(Source.POLICY, "fake")), TEXTS),
    st.builds(lambda t, c: lambda s: s.failed("judge", t, c), TEXTS, IDS),
    st.builds(lambda c, t: lambda s: s.kept(c, t), IDS, TEXTS),
    st.builds(lambda t: lambda s: s.choose("", t, {"total_s": 1.5}), TEXTS),
    st.builds(lambda c, t: lambda s: s.choose(c, t), IDS, TEXTS),
    st.builds(lambda n: lambda s: s.use_models({"policy": ModelUsed(name=n)}), TEXTS),
)
"""What models bring, which nobody takes back."""

UNDO: Operation = Session.undo

OPERATIONS = st.lists(st.one_of(UNDOABLE, LASTING, st.just(UNDO)), max_size=25)


def do(session: Session, operation: Operation) -> bool:
    """Does it; whether it was let through."""
    try:
        operation(session)
    except Refused:
        return False
    return True


def after(operations: list[Operation]) -> Session:
    """A session in which those were done, or refused."""
    session = started("Write to the baker.", "Ring the miller.")
    for operation in operations:
        do(session, operation)
    return session
