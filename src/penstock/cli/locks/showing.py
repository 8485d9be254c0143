"""How locks are shown."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from penstock.core.payload import to_json

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.cli.locks.desk import Asked
    from penstock.core.locks import CandidateRecord, LockRecord


def plain(asked: Asked) -> dict[str, Any]:
    """A lock for programs."""
    import msgspec

    # Field by field: a payload may hold what only the codec of payloads knows.
    found = msgspec.structs.asdict(asked.lock)
    candidates = [
        {**msgspec.structs.asdict(each), "reasons": msgspec.to_builtins(each.reasons)}
        for each in asked.lock.candidates
    ]
    return {"fid": asked.fid, "flow": asked.flow, **found, "candidates": candidates}


def print_lock(console: Console, asked: Asked) -> None:
    """A lock for people: what it asks, what it shows, what was submitted, and how to answer."""
    lock = asked.lock
    console.out(console.style(lock.title or lock.name, "bold", stream=console.stdout))
    if lock.description:
        console.out(lock.description)
    about = f"{lock.lid} of run {asked.fid} ({asked.flow})"
    console.out(console.style(f"{about}: {_state(lock)}", "dim", stream=console.stdout))
    if lock.data is not None:
        console.out(f"\n{_pretty(lock.data)}")
    if lock.schema is not None:
        console.out(f"\nan answer must fit:\n{_pretty(lock.schema)}")
    for candidate in lock.candidates:
        _print_candidate(console, candidate)
    if lock.open:
        console.hint(how_to_answer(asked.fid, lock))


def how_to_answer(fid: str, lock: LockRecord) -> str:
    """The command that submits a candidate, as far as its schema tells what to write."""
    names = list((lock.schema or {}).get("properties", {}))
    given = " ".join(f"--set {name}=…" for name in names) or ("" if lock.schema is None else "--input …")
    return f"`penstock locks release {fid} {lock.lid} {given}".rstrip() + "` answers"


def _print_candidate(console: Console, candidate: CandidateRecord) -> None:
    who = f" by {candidate.by}" if candidate.by else ""
    outcome = candidate.outcome or "undecided"
    console.out(f"\n{_when(candidate.at)}{who}: {to_json(candidate.value).decode()}: {outcome}")
    for reason in candidate.reasons:
        console.out(f"  {reason}")


def _state(lock: LockRecord) -> str:
    if lock.open:
        until = "" if lock.expires is None else f" until {_when(lock.expires)}"
        return f"open since {_when(lock.opened)}{until}"
    return f"{lock.state} {_when(lock.settled or lock.opened)}"


def _pretty(value: Any) -> str:
    from penstock.cli.results import pretty

    return value if isinstance(value, str) else pretty(value)


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
