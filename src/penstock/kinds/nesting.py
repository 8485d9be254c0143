"""Kinds that hold other specs: a graph inside of a node."""

from __future__ import annotations

from typing import ClassVar

from penstock.core.ports import Port, Ports
from penstock.engine.holder import Holder


class Block(Holder, kind="block", aliases=("control.block",)):
    """Hold a graph of specs that looks like one node from outside.

    The specs have names of their own: nothing outside can link to them, and they link to
    nothing outside. What they do is part of the process around them, with its transactions and
    everything else that it has open. A failure inside that no `error` port inside takes is the
    block's failure.

    Config: specs, a list of nodes; those that have no links at all run one after the other, where
    neither of the following says how they are reached. inbounds: in-port of the block → `node.port`
    inside, one or several (`in` goes to every node inside that nothing leads to). outbounds:
    out-port of the block → `node.port` inside (`out` sends the response of the graph).

    Ports: in, or those of `inbounds` → out, or those of `outbounds`.

    Example:
        flow: invoice
        nodes:
          - kind: block
            name: total
            specs:
              - {kind: snippet, language: json, code: '{"net": 100}'}
              - {kind: snippet, language: cel, code: 'self.net * 2'}
    """

    out_ports: ClassVar[Ports] = {"out": Port()}


class Step(Holder, kind="step", aliases=("control.step",)):
    """Hold a graph of specs that runs as a child process of its own.

    It reads like a `block`. The difference is what ends with it: what its nodes open is
    closed when the step is over. A transaction that they begin commits then, or is rolled back
    when the step fails; within a transaction of the process around it, that is a savepoint.

    Config: specs, inbounds, outbounds, as for `block`.

    Ports: in, or those of `inbounds` → out, or those of `outbounds`.

    Errors: that of the node inside that failed.

    Example:
        flow: careful
        nodes:
          - kind: step
            name: look
            specs:
              - {kind: snippet, language: json, code: '[1, 2, 3]'}
              - {kind: snippet, language: cel, code: size(self)}
            links: {out: say}
          - {kind: debug.log, name: say}
    """

    apart: ClassVar[bool] = True
    out_ports: ClassVar[Ports] = {"out": Port()}
