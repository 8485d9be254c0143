"""Retrying a run from one of its nodes, with what that node got or with something else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of, story

from penstock import Context, NodeContext, NodeError, Runtime, StepContext, flow, node, step
from penstock.core.errors import RetryRefused, RunBusy, RunFailed, RunSuspended
from penstock.engine.flow import GraphFlow
from penstock.engine.function import NodeFunction


class Work:
    """A kind whose firings are counted; each passes on what it got and its own name."""

    def __init__(self) -> None:
        self.done: list[str] = []

        @node("work")
        async def work(value: Any = None, *, ctx: NodeContext) -> str:
            self.done.append(ctx.node)
            return f"{value or ''}{ctx.node.rpartition('/')[2]}"

        self.kind: NodeFunction[Any, Any] = work

    def flow(self, text: str) -> GraphFlow:
        return graph(text, self.kind)

    def taken(self) -> list[str]:
        """What was done since one last asked."""
        done, self.done = self.done, []
        return done


@pytest.fixture
def work() -> Work:
    return Work()


DIAMOND = """
flow: diamond
nodes:
  - {kind: work, name: a, links: {out: [b, c]}}
  - {kind: work, name: b, links: {out: d}}
  - {kind: work, name: c}
  - {kind: work, name: d}
"""


async def test_what_lies_behind_a_node_is_done_anew_and_nothing_else(
    runtime: Runtime, work: Work
) -> None:
    run = await runtime.start(work.flow(DIAMOND))
    before = await result_of(run)
    assert sorted(work.taken()) == ["a", "b", "c", "d"]
    again = await runtime.retry(run.fid, node="b", launcher="u-1")
    assert await result_of(again) == before
    assert work.taken() == ["b", "d"]
    first = (await story(again))[0].data
    assert (first["retry_of"], first["retry_from"], first["launcher"]) == (run.fid, "b", "u-1")


async def test_edited_inputs_take_the_place_of_what_arrives(runtime: Runtime, work: Work) -> None:
    run = await runtime.start(work.flow(DIAMOND))
    assert sorted(await result_of(run)) == ["abd", "ac"]
    again = await runtime.retry(run.fid, node="b", inputs={"value": "new "})
    assert sorted(await result_of(again)) == ["ac", "new bd"]
    assert (await story(again))[0].data["edited"] == {"b": {"value": "new "}}


async def test_ports_that_are_not_edited_get_what_arrives(runtime: Runtime) -> None:
    @node("pair")
    async def pair(left: str, right: str) -> str:
        return f"{left}-{right}"

    text = """
    flow: f
    inputs: {left: {type: string}, right: {type: string}}
    nodes: [{kind: pair, name: p}]
    """
    run = await runtime.start(graph(text, pair), left="a", right="b")
    assert await result_of(run) == "a-b"
    assert await result_of(await runtime.retry(run.fid, node="p", inputs={"left": "x"})) == "x-b"


async def test_a_retry_of_a_retry_keeps_its_edits_unless_they_are_done_anew(
    runtime: Runtime, work: Work
) -> None:
    run = await runtime.start(work.flow(DIAMOND))
    await result_of(run)
    second = await runtime.retry(run.fid, node="b", inputs={"value": "new "})
    await result_of(second)
    third = await runtime.retry(second.fid, node="d")
    assert sorted(await result_of(third)) == ["ac", "new bd"]
    fourth = await runtime.retry(third.fid, node="a")
    assert sorted(await result_of(fourth)) == ["abd", "ac"]
    assert "edited" not in (await story(fourth))[0].data
    fifth = await runtime.retry(third.fid, from_start=True)
    assert sorted(await result_of(fifth)) == ["abd", "ac"]


LOOP = """
flow: loop
nodes:
  - {kind: snippet, name: items, language: json, code: '["x", "y", "z"]', links: {out: each}}
  - {kind: loop, name: each, links: {out: [one], done: sum}}
  - {kind: work, name: one, links: {out: two}}
  - {kind: work, name: two}
  - {kind: work, name: sum}
