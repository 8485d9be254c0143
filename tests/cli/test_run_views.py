"""How a run looks: tree, timeline, graph, picture, lines."""

from __future__ import annotations

import re
import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tests.cli.streams import START

from penstock.cli.drawing import draw, plain
from penstock.cli.lines import line
from penstock.cli.picture import picture
from penstock.cli.svg import svg
from penstock.cli.timeline import timeline
from penstock.cli.tree import rows
from penstock.core.payload import Error
from penstock.core.record import RunRecord
from penstock.core.spec import FlowSpec, Link, NodeSpec

if TYPE_CHECKING:
    from tests.cli.streams import Stream

NOW = START + 1.5

GRAPH = """
                   ┌─────────────────┐
                   │ ✓ fetch   600ms │
                   │ http.request    │
                   └─────┬─────┬─────┘
                  ╭──────╯     ╰──────╮
                  │ body → json       │
                  ▼                   │
      ┌───────────────────────┐       │
      │ ✓ parse          50ms │       │
      │ transform.json_parse  │       │
      └───────┬───────┬───────┘       │
        ╭─────╯       ╰────╮          │
        │ parsed           │ error    │
        ▼                  ▼          │
┌───────────────┐   ┌─────────────┐   │
│ ● each  800ms │   │ ○ complain  │   │
│ loop          │   │ debug.log   │   │
└────┬─────┬────┘   └─────────────┘   │
     │     ╰────────────────────╮   ╭─╯
     ╰────────╮                 │   │
              │  done → message │   │ status → message
              ▼                 ▼   ▼
    ┌───────────────────┐   ┌───────────┐
    │ ● resize   2 of 8 │   │ · log     │
    │ shell.exec        │   │ debug.log │
    └───────────────────┘   └───────────┘
"""


def tree(record: RunRecord, **options: object) -> str:
    found = rows(record, now=NOW, **options)  # type: ignore[arg-type]
    return "\n".join(f"{row.guide}{row.label} {row.state} {row.text}".rstrip() for row in found)


def text(block: str) -> str:
    return textwrap.dedent(block).strip("\n")


def test_the_tree_folds_the_items_that_are_done(report: Stream) -> None:
    assert tree(report.record) == text(
        """
        ├─ fetch completed 2 attempts
        ├─ parse completed
        ├─ complain skipped
        └─ each running 6/8
           ├─ …  6 completed, 2 running
           ├─ [6] running
           │  └─ resize running converting picture 6
           └─ [7] running
              └─ resize running
        """
    )


def test_the_tree_hides_what_is_inside_of_a_firing_that_is_done(stream: Stream) -> None:
    stream.add(0.1, "node.started", "try", kind="try", attempt=1)
    stream.add(0.1, "child.started", "try[0]", port="out")
    stream.node(0.1, 0.2, "try[0]/step")
    stream.add(0.2, "child.completed", "try[0]", result=None, duration_ms=100)
    stream.add(0.2, "node.completed", "try", outputs={}, duration_ms=100)
    assert tree(stream.record) == "└─ try completed"
    assert tree(stream.record, fold=False) == text(
        """
        └─ try completed
           └─ [0] completed
              └─ step completed
        """
    )


def test_a_tree_that_is_too_long_drops_what_is_done_first(stream: Stream) -> None:
    for number in range(50):
        stream.node(0.1, 0.2, f"n{number}")
    stream.add(0.3, "node.started", "busy", kind="nop", attempt=1)
    shown = tree(stream.record, limit=4).splitlines()
    assert shown == [
        "…  48 completed not shown",
        "├─ n48 completed",
        "├─ n49 completed",
        "└─ busy running",
    ]


def test_a_failed_firing_says_why(stream: Stream) -> None:
    stream.add(0.1, "node.started", "a", kind="nop", attempt=1)
    error = Error(code="x", message="no such luck\nsecond line")
    stream.add(0.2, "node.failed", "a", error=error, duration_ms=100)
    assert tree(stream.record) == "└─ a failed no such luck"


def test_a_waiting_firing_says_when_it_goes_on(stream: Stream) -> None:
    stream.add(0.1, "node.started", "a", kind="sleep", attempt=1)
    stream.add(0.1, "node.waiting", "a", until=NOW + 7200, timer="a@1.0")
    assert tree(stream.record) == "└─ a waiting goes on in 2h"


def test_the_timeline_shows_attempts_waits_and_overlap(report: Stream) -> None:
    found = timeline(report.record, now=NOW, width=30)
    drawn = "\n".join(f"{bar.label:9}|{bar.text}| {bar.time}" for bar in found.bars)
    assert drawn == text(
        """
        fetch    |━━━━┈┈┈┈━━━━                  | 600ms
        parse    |            ━                 | 50ms
        each ×8  |              ━━━━━━━━━━━━━━━━| 800ms
          resize |              ━━              | 100ms
          resize |                ━━            | 100ms
          resize |                  ━━          | 100ms
          resize |                    ━━        | 100ms
          resize |                      ━━      | 100ms
          resize |                        ━━    | 100ms
          resize |                          ━━━━| 200ms
          resize |                            ━━| 100ms
        """
    )
    assert found.hidden == 0


