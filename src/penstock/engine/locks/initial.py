"""The first lock of a run: it asks for the inputs that its flow needs and nobody has given yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.errors import Denied, InputError
from penstock.core.events import Event, EventType
from penstock.core.locks import INPUTS
from penstock.core.payload import Payload, normalise
from penstock.core.policies import Record
from penstock.core.problems import to_pointer
from penstock.core.reason import Reason
from penstock.engine.locks.candidate import Candidate
from penstock.engine.locks.demand import Demand, demand

if TYPE_CHECKING:
    from penstock.engine.flow import Flow
    from penstock.engine.live import LiveRun


class Given(msgspec.Struct, frozen=True):
    """What the flow of a run begins with.

    missing: the inputs that somebody has yet to give; without them it cannot begin. since: when
    it could, in epoch seconds: its `timeout` counts from there. edited: what a retry gives the
    in-ports of firings in place of what arrives there, by firing and port.
    """

    inputs: Mapping[str, Payload]
    missing: tuple[str, ...] = ()
    since: float | None = None
    edited: Mapping[str, Mapping[str, Payload]] = {}


def given(flow: Flow, inputs: Mapping[str, Any], *, ask: bool) -> Given:
    """What a launch gives. Raises InputError for what is wrong, and for what is missing unless `ask`."""
    try:
        return Given(flow.accept(inputs))
    except InputError as error:
        missing = tuple(str(path[0]) for path in error.paths if path and path[0] not in inputs)
        wrong = len(missing) < len(error.problems)
        if wrong or not ask or flow.settings.record is Record.NONE:
            raise
    return Given({name: normalise(value) for name, value in inputs.items()}, missing)


def given_by(events: Sequence[Event]) -> Given:
    """The same as a run's stream tells it: what the first lock was released with counts, too."""
    first = events[0]
    edited = first.data.get("edited", {})
    missing = tuple(first.data.get("missing", ()))
    if missing:
        for event in events:
            if event.type == EventType.LOCK_RELEASED and not event.node:
                return Given(event.data["value"], since=event.time, edited=edited)
    return Given(first.data["inputs"], missing, edited=edited)


async def ask(flow: Flow, known: Given, *, run: LiveRun) -> Given:
    """Open the lock, and wait until somebody has given what is missing."""

    async def decide(candidate: Candidate) -> Payload:
        try:
            return flow.accept({**known.inputs, **candidate.value})
        except InputError as error:
            paths = error.paths or [()] * len(error.problems)
            raise Denied(
                *(
                    Reason(problem, to_pointer(path))
                    for problem, path in zip(error.problems, paths, strict=True)
                )
            ) from error

    run.begin_work()
    try:
        inputs = await run.locks.ask(
            _demand(flow, known), node="", place=INPUTS, decide=decide, waits=run.aside
        )
    finally:
        run.settle_down()
    return Given(inputs, since=run.clock.now(), edited=known.edited)


def _demand(flow: Flow, known: Given) -> Demand:
    """The flow's inputs, with what is given already as defaults."""
    schema = {"type": "object", **flow.input_schema}
    properties = {
        name: {**about, "default": known.inputs[name]} if name in known.inputs else about
        for name, about in schema.get("properties", {}).items()
    }
    return demand(
        INPUTS,
        schema={**schema, "properties": properties, "required": list(known.missing)},
        title=flow.name,
        description=flow.description,
    )
