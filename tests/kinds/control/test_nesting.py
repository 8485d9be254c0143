"""`block` and `step`: what goes in, what comes out, what fails inside, and what a replay repeats."""

from __future__ import annotations

import asyncio
import textwrap
from typing import TYPE_CHECKING, ClassVar

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import recorded, result_of, seen

from penstock import Runtime
from penstock.core.errors import DocumentError, NodeError, RunFailed
from penstock.core.ports import Emit, Port, Ports
from penstock.engine.kind import Action, Inputs, Outputs
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kinds.control.conftest import RunFlow

BOTH = pytest.mark.parametrize("kind", ["block", "step"])


def holder(kind: str, rest: str, *, links: str = "") -> str:
    """A flow whose input `x` goes through a block or a step named `b`."""
    text = f"""
        flow: nested
        inputs: {{x: {{}}}}
        nodes:
          - {{kind: snippet, name: x, language: cel, code: self.x, links: {{out: b}}}}
          - kind: {kind}
            name: b
    """
    return textwrap.dedent(text) + textwrap.indent(textwrap.dedent(rest), " " * 4) + links


def cel(name: str, code: str, links: str = "") -> str:
    more = f", links: {{{links}}}" if links else ""
    return f"{{kind: snippet, name: {name}, language: cel, code: '{code}'{more}}}"


# --- what goes in, and what comes out -------------------------------------------------


@BOTH
async def test_specs_without_links_run_one_after_the_other(run_flow: RunFlow, kind: str) -> None:
    specs = f"specs:\n  - {cel('a', 'self + 1')}\n  - {cel('b', 'self * 10')}\n"
    assert await run_flow(holder(kind, specs), x=2) == 30


@BOTH
async def test_what_arrives_goes_to_every_node_that_nothing_leads_to(
    run_flow: RunFlow, kind: str
) -> None:
    specs = f"""
        specs:
          - {cel("a", "self + 1", "out: 'm.in[0]'")}
          - {cel("c", "self + 2", "out: 'm.in[1]'")}
          - {{kind: merge, name: m}}
    """
    assert await run_flow(holder(kind, specs), x=1) == [2, 3]


@BOTH
async def test_several_leaves_answer_with_a_list_in_the_order_of_their_links(
    run_flow: RunFlow, kind: str
) -> None:
    specs = f"""
        specs:
          - {cel("a", "self", "out: [d, c]")}
          - {cel("c", "self + 1")}
          - {cel("d", "self + 2")}
    """
    assert await run_flow(holder(kind, specs), x=1) == [3, 2]


@BOTH
async def test_a_graph_that_answers_nothing_sends_nothing(run_flow: RunFlow, kind: str) -> None:
    specs = """
        specs:
          - {kind: switch, name: big, match: [{when: self > 10, port: "out[0]"}]}
        links: {out: told}
    """
    told = f"\n  - {cel('told', '[self]')}\n"
    assert await run_flow(holder(kind, specs, links=told), x=20) == [20]
    assert await run_flow(holder(kind, specs, links=told), x=1) is None


@BOTH
async def test_inbounds_and_outbounds_are_the_ports(run_flow: RunFlow, kind: str) -> None:
    specs = f"""
        specs:
          - {cel("double", "self * 2")}
          - {cel("square", "self * self")}
        inbounds: {{in: [double, square]}}
        outbounds: {{twice: double, squared: square.out}}
        links: {{twice: "m.in[1]", squared: "m.in[0]"}}
    """
    assert await run_flow(holder(kind, specs, links="\n  - {kind: merge, name: m}\n"), x=5) == [25, 10]


@BOTH
async def test_an_inbound_may_name_an_id_as_links_do(run_flow: RunFlow, kind: str) -> None:
    specs = """
        specs:
          - {kind: snippet, id: "7", name: a, language: cel, code: self + 1}
        inbounds: {in: {id: "7"}}
        outbounds: {out: {id: "7"}}
    """
    assert await run_flow(holder(kind, specs), x=1) == 2


@BOTH
async def test_two_in_ports_are_joined_inside(run_flow: RunFlow, kind: str) -> None:
    text = f"""
        flow: joined
        nodes:
          - {{kind: snippet, name: l, language: json, code: '1', links: {{out: b.left}}}}
          - {{kind: snippet, name: r, language: json, code: '2', links: {{out: b.right}}}}
          - kind: {kind}
            name: b
            specs: [{{kind: merge, name: m}}]
            inbounds: {{left: "m.in[0]", right: "m.in[1]"}}
    """
    assert await run_flow(text) == [1, 2]


