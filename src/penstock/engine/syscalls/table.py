"""The table of system calls: every opcode, with what it does in one runtime.

The engine itself changes no specs. A `syscall` node does, by an opcode of this table, so a
workflow decides who may do what, and how it looks from outside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from penstock.core.errors import (
    DocumentError,
    EntryNotFound,
    InputError,
    NodeError,
    PenstockError,
    RunBusy,
    RunNotFound,
    StoreConflict,
)
from penstock.core.payload import Payload, normalise
from penstock.engine.syscalls.documents import Documents
from penstock.engine.syscalls.opcodes import INVALID, OPCODES, Syscall
from penstock.engine.syscalls.processes import Processes
from penstock.engine.syscalls.symbols import Symbols

if TYPE_CHECKING:
    from penstock.engine.catalog.specs import Specs
    from penstock.engine.catalog.values import Values
    from penstock.engine.resident.resident import Resident


def syscalls(resident: Resident, specs: Specs, values: Values) -> dict[str, Syscall]:
    """Every opcode with what it does in this runtime."""
    families: dict[str, Any] = {
        "nodes": Documents(specs, "specs", resident.namespace),
        "values": Documents(values, "values", resident.namespace),
        "symbols": Symbols(resident),
        "processes": Processes(resident),
    }
    found: dict[str, Syscall] = {}
    for opcode in OPCODES:
        family, _, verb = opcode.partition(".")
        call = getattr(families[family], verb)
        found[opcode] = _guarded(call, spares=opcode == "processes.delete")
    return found


def _guarded(call: Callable[..., Awaitable[Payload]], *, spares: bool) -> Syscall:
    """The call with every failure as one of the node that asked.

    spares: whether it must know who asks.
    """

    async def guarded(payload: Payload, caller: str) -> Payload:
        try:
            return normalise(await (call(payload, spare=caller) if spares else call(payload)))
        except (DocumentError, EntryNotFound, InputError, RunBusy, RunNotFound, StoreConflict) as error:
            raise NodeError(
                error.message, code=INVALID, details=_details(error), remedy=error.remedy
            ) from error
        except NodeError:
            raise
        except PenstockError as error:
            raise NodeError(error.message, code="store", remedy=error.remedy) from error

    return guarded


def _details(error: PenstockError) -> dict[str, Payload]:
    match error:
        case DocumentError():
            problems = [{"path": list(each.path), "message": each.message} for each in error.problems]
            return {"reason": "document", "problems": problems}
        case StoreConflict():
            return {"reason": "conflict", "field": error.field, "revision": error.found}
        case InputError():
            return {"reason": "inputs", "problems": list(error.problems)}
        case EntryNotFound() | RunNotFound():
            return {"reason": "not found"}
    return {"reason": "busy"}
