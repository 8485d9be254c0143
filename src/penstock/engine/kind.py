"""Kinds: what a node can be.

A kind is a class. Its annotated fields are the config, its `in_ports` and `out_ports`
say what it connects to, and `run` is the code. An instance is one node, made when its
graph is loaded; what it keeps in other attributes (pools, caches, counters) lives across
runs until `unload`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, dataclass_transform, get_type_hints

from penstock.core.payload import Payload
from penstock.core.policies import Join
from penstock.core.ports import Port, Ports
from penstock.core.problems import Path

if TYPE_CHECKING:
    from penstock.engine.binding import Binder
    from penstock.engine.nesting import Nesting
    from penstock.engine.resident.trigger import TriggerContext


Inputs = Mapping[str, Payload]
"""What arrived: in-port → payload. Every declared in-port without a family is present."""

Outputs = Mapping[str, Payload] | None
"""What is sent: out-port → payload, or an `Emit` of several. None sends nothing."""


Relayed = tuple[str, Payload]
"""By which out-port a relay sends, and what."""

NOTHING: Final[Relayed] = ("", None)
"""What a relay answers that sends nothing."""


class FieldError(ValueError):
    """What `check` or `bind` raises about one field, so that a message can point at it.

    field: its name, or the path of what is wrong within it: `("match", 1, "when")`. To tell of
    several mistakes, raise an ExceptionGroup of these.
    """

    def __init__(self, field: str | Path, message: str) -> None:
        super().__init__(message)
        self.field = field

    @property
    def path(self) -> Path:
        """The place in the node's config."""
        return (self.field,) if isinstance(self.field, str) else self.field


def field(**options: Any) -> Any:
    """A config field with a `default_factory`, or hidden from documents with `init=False`."""
    return dataclasses.field(**options)


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
class Node:
    """The base of all kinds; derive from `Action`, `Control` or `Trigger`.

    `class Shout(Action, kind="text.shout", aliases=("shout",), pure=True)` names the kind.
    A class without `kind=` is a base for others.

    pure: running it again is harmless and gives the same result.
    blocking: `run` is a plain function that may wait, so it gets a thread. The default
    is True for a plain `run` of a kind that is not pure.
    """

    kind: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    pure: ClassVar[bool] = False
    blocking: ClassVar[bool] = False
    is_async: ClassVar[bool] = False
    wants_context: ClassVar[bool] = False
    normalised: ClassVar[bool] = False
    """Whether `run` returns nothing but payloads, so that its outputs need no check."""
    _config_types: ClassVar[dict[str, Any]]
    default_join: ClassVar[Join] = Join.ALL
    """What the node does with several linked in-ports when its spec does not say."""
    in_ports: ClassVar[Ports] = {"in": Port(default=None)}
    out_ports: ClassVar[Ports] = {"out": Port()}

    requires_call: ClassVar[bool] = False
    """Whether it is a mistake to link none of the ports that this control node calls."""
    port_aliases: ClassVar[Mapping[str, str]] = {}
    """Other names under which links may refer to a port: alias → port."""

    def __init_subclass__(
        cls,
        *,
        kind: str = "",
        aliases: tuple[str, ...] = (),
        pure: bool | None = None,
        blocking: bool | None = None,
        normalised: bool | None = None,
        **options: Any,
    ) -> None:
        super().__init_subclass__(**options)
        cls.kind = kind
        cls.aliases = aliases
        if pure is not None:
            cls.pure = pure
        if normalised is not None:
            cls.normalised = normalised
        run = getattr(cls, "run", None)
        if run is not None:
            cls.is_async = inspect.iscoroutinefunction(run)
            cls.wants_context = len(inspect.signature(run).parameters) > 2
            cls.blocking = (not cls.is_async and not cls.pure) if blocking is None else blocking
        dataclasses.dataclass(kw_only=True, eq=False)(cls)

    @classmethod
    def config_types(cls) -> dict[str, Any]:
        """The config fields a document may set, with their type hints."""
        if "_config_types" not in cls.__dict__:
            fields = dataclasses.fields(cls)  # type: ignore[arg-type]
            cls._config_types = _hints_of(cls, [item.name for item in fields if item.init])
        return cls._config_types

    @classmethod
    def required_config(cls) -> list[str]:
        """The config fields that a document must set."""
        return [
            item.name
            for item in dataclasses.fields(cls)  # type: ignore[arg-type]
            if item.init
            and item.default is dataclasses.MISSING
            and item.default_factory is dataclasses.MISSING
        ]

    def powers(self) -> tuple[str, ...]:
        """Other kinds that this node is as mighty as: who denies these to somebody means it, too."""
        return ()

    def bind(self, binder: Binder) -> None:
        """Look up what this node refers to, once, when its flow is compiled: ValueError if not there."""

    def nest(self, nesting: Nesting) -> None:
        """Compile the specs that this node holds; what is wrong with them is reported there."""

    def check(self) -> None:
        """Refuse a config whose fields do not fit: raise ValueError, or FieldError about one."""

    def ports(self) -> tuple[Ports, Ports]:
        """The in- and out-ports of this node, where the config decides about them."""
        return self.in_ports, self.out_ports

    async def load(self) -> None:
        """Called once before the first run: open pools, compile code.

        Where it fails, it cleans up behind itself: `unload` is not called then.
        """

    async def unload(self) -> None:
        """Called once when the node goes: close what `load` opened."""


