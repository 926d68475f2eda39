"""What the interface and the worker say to each other: one JSON object a line, typed.

The interface writes `Request`s on the worker's standard input; the worker writes `Reply`s on its
standard output and nothing else. Every message names its type in `type`. A job is a request that
takes time: it carries an id of the client's making (`Engine.submit` fills in an empty one), and
every reply about it carries the same id, up to exactly one `Finished` or `Trouble`. `VERSION`
changes when a message does; a worker that meets another version says so in `Trouble` and stops.
"""

import msgspec
from msgspec import Struct

from core.domain.candidate import Case
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.errors import PlacetError
from core.session.events import ModelUsed
from core.watch import AnyNote

VERSION = 3


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """One line on a pipe."""


# The interface asks


class Load(Message, frozen=True, kw_only=True, tag="load"):
    """Bring these models into memory. A job. Models that are there already stay."""

    job: str = ""
    policy: str
    judge: str
    device: str = "auto"
    dtype: str = "auto"
    version: int = VERSION


class Propose(Message, frozen=True, kw_only=True, tag="propose"):
    """Write candidates, each judged as soon as it is there. A job; rows are 0 to `count` - 1."""

    job: str = ""
    profile: Profile
    scenario: Scenario
    count: int
    seed: int
    avoid: tuple[str, ...] = ()
    """Texts that exist already and are not to be repeated."""


class Consult(Message, frozen=True, kw_only=True, tag="consult"):
    """Ask the moral agents and the aggregator. A job; a row an agent, then the synthesis."""

    job: str = ""
    profile: Profile
    scenario: Scenario
    seed: int
    avoid: tuple[str, ...] = ()
    """Texts that exist already and are not to be repeated."""


class Judge(Message, frozen=True, kw_only=True, tag="judge"):
    """Judge texts. A job; its rows are the texts in order."""

    job: str = ""
    profile: Profile
    scenario: Scenario
    texts: tuple[str, ...]


class Align(Message, frozen=True, kw_only=True, tag="align"):
    """Rewrite texts so that they keep the goal and lose the harm. A job; a row a case."""

    job: str = ""
    profile: Profile
    scenario: Scenario
    cases: tuple[Case, ...]
    rewrites: int
    seed: int


class Pull(Message, frozen=True, kw_only=True, tag="pull"):
    """Bring a model onto this machine. A job. The one request that may use the network."""

    job: str = ""
    model: str


class Cancel(Message, frozen=True, kw_only=True, tag="cancel"):
    """Stop a job between two tokens."""

    job: str


class Stop(Message, frozen=True, kw_only=True, tag="stop"):
    """Stop the worker."""


Task = Load | Propose | Consult | Judge | Align | Pull
"""A request that takes time: a job."""

Request = Task | Cancel | Stop


# The worker answers


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """The worker is there."""

    pid: int
    version: int = VERSION


class Ready(Message, frozen=True, kw_only=True, tag="ready"):
    """The models are in memory."""

    models: dict[str, ModelUsed]
    """By role: `policy` and `judge`, and the agents once they were asked."""
    job: str = ""
    """The job that asked for them."""


class Said(Message, frozen=True, kw_only=True, tag="said"):
    """What a stage says about its job."""

    job: str
    note: AnyNote


class Vitals(Message, frozen=True, kw_only=True, tag="vitals"):
    """How the worker is doing, twice a second while it works."""

    memory_bytes: int
    tokens_per_s: float = 0.0


class Finished(Message, frozen=True, kw_only=True, tag="finished"):
    """A job is over."""

    job: str
    cancelled: bool = False
    notice: str = ""
    """What the operator should know, such as that fewer candidates survived than asked for."""


class Trouble(Message, frozen=True, kw_only=True, tag="trouble"):
    """A job failed, or the worker did where no job is named."""

    problem: str
    job: str = ""
    where: str = ""
    mend: str = ""
    gone: bool = False
    """Whether there is no worker any more. It is the client that says so."""

    @property
    def error(self) -> PlacetError:
        """What the job raised."""
        return PlacetError(self.problem, where=self.where, mend=self.mend)


Reply = Hello | Ready | Said | Vitals | Finished | Trouble

_encoder = msgspec.json.Encoder()
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_replies: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)


def encode(message: Request | Reply) -> bytes:
    """The message as one line."""
    return _encoder.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """The request on a line; `msgspec.MsgspecError` where it is none."""
    return _requests.decode(line)


def decode_reply(line: bytes) -> Reply:
    """The reply on a line; `msgspec.MsgspecError` where it is none."""
    return _replies.decode(line)