@BOTH
async def test_an_in_port_that_got_nothing_is_null_inside(run_flow: RunFlow, kind: str) -> None:
    text = f"""
        flow: half
        nodes:
          - {{kind: snippet, name: l, language: json, code: '1', links: {{out: b.left}}}}
          - {{kind: switch, name: never, match: [], links: {{"out[0]": b.right}}}}
          - kind: {kind}
            name: b
            join: any
            specs: [{{kind: merge, name: m}}]
            inbounds: {{left: "m.in[0]", right: "m.in[1]"}}
    """
    assert await run_flow(text) == [1, None]


class Burst(Action, kind="burst", pure=True):
    """Sends each item of a list as a packet of its own."""

    out_ports: ClassVar[Ports] = {"out": Port(many=True)}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": Emit(inputs["in"])}


@BOTH
async def test_several_packets_leave_one_by_one(kind: str) -> None:
    specs = """
        specs:
          - {kind: burst, name: all}
        outbounds: {out: all}
        links: {out: each}
    """
    text = holder(kind, specs, links=f"\n  - {cel('each', 'self * 10')}\n")
    async with Runtime("memory:") as runtime:
        assert await result_of(await runtime.start(graph(text, Burst), x=[1, 2, 3])) == [10, 20, 30]
        assert await result_of(await runtime.start(graph(text, Burst), x=[4])) == 40
        assert await result_of(await runtime.start(graph(text, Burst), x=[])) is None


@BOTH
async def test_a_block_in_a_loop_in_a_block_keeps_its_packets_apart(
    run_flow: RunFlow, kind: str
) -> None:
    specs = f"""
        specs:
          - {{kind: loop, name: each, links: {{"out[0]": inner, "out[1]": sum}}}}
          - kind: {kind}
            name: inner
            specs:
              - {cel("add", "self + 1")}
              - {cel("mul", "self * 2")}
          - {cel("sum", "size(self)")}
    """
    assert await run_flow(holder(kind, specs), x=[1, 2, 3]) == 3


# --- what fails inside ----------------------------------------------------------------


@BOTH
async def test_a_failure_inside_is_that_of_the_node_around(run_flow: RunFlow, kind: str) -> None:
    specs = """
        specs: [{kind: throw, name: t, message: too bad, code: bad}]
        links: {error: sorry}
    """
    sorry = f"\n  - {cel('sorry', 'self.error()')}\n"
    assert await run_flow(holder(kind, specs, links=sorry), x=1) == "too bad"


@BOTH
async def test_a_failure_inside_says_where_it_was(run_flow: RunFlow, kind: str) -> None:
    with pytest.raises(RunFailed) as caught:
        await run_flow(holder(kind, "specs: [{kind: throw, name: t, message: no, code: bad}]\n"), x=1)
    assert caught.value.error.code == "bad"
    assert caught.value.error.node == {"block": "b/t", "step": "b[0]/t"}[kind]


@BOTH
async def test_an_error_port_inside_takes_it(run_flow: RunFlow, kind: str) -> None:
    specs = f"""
        specs:
          - {{kind: throw, name: t, message: too bad, links: {{error: sorry}}}}
          - {cel("sorry", '"caught: " + self.error()')}
    """
    assert await run_flow(holder(kind, specs), x=1) == "caught: too bad"


class Flaky(Action, kind="flaky"):
    """Fails until it was asked `times` times."""

    times: int
    asked: ClassVar[int] = 0

    async def run(self, inputs: Inputs) -> Outputs:
        type(self).asked += 1
        if self.asked < self.times:
            raise NodeError("not yet", code="early")
        return {"out": self.asked}


@BOTH
async def test_a_retry_runs_the_whole_graph_inside_again(kind: str) -> None:
    Flaky.asked = 0
    specs = f"""
        retry: {{attempts: 3, delay: 0s}}
        specs:
          - {cel("first", "self")}
          - {{kind: flaky, name: f, times: 3}}
    """
    async with Runtime("memory:") as runtime:
        assert await result_of(await runtime.start(graph(holder(kind, specs), Flaky), x=1)) == 3


# --- what a replay repeats ------------------------------------------------------------


class Counted(Action, kind="counted"):
    """An effect that is counted; one that is held waits for its gate."""

    tag: str
    held: bool = False
    done: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event]

    async def run(self, inputs: Inputs) -> Outputs:
        if self.held:
            await self.gate.wait()
        self.done.append(self.tag)
        return {"out": [*(inputs["in"] or []), self.tag]}


