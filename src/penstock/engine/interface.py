"""What others see of a node: its ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from penstock.core.ports import Port, Ports, look_up

if TYPE_CHECKING:
    from penstock.engine.kind import Node


class Interface(NamedTuple):
    """The ports of one node. Its config may be wrong, as long as it has no say in them."""

    kind: type[Node]
    inputs: Ports
    outputs: Ports

    @classmethod
    def of(cls, node: Node) -> Interface:
        return cls(type(node), *node.ports())

    def own(self, port: str) -> str:
        """The port that a name or alias means."""
        return self.kind.port_aliases.get(port, port)

    def target(self, port: str) -> str:
        """The in-port that a link's name means: `in` of a node that has one other means that one."""
        return _meant(self.own(port), "in", self.inputs)

    def source(self, port: str) -> str:
        """The out-port that is meant where a node is asked for what it sends, in the same way."""
        return _meant(self.own(port), "out", self.outputs)

    def output(self, port: str) -> Port | None:
        """The declaration of an out-port; every node has `error`."""
        return look_up(self.outputs, port) or (Port() if port == "error" else None)

    def input(self, port: str) -> Port | None:
        """The declaration of an in-port."""
        return look_up(self.inputs, port)


def _meant(port: str, usual: str, ports: Ports) -> str:
    if port == usual and usual not in ports:
        plain = [name for name in ports if not name.endswith("[]")]
        return plain[0] if len(plain) == 1 else port
    return port
