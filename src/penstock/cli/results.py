"""How the outcome of a run is printed."""

from __future__ import annotations

from typing import Any

from penstock.cli.console import Console
from penstock.core.payload import Error, Payload, to_json
from penstock.core.record import RunRecord
from penstock.core.states import RunState


def print_result(console: Console, result: Payload) -> None:
    """The result on stdout: text as it is, bytes raw, other values as JSON, None as nothing."""
    if result is None:
        return
    if isinstance(result, str):
        console.out(result)
    elif isinstance(result, bytes) and console.stdout.isatty():
        console.say(f"{len(result)} bytes; send stdout to a file to keep them", "dim")
    elif isinstance(result, bytes):
        console.out_bytes(result)
    else:
        console.out(pretty(result))


def print_json(console: Console, value: Payload) -> None:
    """What a program asked for with `--json`: one line on stdout."""
    console.out(to_json(value).decode())


def pretty(value: Payload) -> str:
    """A payload as JSON for people."""
    import msgspec

    return msgspec.json.format(to_json(value), indent=2).decode()


def outcome(record: RunRecord) -> dict[str, Any]:
    """The outcome of a run for programs: fid, state, result or error, duration_ms."""
    found: dict[str, Any] = {"fid": record.fid, "state": str(record.state)}
    if record.flow:
        found["flow"] = record.flow
    if record.state is RunState.COMPLETED:
        found["result"] = record.result
        if record.failures:
            found["failures"] = record.failures
    elif record.error is not None:
        found["error"] = record.error
    elif record.reason:
        found["reason"] = record.reason
    if record.duration_ms is not None:
        found["duration_ms"] = round(record.duration_ms, 3)
    return found


def print_outcome(console: Console, record: RunRecord) -> None:
    """The outcome as one line of JSON on stdout."""
    print_json(console, outcome(record))


def print_error(console: Console, error: Error) -> None:
    """Why a run failed: where, what, and what to do next."""
    where = f"{error.node}: " if error.node and not error.message.startswith(f"{error.node}:") else ""
    code = f" [{error.code}]" if error.code not in ("", "error") else ""
    console.error(f"{where}{error.message}{code}", error.remedy)
