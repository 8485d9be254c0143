"""What a host and a worker say to each other.

Neither believes the other's code: nothing here is pickled, every message is a struct that is
checked as it is read. Payloads travel in their stored form, as `bytes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from penstock.core.events import Event
from penstock.core.payload import decode, encode


class _Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    pass


# --- to the worker --------------------------------------------------------------------


class Setup(_Message, frozen=True):
    """Comes before anything is loaded. path: where Python looks for modules. kinds: more modules."""

    path: list[str]
    kinds: list[str] = []


class Execute(_Message, frozen=True):
    """Execute a run.

    document: of its flow, as the store keeps it. values: those that its flow refers to.
    history: the events so far, in their stored form. memory_bytes: how much more than that is
    not to be had. mark: what to write behind all that the run prints. files: where the folders of
    runs are, or empty.
    """

    fid: str
    document: bytes
    values: bytes
    inputs: bytes
    history: bytes
    mark: bytes
    memory_bytes: int | None = None
    files: str = ""


class Answered(_Message, frozen=True):
    """What was asked under this number is done, or refused for a reason."""

    number: int
    refusal: str = ""


class Word(_Message, frozen=True):
    """A word for the run, as `Store.signal` leaves it. It is answered with `Heard`."""

    number: int
    text: str


class Stop(_Message, frozen=True):
    """End what is executed; its nodes may still clean up."""


class Describe(_Message, frozen=True):
    """Load the flow of a reference, or every one, and say what they are."""

    reference: str
    name: str = ""
    every: bool = False


Order = Setup | Execute | Answered | Word | Stop | Describe


# --- to the host ----------------------------------------------------------------------


class Taken(_Message, frozen=True):
    """The worker has started, and begins with the run."""


class Commit(_Message, frozen=True):
    """Add events to the run's stream, and say when they are on disk.

    pinned: the run holds something that would be lost with its memory. locks: how many of its
    locks are open now, where that has changed.
    """

    number: int
    facts: bytes
    pinned: bool = False
    locks: int | None = None


class Hold(_Message, frozen=True):
    """Asks whether an effect may begin."""

    number: int


class Heard(_Message, frozen=True):
    """What came of the word with this number is in the stream, if anything came of it."""

    number: int


class Said(_Message, frozen=True):
    """What a node of a run that nobody records has to say."""

    facts: bytes


class Done(_Message, frozen=True):
    """The run has its result. idle, here and below: nothing of the run goes on in the worker."""

    result: bytes
    idle: bool = True


class Failed(_Message, frozen=True):
    """The run failed, at a node; or, broken, because of what surrounds its nodes."""

    error: bytes
    broken: bool = False
    idle: bool = True


class Stopped(_Message, frozen=True):
    """What was executed has ended, as it was told to."""

    idle: bool = True


class Described(_Message, frozen=True):
    """What flows are: see `Description`."""

    descriptions: bytes


class Refused(_Message, frozen=True):
    """There is no flow at the reference."""

    message: str
    remedy: str


Outcome = Done | Failed | Stopped
"""How the execution of a run ended in a worker."""

Report = Taken | Commit | Hold | Heard | Said | Done | Failed | Stopped | Described | Refused

REPORTS: Final = msgspec.msgpack.Decoder(Report)
ORDERS: Final = msgspec.msgpack.Decoder(Order)
ENCODER: Final = msgspec.msgpack.Encoder()


# --- what they hold -------------------------------------------------------------------


def pack_events(events: Iterable[Event]) -> bytes:
    """The stored form of events of a stream."""
    return encode([(event.seq, event.time, event.type, event.node, event.data) for event in events])


def unpack_events(data: bytes) -> list[Event]:
    """The events again."""
    return [Event(*fields) for fields in decode(data)]
