"""The record of a run, folded from its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.events import TERMINAL, Event, EventType
from penstock.core.payload import Error
from penstock.core.record import NodeState, RunRecord, ancestors, firing
from penstock.core.states import IllegalTransition, RunState

if TYPE_CHECKING:
    from tests.cli.streams import Stream

PATHS = (
    "a",
    "b",
    "c#1",
    "loop",
    "loop[0]/a",
    "loop[1]/a",
    "loop[1]/b",
    "loop[1]/try",
    "loop[1]/try[0]/a",
)
ERROR = Error(code="x", message="broken")

Facts = tuple[EventType, dict[str, Any]]


def one_of(*facts: Facts) -> st.SearchStrategy[Facts]:
    return st.sampled_from(facts)


node_events = st.tuples(
    st.sampled_from(PATHS),
    one_of(
        (EventType.NODE_STARTED, {"kind": "nop", "attempt": 1}),
        (EventType.NODE_WAITING, {"until": 5.0, "timer": "t"}),
        (EventType.NODE_COMPLETED, {"outputs": {"out": 1}, "duration_ms": 3.0}),
        (EventType.NODE_FAILED, {"error": ERROR, "duration_ms": 3.0}),
        (EventType.NODE_RETRYING, {"attempt": 1, "error": ERROR, "delay_ms": 1, "until": 5.0}),
        (EventType.NODE_SKIPPED, {}),
        (EventType.NODE_PROGRESS, {"fraction": 0.5, "message": "half"}),
        (EventType.NODE_MESSAGE, {"level": "info", "message": "hello"}),
        (EventType.NODE_STDOUT, {"line": "hello"}),
    ),
)
child_events = st.tuples(
    st.sampled_from(["loop[0]", "loop[1]", "loop[1]/try[0]"]),
    one_of((EventType.CHILD_STARTED, {"port": "out"}), (EventType.CHILD_COMPLETED, {"result": 1})),
)
run_events = st.tuples(
    st.just(""),
    one_of(
        (EventType.RUN_WAITING, {"until": 9.0}),
        (EventType.RUN_RESUMED, {"reason": "timer"}),
        (EventType.RUN_RESUMED, {"reason": "recovery"}),
        (EventType.RUN_RESUMED, {"reason": "restart", "restart": 1}),
    ),
)
ends = one_of(
    (EventType.RUN_COMPLETED, {"result": 42}),
    (EventType.RUN_FAILED, {"error": ERROR}),
    (EventType.RUN_CANCELLED, {"reason": "enough"}),
)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Any stream that the table of transitions allows, ended by one terminal event."""
    found = [
        Event(1, 100.0, EventType.RUN_STARTED, "", {"flow": "f", "revision": "r", "inputs": {"n": 1}})
    ]
    waiting = False
    for node, (kind, data) in draw(
        st.lists(st.one_of(node_events, node_events, child_events, run_events))
    ):
        if waiting and kind == EventType.RUN_WAITING:
            continue
        waiting = {EventType.RUN_WAITING: True, EventType.RUN_RESUMED: False}.get(kind, waiting)
        found.append(Event(len(found) + 1, 100.0 + len(found), kind, node, dict(data)))
    kind, data = draw(ends)
    found.append(Event(len(found) + 1, 100.0 + len(found), kind, "", dict(data)))
    return found


@given(streams())
def test_an_ended_run_has_nothing_open(events: list[Event]) -> None:
    record = RunRecord.fold(events)
    assert record.state.terminal
    assert record.ended == events[-1].time
    assert all(node.state.settled for node in record.nodes.values())
    assert all(process.state.terminal for path, process in record.processes.items() if path)
    spans = [span for node in record.nodes.values() for span in node.spans]
    assert all(span.end is not None and span.end >= span.start for span in spans)


@given(streams())
def test_every_firing_is_in_exactly_one_process(events: list[Event]) -> None:
    record = RunRecord.fold(events)
    placed = [path for process in record.processes.values() for path in process.nodes]
    assert sorted(placed) == sorted(record.nodes)
    called = [path for node in record.nodes.values() for path in node.processes]
    assert sorted(called) == sorted(path for path in record.processes if path)


@given(streams(), st.data())
def test_a_fold_may_be_interrupted_anywhere(events: list[Event], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events)))
    record = RunRecord.fold(events[:cut])
    for event in events:
        record.apply(event)
    assert record == RunRecord.fold(events)


