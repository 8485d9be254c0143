"""Words: stops, packets, processes and nodes, as the debugger shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from penstock.cli.catalogue import entry
from penstock.cli.results import pretty
from penstock.core.payload import Payload, to_json

if TYPE_CHECKING:
    from penstock.engine.catalog.stored import StoredSpec
    from penstock.engine.inspection.debugger import Stop
    from penstock.engine.inspection.trace import Passage
    from penstock.engine.redaction import Redactor
    from penstock.engine.resident.symbol import Report, Symbol

LINE: Final = 100
"""Characters of a packet that is shown in a line among others."""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def masked(payload: Payload, redactor: Redactor | None) -> Payload:
    """The packet without secrets: what is on a screen may be seen by others."""
    return payload if redactor is None else redactor.payload(payload)


def short(payload: Payload, redactor: Redactor | None) -> str:
    """A packet in a line."""
    text = to_json(masked(payload, redactor)).decode()
    return text if len(text) <= LINE else f"{text[:LINE]}…"


def stop_line(stop: Stop, origin: str) -> str:
    """That a process stopped, where, and with what. origin: where it began."""
    why = f"breakpoint {stop.why.number}" if stop.why else "step"
    lines = [f"stopped at {stop.spot}  ({why}; process {stop.spot.fid} of {origin})"]
    if stop.trouble:
        lines.append(f"  its condition failed: {stop.trouble}")
    if stop.packets:
        lines.append(f"  {short(_only(stop.packets), stop.run.journal.redactor)}")
    return "\n".join(lines)


def packet_page(stop: Stop, history: Iterable[Passage]) -> str:
    """The packet of a stop as a whole, and which way it came."""
    redactor = stop.run.journal.redactor
    lines = [str(stop.spot), *ways(history, redactor)]
    for port, payload in stop.packets.items():
        if len(stop.packets) > 1:
            lines.append(f"{port}:")
        lines.append(pretty(masked(payload, redactor)))
    return "\n".join(lines)


def ways(passages: Iterable[Passage], redactor: Redactor | None) -> list[str]:
    """Packets on their way, a line for each."""
    return [f"  {passage}  {short(passage.payload, redactor)}" for passage in passages]


def symbol_page(spec: StoredSpec, report: Report | None, symbols: Mapping[str, Symbol]) -> str:
    """A node: its status, its links in both directions, its spec, and what its kind is."""
    status = "unknown here" if report is None else str(report.status)
    lines = [f"{spec.key} ({spec.kind}) {status}, revision {spec.revision}"]
    if report is not None and report.serving not in (0, report.revision):
        lines.append(f"  revision {report.serving} serves")
    if report is not None and report.reason:
        lines.append(f"  {report.reason}")
    lines += _links(spec.key, symbols)
    lines.append("spec:")
    lines += [f"  {line}" for line in _yaml(spec).splitlines()]
    found = symbols.get(spec.key)
    if found is not None:
        kind = entry(type(found.node))
        lines.append(f"kind {kind.name}: {kind.summary}")
        lines += [f"  {line}".rstrip() for line in kind.text.splitlines()]
    return "\n".join(lines)


def _links(key: str, symbols: Mapping[str, Symbol]) -> list[str]:
    own = symbols[key].links if key in symbols else ()
    leaving = [f"  {link.port} → {link.node}.{link.to}" for link in own]
    arriving = [
        f"  {link.to} ← {other}.{link.port}"
        for other, symbol in symbols.items()
        for link in symbol.links
        if link.node == key
    ]
    return ["links:", *leaving, *arriving] if leaving or arriving else ["links: none"]


def _yaml(spec: StoredSpec) -> str:
    import yaml

    text: str = yaml.safe_dump(
        msgspec.to_builtins(spec.document), sort_keys=False, allow_unicode=True, width=LINE
    )
    return text


def _only(packets: Mapping[str, Payload]) -> Payload:
    if len(packets) == 1:
        (payload,) = packets.values()
        return payload
    return dict(packets)
