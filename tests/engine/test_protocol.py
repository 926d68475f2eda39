"""What is said on one side of the pipe is what is heard on the other."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.candidate import Case
from core.domain.scenario import Scenario
from core.domain.values import Profile, Value
from core.domain.verdict import Judgement
from core.engine import protocol
from core.watch import Dropped, Growing, Measured, Progress, Rewritten, Written
from tests.nasty import SPOKEN, STORABLE

texts = st.sampled_from(STORABLE) | st.text(max_size=80)
spoken = st.sampled_from(SPOKEN) | st.text(max_size=80).filter(lambda text: text.strip())
short = spoken.map(lambda text: text[:600]).filter(lambda text: text.strip())
ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)
counts = st.integers(0, 10_000)
shares = st.floats(0.0, 1.0)
scenarios = st.builds(Scenario, goal=spoken, context=texts, name=texts)
values = st.builds(Value, id=ids, statement=short, weight=st.floats(0.1, 1.0))
profiles = st.builds(
    Profile,
    name=spoken,
    values=st.lists(values, min_size=1, max_size=4, unique_by=lambda value: value.id).map(tuple),
)
judgements = st.builds(
    Judgement,
    text=texts,
    profile=texts,
    scenario=texts,
    judge=texts,
    scores=st.dictionaries(ids, shares, max_size=3),
    harm=shares,
    explanation=texts,
    raw=texts,
)
cases = st.builds(Case, text=texts, judgement=st.none() | judgements, guidance=texts)
notes = st.one_of(
    st.builds(Progress, stage=texts, done=counts, total=counts, tokens_per_s=shares),
    st.builds(Growing, row=counts, text=texts),
    st.builds(Written, row=counts, text=texts),
    st.builds(Dropped, row=counts, why=texts),
    st.builds(Measured, row=counts, judgement=st.none() | judgements, problem=texts),
    st.builds(Rewritten, row=counts, text=texts, judgement=st.none() | judgements, why=texts),
)
many = st.lists(texts, max_size=4).map(tuple)
requests = st.one_of(
    st.builds(protocol.Load, job=texts, policy=texts, judge=texts),
    st.builds(
        protocol.Propose,
        job=texts,
        profile=profiles,
        scenario=scenarios,
        count=counts,
        seed=counts,
        avoid=many,
    ),
    st.builds(protocol.Judge, job=texts, profile=profiles, scenario=scenarios, texts=many),
    st.builds(
        protocol.Align,
        job=texts,
        profile=profiles,
        scenario=scenarios,
        cases=st.lists(cases, max_size=3).map(tuple),
        rewrites=counts,
        seed=counts,
    ),
    st.builds(protocol.Pull, job=texts, model=texts),
    st.builds(protocol.Cancel, job=texts),
    st.builds(protocol.Stop),
)
replies = st.one_of(
    st.builds(protocol.Hello, pid=counts),
    st.builds(protocol.Ready, job=texts, models=st.just({})),
    st.builds(protocol.Said, job=texts, note=notes),
    st.builds(protocol.Vitals, memory_bytes=counts, tokens_per_s=shares),
    st.builds(protocol.Finished, job=texts, cancelled=st.booleans(), notice=texts),
    st.builds(
        protocol.Trouble, problem=texts, job=texts, where=texts, mend=texts, gone=st.booleans()
    ),
)


@given(requests)
def test_a_request_is_heard_as_it_was_said(request: protocol.Request) -> None:
    line = protocol.encode(request)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert protocol.decode_request(line) == request


@given(replies)
def test_a_reply_is_heard_as_it_was_said(reply: protocol.Reply) -> None:
    line = protocol.encode(reply)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert protocol.decode_reply(line) == reply


@given(requests | replies)
def test_every_message_names_its_type(message: protocol.Request | protocol.Reply) -> None:
    assert json.loads(protocol.encode(message))["type"] == type(message).__name__.lower()


@given(st.binary(max_size=200) | texts.map(str.encode))
def test_garbage_is_refused_and_nothing_else_is_raised(line: bytes) -> None:
    for decode in (protocol.decode_request, protocol.decode_reply):
        try:
            decode(line)
        except msgspec.MsgspecError:
            continue


def test_numbers_that_are_none_do_not_pass_for_probabilities() -> None:
    note = '{"type":"measured","row":0,"judgement":{"text":"","profile":"","scenario":"",'
    note += '"judge":"","scores":{"fees":1.5},"harm":0.5}}'
    with pytest.raises(msgspec.ValidationError, match="scores"):
        protocol.decode_reply(f'{{"type":"said","job":"j","note":{note}}}'.encode())
