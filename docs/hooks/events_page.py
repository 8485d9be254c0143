"""The reference of event types, from the docstrings in `core/events.py`."""

from __future__ import annotations

from members import member_docs
from penstock.core.events import EFFECTS, EventType

HEAD = """# Events

Every run has one stream of events, and the stream is its journal. Each event has `seq` (dense
within the run, from 1), `at` (UTC), `type`, `node` (the firing it speaks of, as a path such as
`fetch` or `each[3]/parse`; empty for the run itself) and the fields below.
[Events](../concepts/events.md) tells how to read them.

"""


def page() -> str:
    """The page, as Markdown."""
    rows = ["| type | fields | kept by `record: effects` |", "|---|---|---|"]
    for member, doc in member_docs(EventType).items():
        name = EventType[member]
        rows.append(f"| `{name}` | {doc} | {'yes' if name in EFFECTS else 'no'} |")
    return HEAD + "\n".join(rows) + "\n"
