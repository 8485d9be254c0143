"""The commands of the debugger: their names, what they take, and what they do."""

from __future__ import annotations

from typing import Final, NamedTuple

from penstock.core.errors import PenstockError
from penstock.core.problems import suggest


class Command(NamedTuple):
    """One command. takes: what stands behind it. text: what it does, its first line in short."""

    name: str
    aliases: tuple[str, ...]
    takes: str
    text: str


COMMANDS: Final = (
    Command(
        "break",
        ("b",),
        "NODE[.PORT] [if EXPR]",
        "Stop processes at a port.\n"
        "Without PORT: at every in-port of the node, or, of a trigger, where it starts processes.\n"
        "`*` stands for every node, and for every port. A node inside of a flow or a block has the\n"
        "names around it, `review/parse`, or just its own. EXPR is CEL, and sees the packet as `self`:\n"
        "`break hello.in if self.n > 3`. A process that stopped waits, and the others go on, unless\n"
        "`hold` says otherwise.",
    ),
    Command("unbreak", (), "NUMBER|NODE[.PORT]|*", "Remove a breakpoint, or all of them."),
    Command("breaks", (), "", "List the breakpoints."),
    Command(
        "hold",
        (),
        "all|one",
        "Say what waits while a process is stopped: all others as well, or just this one.\n"
        "`break all` is the same as `hold all`, unless a node has that name.",
    ),
    Command(
        "continue",
        ("c",),
        "[all]",
        "Let the stopped process go on to the next breakpoint.\n"
        "With `all`: every process that is stopped.",
    ),
    Command(
        "step",
        ("s",),
        "",
        "Let it go on to the next port that one of its packets passes.\nAn empty line does it again.",
    ),
    Command("next", ("n",), "", "The same, without stepping into what a node calls."),
    Command("processes", ("ps",), "", "List the processes that are under way."),
    Command(
        "process",
        (),
        "[ID]",
        "Show a process: where it is, and its packets so far.\n"
        "One that is stopped becomes the one that continue, step, packet and set mean. A part of the\n"
        "id is enough.",
    ),
    Command(
        "packet", ("p",), "", "Show the packet at which the process stopped, and where it came from."
    ),
    Command("set", (), "JSON", "Let another packet take its place."),
    Command("send", (), "NODE[.PORT] [JSON]", "Start a process with a packet for a node."),
    Command("symbols", (), "", "List the nodes of the namespace, with what became of each."),
    Command("symbol", (), "KEY", "Show a node: its spec, its links, its status and its kind."),
    Command("kill", (), "ID", "End a process; a part of its id is enough."),
    Command(
        "events",
        (),
        "on|off",
        "Tell of every process that begins and ends, and of every port that is passed, or stop it.",
    ),
    Command("help", ("h", "?"), "[COMMAND]", "List the commands, or explain one."),
    Command("quit", ("q", "exit"), "", "Let everything go on, and stop serving."),
)

_BY_NAME: Final = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}


def find(name: str) -> Command:
    """The command of a name, an alias, or the beginning of a name. Raises PenstockError."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    fitting = [command for command in COMMANDS if command.name.startswith(name)]
    shortest = min(fitting, key=lambda command: len(command.name), default=None)
    if shortest and all(command.name.startswith(shortest.name) for command in fitting):
        return shortest
    if fitting:
        names = ", ".join(command.name for command in fitting)
        raise PenstockError(f"`{name}` may be {names}", remedy="write more of it")
    names_known = [command.name for command in COMMANDS]
    raise PenstockError(f"there is no command `{name}`", remedy=suggest(name, names_known))


def overview() -> str:
    """Every command with its summary."""
    heads = {command: " ".join((command.name, command.takes)).strip() for command in COMMANDS}
    width = max(map(len, heads.values()))
    lines = [
        f"{head:{width}}  {command.text.partition(chr(10))[0]}"
        + (f" ({', '.join(command.aliases)})" if command.aliases else "")
        for command, head in heads.items()
    ]
    return "\n".join(lines)


def explanation(command: Command) -> str:
    """All there is to say about one command."""
    also = f"  (also {', '.join(command.aliases)})" if command.aliases else ""
    return f"{command.name} {command.takes}".strip() + f"{also}\n{command.text}"