def test_parallel_branches_overlap_in_the_timeline(stream: Stream) -> None:
    stream.node(0.0, 0.150, "one")
    stream.node(0.0, 0.180, "two")
    stream.node(0.180, 0.2, "both")
    stream.add(0.2, "run.completed", result=None, duration_ms=200)
    bars = timeline(stream.record, now=NOW, width=20).bars
    assert [bar.text for bar in bars] == [
        "━━━━━━━━━━━━━━━     ",
        "━━━━━━━━━━━━━━━━━━  ",
        "                  ━━",
    ]


def test_a_timeline_of_thousands_says_how_many_it_leaves_out(stream: Stream) -> None:
    for number in range(1000):
        stream.node(number / 1000, (number + 1) / 1000, f"n{number}")
    found = timeline(stream.record, now=NOW, width=40)
    assert (len(found.bars), found.hidden) == (40, 960)


def test_every_bar_is_as_long_as_the_scale(report: Stream) -> None:
    for width in (8, 13, 60, 200):
        assert {len(bar.text) for bar in timeline(report.record, now=NOW, width=width).bars} == {width}


def test_the_graph_is_drawn_in_layers(report_spec: FlowSpec, report: Stream) -> None:
    drawn = plain(draw(picture(report_spec, report.record, now=NOW)))
    assert drawn == GRAPH.strip("\n")


def test_a_graph_without_a_record_is_all_pending(report_spec: FlowSpec) -> None:
    found = picture(report_spec, RunRecord(), now=NOW)
    assert {box.state for box in found.boxes} == {"pending"}
    assert found.note == ""


def test_firings_of_one_node_are_counted_together(report_spec: FlowSpec, report: Stream) -> None:
    boxes = {box.key: box for box in picture(report_spec, report.record, now=NOW).boxes}
    assert (boxes["resize"].state, boxes["resize"].note) == ("running", "2 of 8")


def test_nodes_of_a_called_flow_are_not_mistaken_for_the_callers(
    report_spec: FlowSpec, stream: Stream
) -> None:
    stream.add(0.1, "node.started", "each", kind="call", attempt=1)
    stream.add(0.1, "child.started", "each[0]", flow="other", inputs={})
    stream.node(0.1, 0.2, "each[0]/log")
    boxes = {box.key: box for box in picture(report_spec, stream.record, now=NOW).boxes}
    assert boxes["log"].state == "pending"


def test_the_picture_is_well_formed_and_tells_what_it_shows(
    report_spec: FlowSpec, report: Stream
) -> None:
    root = ET.fromstring(svg(picture(report_spec, report.record, now=NOW)))
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    title, description = root.find(f"{space}title"), root.find(f"{space}desc")
    assert title is not None
    assert title.text == "● report · running · 1.5s"
    assert description is not None
    assert "resize (shell.exec) running" in str(description.text)
    shown = " ".join(str(node.text) for node in root.iter(f"{space}text"))
    assert all(node.key in shown and node.kind in shown for node in report_spec.nodes)


def test_the_picture_refers_to_nothing_outside_of_it(report_spec: FlowSpec, report: Stream) -> None:
    drawn = svg(picture(report_spec, report.record, now=NOW))
    links = set(re.findall(r"https?://[^\"' ]+", drawn))
    assert links == {"http://www.w3.org/2000/svg"}


def test_text_in_a_picture_is_escaped() -> None:
    spec = FlowSpec(name="<b>", nodes=(NodeSpec(kind="a&b", name="n"),))
    ET.fromstring(svg(picture(spec, RunRecord(), now=NOW)))


def test_boxes_never_overlap_and_edges_point_down() -> None:
    from penstock.cli.layout import lay_out

    edges = [(f"n{number}", f"n{number * 7 % 40}") for number in range(40) if number * 7 % 40 > number]
    layout = lay_out({f"n{number}": 10.0 for number in range(40)}, edges, gap=3, bend=1)
    for layer in layout.layers:
        for left, right in pairwise(layer):
            assert right.x - left.x >= (left.width + right.width) / 2 + 3 - 1e-6
    assert all(route[0].layer < route[-1].layer for route in layout.routes)


def test_a_graph_of_a_thousand_nodes_is_laid_out() -> None:
    nodes = tuple(
        NodeSpec(kind="nop", name=f"n{number}", links=(Link(port="out", node="end"),))
        for number in range(1000)
    )
    spec = FlowSpec(name="wide", nodes=(*nodes, NodeSpec(kind="nop", name="end")))
    assert "n999" in plain(draw(picture(spec, RunRecord(), now=NOW)))


def test_plain_lines_tell_what_a_person_would_want_to_know(report: Stream) -> None:
    record, said = RunRecord(fid="f1"), []
    for event in report.events:
        record.apply(event)
        found = line(event, record)
        if found and not event.node.startswith("each["):
            said.append(f"{event.node}: {found[0]}")
    assert said == [
        ": run f1 of `report` started",
        "fetch: GET http://127.0.0.1/zen",
        "fetch: attempt 1 failed, again in 200ms: 503 Service Unavailable",
        "fetch: completed in 200ms",
        "parse: completed in 50ms",
    ]
