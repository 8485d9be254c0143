"""The calls of a flow: what hangs from a called port can only be fed from inside of it."""

from __future__ import annotations

from penstock.engine.wiring import Wiring


def check_calls(wiring: Wiring, *, shared: bool = False) -> None:
    """Report nodes that call nothing, and calls that wait for something outside.

    shared: a node may belong to the ways of several triggers, so that what leads to it from
    elsewhere is no mistake.
    """
    for key, face in wiring.faces.items():
        ports = dict.fromkeys(link.port for link in wiring.outgoing[key])
        called = [port for port in ports if wiring.is_call(key, port)]
        for port in () if shared else called:
            _check_call(wiring, key, port)
        misled = len(wiring.outgoing[key]) < len(wiring.specs[key].links)
        if face.kind.requires_call and not called and not misled:
            declared = [port for port, about in face.outputs.items() if about.call]
            ways = " or ".join(f"`{port.replace('[]', '[0]')}`" for port in declared)
            message = f"`{key}` has nothing to call"
            wiring.findings.report(message, wiring.specs[key].at, hint=f"link its port {ways}")


def _check_call(wiring: Wiring, caller: str, port: str) -> None:
    inside = _reached(wiring, caller, port)
    for name in inside:
        arriving = wiring.incoming[name]
        fed_inside = {link.to for source, link in arriving if source in inside}
        for source, link in arriving:
            if wiring.is_call(source, link.port) or source in inside or link.to in fed_inside:
                continue
            wiring.findings.report(
                f"`{caller}.{port}` calls `{name}`, "
                f"which also waits for `{source}` outside of that call",
                link.at,
                hint=f"link `{source}` into what `{caller}` gets, or `{name}` behind `{caller}`",
            )


def _reached(wiring: Wiring, caller: str, port: str) -> list[str]:
    """What packets reach when this port is called."""
    stack = [link.node for link in wiring.outgoing[caller] if link.port == port]
    inside: dict[str, None] = {}
    while stack:
        name = stack.pop()
        if name not in inside:
            inside[name] = None
            stack += [link.node for link in wiring.outgoing[name] if not wiring.is_call(name, link.port)]
    return list(inside)