def _hints_of(kind: type[Node], names: list[str]) -> dict[str, Any]:
    """The hints of these fields alone: others may name what only a type checker imports."""
    hints: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        own = {name: hint for name, hint in inspect.get_annotations(base).items() if name in names}
        holder = type(base.__name__, (), {"__annotations__": own, "__module__": base.__module__})
        hints |= get_type_hints(holder, include_extras=True)
    return {name: hints[name] for name in names}


class Action(Node):
    """A kind that maps inputs to outputs. It sees no ports and starts nothing.

    `run(self, inputs)` or `run(self, inputs, ctx)`, plain or `async`.
    """

    if TYPE_CHECKING:

        def run(self, *args: Any, **kwargs: Any) -> Any: ...


class Relay(Action):
    """An action that sends each payload on by one of its ports, or sends nothing.

    `relay(self, payload)` says by which port, and what; `NOTHING` sends nothing. Where a process
    has no more to do than to pass one payload from node to node, it is asked directly, which
    saves the mappings that `run` takes and returns.
    """

    if TYPE_CHECKING:

        def relay(self, payload: Payload) -> Relayed: ...

    def run(self, inputs: Inputs) -> Outputs:
        port, payload = self.relay(inputs["in"])
        return {port: payload} if port else None


class Control(Node):
    """A kind that may call: `await ctx.call(port, value)` runs what hangs from a port.

    `async run(self, inputs, ctx)`. Ports declared with `call=True` are called; what `run`
    returns is sent over the others.
    """

    if TYPE_CHECKING:

        def run(self, *args: Any, **kwargs: Any) -> Any: ...


class Trigger(Node):
    """A kind that starts root processes: what hangs from its ports runs once for each event.

    It belongs in a resident graph. `load` acquires what it needs (a socket, a watch); `open`
    begins to start processes, when everything that can be reached from here is loaded;
    `close` ends that, `drained` waits for what was started, and `unload` gives back what `load`
    acquired. A change behind it does none of this: the next process just takes the new way.

    All its out-ports are called. When a process fails, what hangs from the port `error`
    answers in its place, with the `Error` as its payload.

    durable: whether what it starts is recorded, and goes on after a crash.
    """

    durable: bool = False
    in_ports: ClassVar[Ports] = {}
    out_ports: ClassVar[Ports] = {"out": Port(doc="called for each event", call=True)}

    async def open(self, ctx: TriggerContext) -> None:
        """Begin to start processes. Returns soon; what goes on belongs to `ctx.own`."""

    def describe(self) -> str:
        """Where or when it starts processes, for people: an address, a schedule.

        Asked when it is open.
        """
        return ""

    async def close(self) -> None:
        """Start nothing more, and give back at once what a successor needs, such as a socket.

        Returns soon: the change that it is part of waits for it. Also called where `open` failed.
        """

    async def drained(self) -> None:
        """Return when what was started is over, or its time to end is up.

        What `ctx.own` holds is cancelled after this. The graph goes on changing meanwhile.
        """
