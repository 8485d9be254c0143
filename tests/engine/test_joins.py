"""Joins: who waits for whom, what is paired with what, and what is skipped."""

from __future__ import annotations

import asyncio

from tests.engine.flows import graph
from tests.engine.packets import KINDS, Burst, answer, pair
from tests.engine.watching import lines, result_of, story

from penstock import Runtime, node


async def test_a_node_with_several_linked_ports_waits_for_each(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 1, links: {out: p.left}
        kind: give, name: b, what: 2, links: {out: p.right}
        kind: pair, name: p
    """
    assert await answer(runtime, nodes) == [1, 2]


async def test_no_packet_closes_what_is_behind(runtime: Runtime) -> None:
    nodes = """
        kind: burst, name: a, items: [], links: {out: b}
        kind: give, name: b, links: {out: c}
        kind: give, name: c
    """
    assert await answer(runtime, nodes) is None


async def test_packets_of_two_ports_are_paired_in_the_order_of_their_branches(runtime: Runtime) -> None:
    nodes = """
        kind: burst, name: a, items: [1, 2, 3], links: {out: p.left}
        kind: burst, name: b, items: [x, y], links: {out: p.right}
        kind: pair, name: p
    """
    assert await answer(runtime, nodes) == [[1, "x"], [2, "y"]]


async def test_packets_of_a_join_that_takes_any_are_paired_as_far_as_they_go(runtime: Runtime) -> None:
    nodes = """
        kind: burst, name: a, items: [1, 2, 3], links: {out: "g.in[0]"}
        kind: burst, name: b, items: [x], links: {out: "g.in[1]"}
        kind: gather, name: g
    """
    assert await answer(runtime, nodes) == [[1, "x"], [2], [3]]


async def test_pairing_does_not_depend_on_who_is_faster(runtime: Runtime) -> None:
    @node("wait")
    async def wait(value: int) -> int:
        for _ in range(10 - value):
            await asyncio.sleep(0)
        return value

    text = """
    flow: f
    nodes:
      - {kind: burst, name: a, items: [1, 5, 9], links: {out: w}}
      - {kind: wait, name: w, links: {out: p.left}}
      - {kind: burst, name: b, items: [x, y, z], links: {out: p.right}}
      - {kind: pair, name: p}
    """
    run = await runtime.start(graph(text, Burst, wait, pair))
    assert await result_of(run) == [[1, "x"], [5, "y"], [9, "z"]]


async def test_a_dead_branch_does_not_hang_a_merge(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"yes": a, "no": b}
        kind: give, name: a, links: {out: "g.in[0]"}
        kind: give, name: b, links: {out: "g.in[1]"}
        kind: gather, name: g
    """
    assert await answer(runtime, nodes) == ["yes"]


async def test_a_join_of_all_is_skipped_when_one_link_closes(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"yes": p.left, "no": p.right}
        kind: pair, name: p, links: {out: z}
        kind: give, name: z
    """
    assert await answer(runtime, nodes) is None


async def test_a_spec_may_choose_the_join(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"yes": "g.in[0]", "no": "g.in[1]"}
        kind: gather, name: g, join: all
    """
    assert await answer(runtime, nodes) is None


async def test_a_merge_of_only_dead_branches_is_skipped(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"no": [a, b]}
        kind: give, name: a, links: {out: "g.in[0]"}
        kind: give, name: b, links: {out: "g.in[1]"}
        kind: gather, name: g, links: {out: z}
        kind: give, name: z
    """
    assert await answer(runtime, nodes) == "yes"


async def test_skipping_goes_all_the_way_and_is_told(runtime: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: either, name: e, take: 'yes', links: {"no": a}}
      - {kind: give, name: a, links: {out: [b, c]}}
      - {kind: give, name: b}
      - {kind: give, name: c, links: {out: p.left}}
      - {kind: give, name: d, what: 1, links: {out: p.right}}
      - {kind: pair, name: p}
    """
    run = await runtime.start(graph(text, *KINDS))
    await result_of(run)
    skipped = lines(await story(run), "node.skipped")
    assert sorted(skipped) == [f"node.skipped {name}" for name in "abcp"]


async def test_a_node_fed_by_a_dead_and_a_live_link_fires_for_the_live_one(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"yes": a, "no": a}
        kind: give, name: a
    """
    assert await answer(runtime, nodes) == "yes"


async def test_a_diamond_fires_its_end_once_per_packet(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 1, links: {out: [b, c]}
        kind: give, name: b, links: {out: d}
        kind: give, name: c, links: {out: d}
        kind: give, name: d, links: {out: e}
        kind: give, name: e
    """
    assert await answer(runtime, nodes) == [1, 1]


async def test_two_links_between_the_same_ports_carry_two_packets(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 1, links: {out: [b, b]}
        kind: give, name: b
    """
    assert await answer(runtime, nodes) == [1, 1]