@given(streams(), st.sampled_from(sorted(EventType)))
def test_nothing_follows_the_one_terminal_event(events: list[Event], kind: EventType) -> None:
    record = RunRecord.fold(events)
    assert sum(event.type in TERMINAL for event in events) == 1
    with pytest.raises(IllegalTransition):
        record.apply(Event(len(events) + 1, 200.0, kind, "a"))


def test_a_completed_run_keeps_result_and_failures(stream: Stream) -> None:
    stream.node(0.1, 0.2, "a")
    stream.add(0.3, "run.completed", result={"n": 1}, duration_ms=300.0, failures=[ERROR])
    record = stream.record
    assert (record.state, record.result, record.failures) == (RunState.COMPLETED, {"n": 1}, [ERROR])
    assert (record.flow, record.revision, record.duration_ms) == ("report", "r1", 300.0)


def test_a_retried_firing_shows_its_attempts_as_spans(report: Stream) -> None:
    fetch = report.record.nodes["fetch"]
    assert [span.state for span in fetch.spans] == ["failed", "retrying", "completed"]
    assert (fetch.attempts, fetch.error, fetch.state) == (2, None, NodeState.COMPLETED)


def test_a_firing_that_recorded_no_start_is_placed_by_its_duration(stream: Stream) -> None:
    stream.add(2.0, "node.completed", "a", outputs={}, duration_ms=500.0)
    node = stream.record.nodes["a"]
    assert node.ended is not None
    assert node.started == pytest.approx(node.ended - 0.5)


def test_recovery_makes_what_was_cut_off_pending_again(stream: Stream) -> None:
    stream.add(0.1, "node.started", "a", kind="nop", attempt=1)
    stream.add(9.0, "run.resumed", reason="recovery")
    cut_off = stream.record
    stream.node(9.1, 9.2, "a")
    states = [record.nodes["a"].state for record in (cut_off, stream.record)]
    assert states == [NodeState.PENDING, NodeState.COMPLETED]


def test_a_restart_forgets_the_nodes_of_the_round_before(stream: Stream) -> None:
    stream.node(0.1, 0.2, "a")
    stream.add(0.3, "run.resumed", reason="restart", restart=1)
    stream.node(0.4, 0.5, "b")
    assert list(stream.record.nodes) == ["b"]
    assert stream.record.restarts == 1


def test_a_called_flow_of_a_python_flow_is_a_firing_of_its_own(stream: Stream) -> None:
    stream.add(0.1, "child.started", "clean#2", flow="clean", inputs={})
    stream.node(0.2, 0.3, "clean#2/wash")
    stream.add(0.4, "child.completed", "clean#2", result=1, duration_ms=300.0)
    record = stream.record
    assert record.nodes["clean#2"].state is NodeState.COMPLETED
    assert record.processes["clean#2"].flow == "clean"
    assert [node.name for node in record.children("clean#2")] == ["wash"]


def test_notes_come_in_the_order_of_the_stream(stream: Stream) -> None:
    for number, node in enumerate(["a", "b", "a"]):
        stream.add(0.1, "node.stdout", node, line=str(number))
    stream.add(0.1, "node.data", "a", value={"n": 3})
    assert [note.text for note in stream.record.notes()] == ["0", "1", "2", '{"n":3}']


def test_what_the_run_itself_says_is_among_the_notes(stream: Stream) -> None:
    stream.add(0.1, "node.stdout", line="from the flow")
    stream.add(0.1, "node.stdout", "a", line="from a node")
    assert [(note.node, note.text) for note in stream.record.notes()] == [
        ("", "from the flow"),
        ("a", "from a node"),
    ]


def test_a_node_that_lost_its_worker_begins_again(stream: Stream) -> None:
    stream.add(0.1, "node.started", "a", kind="step", attempt=1)
    error = Error(code="worker.killed", message="killed by SIGKILL")
    stream.add(0.2, "run.resumed", reason="worker", lost=1, error=error)
    assert stream.record.nodes["a"].state is NodeState.PENDING
    stream.add(0.3, "node.started", "a", kind="step", attempt=1)
    stream.add(0.4, "node.completed", "a", outputs=1, duration_ms=100.0)
    assert stream.record.nodes["a"].state is NodeState.COMPLETED


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ("each[3]", "each"),
        ("each[3]/try#1[0]", "each[3]/try#1"),
        ("clean#2", "clean#2"),
        ("a[x y]", "a"),
    ],
)
def test_the_firing_of_a_process_is_its_path_without_the_key(process: str, expected: str) -> None:
    assert firing(process) == expected


def test_ancestors_are_named_nearest_first() -> None:
    assert list(ancestors("each[3]/try[0]/parse")) == ["each[3]/try", "each"]
