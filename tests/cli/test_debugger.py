"""The debugger's commands, and what they answer."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.resident.world import World, bell, world

from penstock.cli.debug.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.core.payload import Payload

GRAPH: list[dict[str, Any]] = [
    bell("names"),
    {"kind": "snippet", "name": "names", "language": "cel", "code": '[self.name, "you"]',
     "links": {"out": "each"}},
    {"kind": "loop", "name": "each", "links": {"out": "greet", "done": "all"}},
    {"kind": "snippet", "name": "greet", "language": "cel", "code": '"hello " + self'},
    {"kind": "snippet", "name": "all", "language": "jinja", "code": '{{ input | join(" and ") }}'},
    {"kind": "snippet", "name": "lost", "language": "cel", "code": "self", "links": {"out": "nowhere"}},
]  # fmt: skip
ANN = "hello ann and hello you"


class Talk:
    """A session about a namespace in memory: what it says is kept, line by line."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.session = Session(self._hear)
        self.world: World

    def _hear(self, text: str) -> None:
        for line in text.splitlines():
            self.said.put_nowait(line)

    def ring(self, name: str) -> asyncio.Task[Payload]:
        """Start a process."""
        return self.world.runtime.own(self.world.ring({"name": name}), "test:ring")

    async def ask(self, command: str) -> list[str]:
        """What is said before the command is carried out."""
        assert self.said.empty(), self.said
        assert await self.session.obey(command)
        return [self.said.get_nowait() for _ in range(self.said.qsize())]

    async def tell(self, command: str) -> None:
        """Have a command carried out whose consequences are waited for."""
        await self.session.obey(command)

    async def until(self, words: str) -> list[str]:
        """What is said up to the line that has these words."""
        lines = [""]
        async with asyncio.timeout(10):
            while words not in lines[-1]:
                lines.append(await self.said.get())
        return lines[1:]

    async def stopped(self) -> list[str]:
        """The lines of the next stop: where, and with what."""
        return [(await self.until("stopped at "))[-1], (await self.until(" "))[-1]]


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    found = Talk()
    async with world(inspector=found.session.debugger, observer=found.session) as found.world:
        found.session.attend(found.world.resident, found.world.specs)
        await found.world.apply(*GRAPH)
        yield found
        found.session.debugger.detach()


async def test_a_stop_says_where_why_and_with_what(talk: Talk) -> None:
    assert await talk.ask("break names") == ["breakpoint 1: names"]
    answer = talk.ring("ann")
    where, what = await talk.stopped()
    assert re.fullmatch(r"stopped at names\.in  \(breakpoint 1; process \w{20} of bell\.out\)", where)
    assert what == '  {"name":"ann"}'
    (end,) = await talk.ask("continue")
    assert end.endswith(" of bell completed")
    assert await answer == ANN


async def test_a_packet_shows_the_way_it_came(talk: Talk) -> None:
    await talk.ask("break greet")
    talk.ring("ann")
    await talk.stopped()
    assert await talk.ask("packet") == [
        "each/greet.in",
        '  bell.out → names.in  {"name":"ann"}',
        '  names.out → each.in  ["ann","you"]',
        '  each.out → each[0]/greet.in  "ann"',
        '"ann"',
    ]


async def test_an_empty_line_repeats_a_step_to_the_end_of_the_process(talk: Talk) -> None:
    await talk.ask("break all.in")
    answer = talk.ring("ann")
    await talk.stopped()
    await talk.tell("step")
    where, what = await talk.stopped()
    assert where.startswith("stopped at all.out  (step; ")
    assert what == f'  "{ANN}"'
    await talk.tell("")
    (line,) = await talk.until("completed")
    assert line.endswith(" of bell completed")
    assert await answer == ANN


async def test_an_empty_line_repeats_nothing_else(talk: Talk) -> None:
    await talk.ask("break names")
    assert await talk.ask("") == []
    assert await talk.ask("breaks") == ["1  names  0 stops"]


async def test_next_passes_over_what_a_node_calls_and_step_does_not(talk: Talk) -> None:
    await talk.ask("break each")
    answer = talk.ring("ann")
    await talk.stopped()
    await talk.tell("next")
    assert (await talk.stopped())[0].startswith("stopped at each.done ")
    await talk.tell("continue")
    await answer
    talk.ring("bob")
    await talk.stopped()
    await talk.tell("s")
    assert (await talk.stopped())[0].startswith("stopped at each.out ")
    await talk.tell("s")
    where, what = await talk.stopped()
    assert where.startswith("stopped at each/greet.in ")
    assert what == '  "bob"'


async def test_a_condition_lets_the_others_pass(talk: Talk) -> None:
    await talk.ask("break names if self.name == 'bob'")
    assert await talk.ring("ann") == ANN
    answer = talk.ring("bob")
    await talk.stopped()
    assert await talk.ask("breaks") == ["1  names if self.name == 'bob'  1 stops"]
    await talk.tell("c")
    await answer


