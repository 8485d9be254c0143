"""Sites: what a node brings to every plan that it is part of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from penstock.core.payload import Payload, normalise
from penstock.core.ports import look_up

if TYPE_CHECKING:
    from penstock.core.duration import Duration
    from penstock.core.policies import Join, Retry
    from penstock.core.spec import Link, NodeSpec
    from penstock.engine.kind import Node


class Site:
    """A node's instance, links and policies.

    links: out-port, key of the node they lead to, and its in-port. config_inputs: the payloads
    that its config has for in-ports.
    """

    __slots__ = ("config_inputs", "join", "links", "name", "node", "retry", "timeout")

    def __init__(
        self,
        name: str,
        node: Node,
        *,
        links: tuple[tuple[str, str, str], ...] = (),
        retry: Retry | None = None,
        timeout: Duration | None = None,
        join: Join | None = None,
        config_inputs: Mapping[str, Payload] | None = None,
    ) -> None:
        self.name = name
        self.node = node
        self.links = links
        self.retry = retry
        self.timeout = timeout
        self.join = join
        self.config_inputs = dict(config_inputs or {})

    @classmethod
    def of(cls, name: str, node: Node, spec: NodeSpec, links: Iterable[Link]) -> Site:
        """The site of a node that was made of a spec; its links are those that can be followed."""
        return cls(
            name,
            node,
            links=tuple((link.port, link.node, link.to) for link in links),
            retry=spec.retry,
            timeout=spec.timeout,
            join=spec.join,
            config_inputs={
                port: normalise(getattr(node, port))
                for port in node.ports()[0]
                if port in spec.config and hasattr(node, port)
            },
        )

    def calls(self, port: str) -> bool:
        """Whether links of this out-port are called rather than sent over."""
        declared = look_up(self.node.ports()[1], port)
        return declared is not None and declared.call