@pytest.mark.parametrize(("kind", "held"), [("block", "b/two"), ("step", "b[0]/two")])
async def test_a_recorded_run_goes_on_inside_without_doing_anything_twice(
    tmp_path: Path, kind: str, held: str
) -> None:
    Counted.done.clear()
    Counted.gate = asyncio.Event()
    specs = """
        specs:
          - {kind: counted, name: one, tag: one}
          - {kind: counted, name: two, tag: two, held: true}
          - {kind: counted, name: three, tag: three}
        links: {out: four}
    """
    text = holder(kind, specs, links="\n  - {kind: counted, name: four, tag: four}\n")
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url) as first:
        run = await first.start(graph(text, Counted), x=[])
        await seen(run, "node.started", held)
    assert Counted.done == ["one"]
    Counted.gate.set()
    async with Runtime(url, scheme=scheme_with(Counted)) as second:
        assert await result_of(second.get(run.fid)) == ["one", "two", "three", "four"]
        completed = [each.node for each in await recorded(second, run) if each.type == "node.completed"]
    assert Counted.done == ["one", "two", "three", "four"]
    assert sorted(completed) == sorted(set(completed))


# --- loading --------------------------------------------------------------------------


class Life(Action, kind="life", pure=True):
    told: ClassVar[list[str]] = []
    tag: str
    fails: bool = False

    async def load(self) -> None:
        self.told.append(f"load {self.tag}")
        if self.fails:
            raise RuntimeError("no licence")

    async def unload(self) -> None:
        self.told.append(f"unload {self.tag}")

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": self.tag}


@BOTH
async def test_what_is_inside_is_loaded_and_unloaded_in_order(kind: str) -> None:
    Life.told.clear()
    specs = "specs:\n  - {kind: life, name: a, tag: a}\n  - {kind: life, name: c, tag: c}\n"
    async with Runtime("memory:") as runtime:
        assert await result_of(await runtime.start(graph(holder(kind, specs), Life), x=1)) == "c"
    assert Life.told == ["load c", "load a", "unload a", "unload c"]


@BOTH
async def test_what_does_not_load_inside_leaves_nothing_loaded(kind: str) -> None:
    Life.told.clear()
    specs = "specs:\n  - {kind: life, name: a, tag: a, fails: true}\n  - {kind: life, name: c, tag: c}\n"
    async with Runtime("memory:") as runtime:
        with pytest.raises(RuntimeError, match="no licence"):
            await runtime.start(graph(holder(kind, specs), Life), x=1)
    assert Life.told == ["load c", "load a", "unload c"]


# --- what is wrong in the document ----------------------------------------------------


@pytest.mark.parametrize(
    ("rest", "place", "message"),
    [
        ("specs: []\n", (7, "specs"), "there are no specs in it"),
        ("specs: [{kind: snipet}]\n", (7, "specs[0].kind"), "unknown kind `snipet`"),
        (
            "specs:\n  - {kind: debug.log, name: a, massage: x}\n",
            (8, "specs[0].massage"),
            "`debug.log` has no field `massage`",
        ),
        (
            "specs:\n  - {kind: debug.log, name: a, links: {out: x}}\n",
            (8, "specs[0].links.out"),
            "no node is named `x`",
        ),
        (
            "specs:\n  - {kind: debug.log, name: a}\ninbounds: {in: c}\n",
            (9, "inbounds.in"),
            "no node inside is named `c`",
        ),
        (
            "specs:\n  - {kind: debug.log, name: a}\noutbounds: {out: a.mesage}\n",
            (9, "outbounds.out"),
            "`debug.log` has no out-port `mesage`",
        ),
        (
            "specs: [{kind: log, name: a, links: {out: c}}, {kind: log, name: c, links: {out: a}}]\n",
            (7, "specs[0].links.out"),
            "the links go round in a circle: a → c → a",
        ),
        (
            "specs:\n  - {kind: listener, name: a, port: 0}\n",
            (8, "specs[0].kind"),
            "`listener` starts processes by itself",
        ),
        (
            "specs:\n  - kind: block\n    specs:\n      - {kind: debug.lgo}\n",
            (10, "specs[0].specs[0].kind"),
            "unknown kind `debug.lgo`",
        ),
    ],
)
@BOTH
def test_a_problem_inside_stands_at_its_place(
    kind: str, rest: str, place: tuple[int, str], message: str, tmp_path: Path
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(holder(kind, rest).lstrip("\n"))
    line, path = place
    with pytest.raises(DocumentError) as caught:
        Loader(standard_scheme()).load(str(file))
    assert message in str(caught.value)
    assert f"flow.yaml:{line}:" in str(caught.value)
    assert f"nodes[1].{path}" in str(caught.value)