@pytest.mark.parametrize("expression", ["self.nothing > 3", "self.name"])
async def test_a_condition_that_cannot_be_told_stops_and_says_why(talk: Talk, expression: str) -> None:
    await talk.ask(f"break names if {expression}")
    talk.ring("ann")
    _, trouble = await talk.stopped()
    assert trouble.startswith("  its condition failed: ")
    assert "nothing" in trouble or "neither true nor false" in trouble


async def test_another_packet_takes_the_place_of_the_one_that_stopped(talk: Talk) -> None:
    await talk.ask("break each/greet")
    await talk.ask("break all.out")
    answer = talk.ring("ann")
    await talk.stopped()
    assert await talk.ask('set "eve"') == []
    assert (await talk.ask("packet"))[-1] == '"eve"'
    assert await talk.ask("unbreak each/greet") == ["removed: 1"]
    await talk.tell("continue")
    assert (await talk.stopped())[1] == '  "hello eve and hello you"'
    await talk.ask("set 5")
    await talk.tell("continue")
    assert await answer == 5


async def test_several_packets_are_replaced_together(talk: Talk) -> None:
    joint = {"kind": "merge", "name": "joint"}
    twice = {"kind": "snippet", "name": "twice", "language": "cel", "code": "1",
             "links": {"out": ["joint.in[0]", "joint.in[1]"]}}  # fmt: skip
    await talk.world.apply(joint, twice)
    await talk.ask("break joint")
    await talk.tell("send twice")
    assert (await talk.stopped())[1] == '  {"in[0]":1,"in[1]":1}'
    assert await talk.ask("set 7") == [
        "the ports here are in[0], in[1]; write a mapping with one packet for each"
    ]
    assert await talk.ask('set {"in[0]": 7, "in[1]": 8}') == []
    await talk.tell("continue")
    assert (await talk.until("answered"))[-1] == "twice answered [7,8]"


async def test_a_process_can_be_chosen_and_ended_while_others_wait(talk: Talk) -> None:
    await talk.ask("break names")
    first = talk.ring("ann")
    await talk.stopped()
    second = talk.ring("bob")
    await talk.stopped()
    one, two = (line.split()[0] for line in await talk.ask("ps"))
    assert (await talk.ask("packet"))[-2] == '  "name": "ann"'
    assert await talk.ask(f"process {two[-8:]}") == [
        f"{two} of bell.out, stopped at names.in",
        '  bell.out → names.in  {"name":"bob"}',
    ]
    assert (await talk.ask("packet"))[-2] == '  "name": "bob"'
    await talk.tell(f"kill {two}")
    await talk.until(f"process {two} of bell cancelled")
    assert second.cancelled()
    (row,) = await talk.ask("ps")
    assert re.fullmatch(rf"{one}  bell\.out  \S+  stopped at names\.in", row)
    await talk.tell("continue all")
    assert await first == ANN


async def test_a_run_that_is_recorded_stops_and_ends_like_any_other_process(talk: Talk) -> None:
    nodes = [
        {"kind": "note", "name": "inner", "links": {"out": "tail"}},
        {"kind": "note", "name": "tail"},
    ]
    await talk.world.apply({"flow": "work", "nodes": nodes})
    await talk.ask("break tail")
    run = await talk.world.runtime.launch(talk.world.resident.flow("work"), {"in": 1})
    where, _ = await talk.stopped()
    assert where == f"stopped at tail.in  (breakpoint 1; process {run.fid} of a recorded run)"
    (row,) = await talk.ask("ps")
    assert re.fullmatch(rf"{run.fid}  work  \S+  stopped at tail\.in", row)
    await talk.tell(f"kill {run.fid}")
    await talk.until(f"process {run.fid} of work cancelled")


async def test_others_wait_while_one_is_stopped_if_that_is_wanted(talk: Talk) -> None:
    await talk.ask("break names if self.name == 'ann'")
    assert await talk.ask("hold all") == ["while a process is stopped, all others wait"]
    talk.ring("ann")
    await talk.stopped()
    other = talk.ring("bob")
    for _ in range(50):
        await asyncio.sleep(0)
    assert not other.done()
    assert await talk.ask("hold one") == ["while a process is stopped, the others go on"]
    assert await other == "hello bob and hello you"


async def test_nodes_are_listed_with_what_became_of_each(talk: Talk) -> None:
    rows = await talk.ask("symbols")
    assert [row.split()[0] for row in rows] == ["all", "bell", "each", "greet", "lost", "names"]
    assert rows[4].split(maxsplit=3)[2:] == ["waiting", "`nowhere` is missing"]


async def test_a_node_shows_its_spec_its_links_its_status_and_its_kind(talk: Talk) -> None:
    page = await talk.ask("symbol names")
    assert page[:4] == [
        "names (snippet) active, revision 1",
        "links:",
        "  out → each.in",
        "  in ← bell.out",
    ]
    assert """  code: '[self.name, "you"]'""" in page
    assert any(line.startswith("kind snippet: Answer a payload") for line in page)
    assert (await talk.ask("symbol lost"))[:3] == [
        "lost (snippet) waiting, revision 1",
        "  `nowhere` is missing",
        "links: none",
    ]


