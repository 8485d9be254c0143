"""System calls with what somebody may well send by mistake."""

from typing import Any

import pytest
from tests.resident.world import World, bell

from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.engine.resident.symbol import Status


def calling(opcode: str) -> tuple[dict[str, Any], ...]:
    return bell("call"), {"kind": "syscall", "name": "call", "opcode": opcode}


async def refusal(home: World, opcode: str, payload: Payload) -> NodeError:
    await home.apply(*calling(opcode))
    with pytest.raises(NodeError) as caught:
        await home.ring(payload)
    assert caught.value.code == "invalid argument"
    return caught.value


@pytest.mark.parametrize("payload", [None, [], {}])
@pytest.mark.parametrize(
    ("opcode", "what"),
    [
        ("nodes.create", "specs"),
        ("nodes.update", "specs"),
        ("values.create", "values"),
        ("values.update", "values"),
        ("symbols.create", "symbols"),
        ("symbols.update", "symbols"),
        ("symbols.delete", "symbols"),
    ],
)
async def test_nothing_is_never_taken_for_everything(
    home: World, opcode: str, what: str, payload: Payload
) -> None:
    error = await refusal(home, opcode, payload)
    assert error.message == f"there are no {what} in the payload"
    assert home.report("call").status is Status.ACTIVE


@pytest.mark.parametrize(
    ("payload", "found"), [([None], "nothing"), ([0], "the number `0`"), ("x", "the text `x`")]
)
async def test_an_update_with_what_is_no_mapping_says_what_it_found(
    home: World, payload: Payload, found: str
) -> None:
    error = await refusal(home, "nodes.update", payload)
    assert f"expected a part of a document (a mapping), found {found}" in error.message


async def test_a_conflict_is_told_without_a_place_where_there_is_no_text(home: World) -> None:
    part = {"name": "call", "opcode": "nodes.read", "revision": 7}
    error = await refusal(home, "nodes.update", part)
    assert error.message == "`call` was made from revision 7, but is at revision 1 by now"
    assert error.details == {"reason": "conflict", "field": "revision", "revision": 1}


@pytest.mark.parametrize("payload", [None, "x", {"bogus": 1}])
async def test_who_asks_for_a_process_wrongly_is_told_how(home: World, payload: Payload) -> None:
    error = await refusal(home, "processes.create", payload)
    assert error.remedy == "send a mapping of `node`, `port`, `payload`, `flow`, `inputs`, `wait`"


@pytest.mark.parametrize("verb", ["read", "delete"])
@pytest.mark.parametrize("filters", [{"kind": "listener"}, [{"name": "bell"}, {"namespace": "shop"}]])
async def test_processes_are_not_chosen_by_what_they_do_not_have(
    home: World, verb: str, filters: Payload
) -> None:
    error = await refusal(home, f"processes.{verb}", filters)
    assert error.message == "processes have neither kind nor namespace"