"""


async def test_inside_a_loop_earlier_items_stay_done(runtime: Runtime, work: Work) -> None:
    run = await runtime.start(work.flow(LOOP))
    before = await result_of(run)
    assert len(work.taken()) == 7
    again = await runtime.retry(run.fid, node="each[2]/two")
    assert await result_of(again) == before
    assert work.taken() == ["each[2]/two", "sum"]


async def test_an_item_that_began_behind_the_retried_one_is_done_anew(
    runtime: Runtime, work: Work
) -> None:
    run = await runtime.start(work.flow(LOOP))
    await result_of(run)
    work.taken()
    again = await runtime.retry(run.fid, node="each[1]/one", inputs={"value": "Y"})
    assert await result_of(again) is not None
    assert work.taken()[:2] == ["each[1]/one", "each[1]/two"]


async def test_of_several_packets_only_the_branch_of_the_node_is_done_anew(
    runtime: Runtime, work: Work
) -> None:
    text = """
    flow: f
    nodes:
      - {kind: work, name: a, links: {out: one}}
      - {kind: work, name: b, links: {out: one}}
      - {kind: work, name: one, links: {out: two}}
      - {kind: work, name: two}
    """
    run = await runtime.start(work.flow(text))
    await result_of(run)
    assert sorted(work.taken()) == ["a", "b", "one#0", "one#1", "two#0", "two#1"]
    await result_of(await runtime.retry(run.fid, node="one#1"))
    assert work.taken() == ["one#1", "two#1"]


async def test_a_join_behind_a_branch_is_done_anew_as_a_whole(runtime: Runtime, work: Work) -> None:
    text = """
    flow: f
    nodes:
      - {kind: work, name: a, links: {out: 'm.in[0]'}}
      - {kind: work, name: b, links: {out: 'm.in[1]'}}
      - {kind: merge, name: m, links: {out: z}}
      - {kind: work, name: z}
    """
    run = await runtime.start(work.flow(text))
    await result_of(run)
    work.taken()
    again = await runtime.retry(run.fid, node="b")
    await result_of(again)
    assert work.taken() == ["b", "z"]


async def test_inside_a_block_only_what_links_reach_is_done_anew(runtime: Runtime, work: Work) -> None:
    text = """
    flow: f
    nodes:
      - kind: block
        name: box
        specs:
          - {kind: work, name: a, links: {out: [b, c]}}
          - {kind: work, name: b}
          - {kind: work, name: c}
        links: {out: z}
      - {kind: work, name: z}
    """
    run = await runtime.start(work.flow(text))
    before = await result_of(run)
    work.taken()
    again = await runtime.retry(run.fid, node="box/b")
    assert await result_of(again) == before
    assert work.taken() == ["box/b", "z"]


async def test_a_name_is_enough_where_only_one_firing_has_it(runtime: Runtime, work: Work) -> None:
    text = """
    flow: f
    nodes:
      - kind: step
        name: box
        specs: [{kind: work, name: inner}]
    """
    run = await runtime.start(work.flow(text))
    await result_of(run)
    work.taken()
    await result_of(await runtime.retry(run.fid, node="inner"))
    assert work.taken() == ["box[0]/inner"]


async def test_what_cannot_be_retried_is_refused_and_says_what_can(runtime: Runtime, work: Work) -> None:
    text = """
    flow: f
    nodes:
      - {kind: snippet, name: items, language: json, code: '[1, 2]', links: {out: each}}
      - {kind: loop, name: each, links: {out: body}}
      - {kind: work, name: body, links: {error: rescue}}
      - {kind: work, name: rescue}
    """
    run = await runtime.start(work.flow(text))
    await result_of(run)
    refusals = [
        ({"node": "bodi"}, "no node `bodi`", "did you mean `body`"),
        ({"node": "body"}, "fired 2 times: `each[0]/body`, `each[1]/body`", "one of them"),
        ({"node": "each[0]/rescue"}, "no node `each[0]/rescue`", "each[0]/body"),
        ({"node": "each", "inputs": {"inn": 1}}, "no in-port `inn`", "did you mean `in`"),
        ({"node": "each", "from_start": True}, "not from both", ""),
        ({"inputs": {"in": 1}}, "are those of a node", ""),
    ]
    for arguments, message, remedy in refusals:
        with pytest.raises(RetryRefused) as caught:
            await runtime.retry(run.fid, **arguments)  # type: ignore[arg-type]
        assert message in caught.value.message
        assert remedy in caught.value.remedy
        assert caught.value.fid == run.fid
    assert len(await runtime.runs()) == 1


async def test_a_node_that_was_skipped_cannot_be_retried_from(runtime: Runtime, work: Work) -> None:
    text = (
        "{flow: f, nodes: [{kind: work, name: a, links: {error: rescue}}, {kind: work, name: rescue}]}"
    )
    run = await runtime.start(work.flow(text))
    await result_of(run)
    with pytest.raises(RetryRefused, match="`rescue` did not fire"):
        await runtime.retry(run.fid, node="rescue")


async def test_a_run_that_goes_on_is_not_retried(runtime: Runtime) -> None:
    run = await runtime.start(graph("{flow: f, nodes: [{kind: sleep, name: nap, duration: 60s}]}"))
    with pytest.raises(RunBusy):
        await runtime.retry(run.fid, node="nap")
    await run.cancel()


async def test_what_had_completed_before_the_flow_began_anew_does_not_count(url: str) -> None:
    done: list[str] = []
    fails = {"b", "a2"}

    @node("frail")
    async def frail(value: Any = None, *, ctx: NodeContext) -> str:
        if ctx.node in fails:
            raise OSError(ctx.node)
        done.append(ctx.node)
        return ctx.node

    text = """
    flow: f
    settings: {on_error: {strategy: retry, max_retries: 1, delay: 0}}
    nodes:
      - {kind: frail, name: a, links: {out: b}}
      - {kind: frail, name: b}
    """
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(text, frail))
        with pytest.raises(RunFailed):
            await result_of(run)
        assert done == ["a", "a"]
        fails.clear()
        await result_of(await runtime.retry(run.fid))
        assert done == ["a", "a", "b"]


# --- Python flows -----------------------------------------------------------------


@step
async def double(number: int) -> int:
    return 2 * number


async def test_of_a_python_flow_the_operation_and_every_later_one_are_done_anew(
    runtime: Runtime,
) -> None:
    done: list[int] = []

    @step
    async def note(number: int) -> int:
        done.append(number)
        return number

    @flow
    async def three(ctx: Context) -> int:
        total = 0
        for number in (1, 2, 3):
            total += await ctx.step(note, number)
        return total

    run = await runtime.start(three)
    assert await result_of(run) == 6
    again = await runtime.retry(run.fid, node="note#2", inputs={"number": 20})
    assert await result_of(again) == 24
    assert done == [1, 2, 3, 20, 3]


async def test_other_strands_of_a_gather_stay_done(runtime: Runtime) -> None:
    done: list[str] = []

    @step
    async def note(name: str) -> str:
        done.append(name)
        return name

    @flow
    async def both(ctx: Context) -> list[str]:
        async def strand(name: str) -> str:
            return str(await ctx.step(note, name)) + str(await ctx.step(note, f"{name}!"))

        found = await ctx.gather(strand("a"), strand("b"))
        return [*found, await ctx.step(note, "end")]

    run = await runtime.start(both)
    assert await result_of(run) == ["aa!", "bb!", "end"]
    done.clear()
    again = await runtime.retry(run.fid, node="note#1.1.1", inputs={"name": "B"})
    assert await result_of(again) == ["aa!", "Bb!", "end"]
    assert done == ["B", "b!", "end"]


async def test_a_called_flow_gets_edited_inputs(runtime: Runtime) -> None:
    @flow
    async def inner(ctx: Context, number: int) -> int:
        return int(await ctx.step(double, number))

    @flow
    async def outer(ctx: Context) -> int:
        return int(await ctx.call(inner, number=1)) + int(await ctx.step(double, 100))

    run = await runtime.start(outer)
    assert await result_of(run) == 202
    assert await result_of(await runtime.retry(run.fid, node="inner#1", inputs={"number": 5})) == 210
    inside = await runtime.retry(run.fid, node="inner#1/double#1", inputs={"number": 6})
    assert await result_of(inside) == 212


async def test_a_step_with_a_context_and_keywords_gets_edited_arguments(runtime: Runtime) -> None:
    @step
    async def tell(ctx: StepContext, name: str, *, marks: int = 1) -> str:
        return f"{ctx.node}: {name}{'!' * marks}"

    @flow
    async def telling(ctx: Context) -> str:
        return str(await ctx.step(tell, "Ada"))

    run = await runtime.start(telling)
    assert await result_of(run) == "tell#1: Ada!"
    again = await runtime.retry(run.fid, node="tell#1", inputs={"marks": 3, "name": "Bob"})
    assert await result_of(again) == "tell#1: Bob!!!"
    with pytest.raises(RunFailed, match="no parameter `mark`"):
        await result_of(await runtime.retry(run.fid, node="tell#1", inputs={"mark": 3}))


async def test_a_sleep_takes_no_inputs(runtime: Runtime) -> None:
    @flow
    async def napping(ctx: Context) -> None:
        await ctx.sleep(0)

    run = await runtime.start(napping)
    await result_of(run)
    with pytest.raises(RetryRefused, match="takes no inputs"):
        await runtime.retry(run.fid, node="sleep#1", inputs={"seconds": 1})


# --- crashes ----------------------------------------------------------------------


async def test_a_retry_with_edited_inputs_that_is_cut_off_goes_on_with_them(url: str) -> None:
    gate, arrived = asyncio.Event(), asyncio.Event()
    done: list[str] = []
    held = False

    @node("work")
    async def work(value: Any = None, *, ctx: NodeContext) -> str:
        if held and ctx.node == "b":
            arrived.set()
            await gate.wait()
        done.append(f"{ctx.node}({value})")
        return ctx.node

    text = """
    flow: f
    nodes:
      - {kind: work, name: a, links: {out: b}}
      - {kind: work, name: b, links: {out: c}}
      - {kind: work, name: c}
    """
    flow = graph(text, work)
    async with Runtime(url, scheme=None, flows=[flow]) as runtime:
        run = await runtime.start(flow)
        await result_of(run)
        held = True
        again = await runtime.retry(run.fid, node="b", inputs={"value": "new"})
        async with asyncio.timeout(5):
            await arrived.wait()
        waiting = asyncio.create_task(again.result())
    with pytest.raises(RunSuspended):
        await waiting
    held = False
    done.clear()
    async with Runtime(url, flows=[flow]) as runtime:
        assert await result_of(runtime.get(again.fid)) == "c"
    assert done == ["b(new)", "c(b)"]


async def test_a_failed_step_can_be_retried_with_what_it_should_have_got(runtime: Runtime) -> None:
    @step
    async def parse(text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise NodeError(f"`{text}` is no number") from None

    @flow
    async def reading(ctx: Context, text: str) -> int:
        return 2 * int(await ctx.step(parse, text))

    run = await runtime.start(reading, text="4Z")
    with pytest.raises(RunFailed, match="no number"):
        await result_of(run)
    assert await result_of(await runtime.retry(run.fid, node="parse#1", inputs={"text": "42"})) == 84
