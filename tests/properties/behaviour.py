"""What the nodes of a random graph do: functions of their configuration and inputs alone.

Nothing here knows the engine. The kinds of `kinds.py` and the interpreter of
`reference.py` both ask it, so that they can only differ in when and how often they ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any, Final

IN_PORTS: Final = ("a", "b", "c")
PLAIN_PORTS: Final = ("x", "y")
MANY_PORT: Final = "m"
BODY_PORT: Final = "body"
ERROR_PORT: Final = "error"

CAUGHT: Final = "caught"
"""What a guarded control node sends in place of the results of children that failed."""


class Several(tuple[Any, ...]):
    """Packets that leave one port in one firing."""

    __slots__ = ()


class Fails(Exception):
    """The node fails; which of its attempts, and how, makes no difference."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """seed: what the choices are drawn from. fails: per cent of the inputs that make it fail."""

    seed: int
    fails: int = 0

    def outputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Payloads on a random subset of the ports. Raises Fails."""
        chance = self._chance(inputs)
        if chance.randrange(100) < self.fails:
            raise Fails
        sent: dict[str, Any] = {
            port: chance.randrange(50) for port in PLAIN_PORTS if chance.random() < 0.6
        }
        if chance.random() < 0.4:
            count = chance.choice((None, 0, 1, 2, 2))
            drawn = [chance.randrange(50) for _ in range(count or 1)]
            sent[MANY_PORT] = drawn[0] if count is None else Several(drawn[:count])
        return sent

    def items(self, inputs: Mapping[str, Any], calls: int) -> list[int]:
        """What a control node calls its body with."""
        chance = self._chance(inputs)
        return [chance.randrange(50) for _ in range(calls)]

    def _chance(self, inputs: Mapping[str, Any]) -> Random:
        given = sorted((port, _plain(value)) for port, value in inputs.items())
        text = repr((self.seed, given))
        return Random(int.from_bytes(blake2b(text.encode(), digest_size=8).digest()))


def _plain(value: Any) -> str:
    """A value as text. Failures look alike: which one came first is a matter of timing."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_plain(item)}" for key, item in sorted(value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_plain, value)) + "]"
    return "!" if is_failure(value) else repr(value)


def is_failure(value: Any) -> bool:
    """Whether a payload is the error of a node, the engine's or the reference's."""
    return type(value).__name__ in ("Error", "Failed")