async def test_a_broken_node_shows_what_is_wrong_and_what_serves(talk: Talk) -> None:
    await talk.world.broken({"kind": "snippet", "name": "names", "language": "cel", "code": "self..x"})
    head, serving, reason, *_ = await talk.ask("symbol names")
    assert (head, serving) == ("names (snippet) broken, revision 2", "  revision 1 serves")
    assert "the cel code cannot be used" in reason


async def test_a_packet_may_be_sent_to_a_node_without_its_trigger(talk: Talk) -> None:
    await talk.tell('send greet "there"')
    assert await talk.until("answered") == ['greet answered "hello there"']
    await talk.tell("send greet.in 5")
    (line,) = await talk.until("failed")
    assert line.startswith("greet.in failed: ")


async def test_events_tell_of_everything_until_they_are_switched_off(talk: Talk) -> None:
    await talk.ask("events on")
    await talk.tell('send greet "x"')
    told = await talk.until("answered")
    assert [re.sub(r"1m\w{18}", "ID", line) for line in told] == [
        "ID  began at greet",
        "ID  out  greet.in",
        "ID  in  greet.in",
        "ID  out  greet.out",
        "process ID of greet completed",
        'greet answered "hello x"',
    ]
    await talk.ask("events off")
    await talk.tell('send greet "x"')
    assert await talk.until("answered") == ['greet answered "hello x"']


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("brek", "there is no command `brek`; did you mean `break`?"),
        ("se", "`se` may be set, send; write more of it"),
        ("s", "no process is stopped; `break NODE` has them stop at a node"),
        ("p", "no process is stopped; `break NODE` has them stop at a node"),
        ("c now", "continue what? `now` is nothing; continue [all]"),
        ("ps", "no processes"),
        ("breaks", "no breakpoints"),
        ("break", "break where?; break NODE[.PORT] [if EXPR]"),
        ("break names.outt", "`names` has no port `outt`; did you mean `out`?"),
        ("break names when", "`when` is no condition; write `if` and a CEL expression"),
        ("hold", "hold what?; hold all|one"),
        ("unbreak 7", "there is no breakpoint `7`; `breaks` lists them"),
        ("kill", "which process?; `processes` lists them"),
        ("kill 0", "no process has the id `0`; `processes` lists them"),
        ("events maybe", "on or off?; events on|off"),
        ("symbol", "which node?; `symbols` lists them"),
        ("symbol nams", "the namespace `default` has no spec `nams`; did you mean `names`?"),
        ("send nams", "no active node takes a packet at `nams.in`; did you mean `names`?"),
        ("help brek", "there is no command `brek`; did you mean `break`?"),
    ],
)
async def test_a_mistake_is_answered_with_what_would_be_right(
    talk: Talk, line: str, answer: str
) -> None:
    assert await talk.ask(line) == [answer]


async def test_a_broken_expression_is_refused(talk: Talk) -> None:
    (line,) = await talk.ask("break names if self..x")
    assert line.startswith("the expression cannot be used: ")
    assert talk.session.debugger.breakpoints == {}


async def test_a_node_that_is_not_there_may_come(talk: Talk) -> None:
    assert await talk.ask("break nams") == [
        "breakpoint 1: nams",
        "  no node of the namespace is called `nams` at the moment; did you mean `names`?",
    ]
    assert await talk.ask("unbreak *") == ["removed: 1"]


async def test_help_lists_the_commands_and_explains_each(talk: Talk) -> None:
    lines = await talk.ask("help")
    assert [line.split()[0] for line in lines][:3] == ["break", "unbreak", "breaks"]
    assert (await talk.ask("? b"))[0] == "break NODE[.PORT] [if EXPR]  (also b)"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("un", ("un", ["unbreak"])),
        ("b each.d", ("each.d", ["each.done"])),
        ("symbol l", ("l", ["lost"])),
        ("events o", ("o", ["off", "on"])),
        ("help ev", ("ev", ["events"])),
        ("break names if s", ("s", [])),
        ("nonsense x", ("x", [])),
    ],
)
async def test_what_is_typed_is_completed(talk: Talk, text: str, found: tuple[str, list[str]]) -> None:
    assert talk.session.complete(text) == found


async def test_the_last_line_lets_everything_go_on(talk: Talk) -> None:
    async def lines() -> AsyncIterator[str]:
        yield "break names"
        yield "hold all"
        answers.append(talk.ring("ann"))
        await talk.stopped()
        yield "quit"
        raise AssertionError("nothing is read behind `quit`")

    answers: list[asyncio.Task[Payload]] = []
    await talk.session.converse(lines())
    assert await answers[0] == ANN
    assert await talk.ring("ann") == ANN
