"""The picture of a Python flow: its steps, as the run took them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.cli.steps import picture_of_steps

if TYPE_CHECKING:
    from tests.cli.streams import Stream


def edges(stream: Stream) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in picture_of_steps(stream.record, now=0).edges}


def notes(stream: Stream) -> dict[str, str]:
    return {box.key: box.note for box in picture_of_steps(stream.record, now=0).boxes}


def test_steps_follow_one_another_in_the_order_of_their_places(stream: Stream) -> None:
    for number in (10, 2, 1):
        stream.node(0, 0.1, f"step#{number}", "step")
    assert edges(stream) == {("step#1", "step#2"), ("step#2", "step#10")}


def test_the_strands_of_a_gather_stand_side_by_side(stream: Stream) -> None:
    for path in ("a#1", "b#2.0.1", "c#2.0.2", "b#2.1.1", "d#3"):
        stream.node(0, 0.1, path, "step")
    assert edges(stream) == {
        ("a#1", "b#2.0.1"), ("a#1", "b#2.1.1"), ("b#2.0.1", "c#2.0.2"),
        ("c#2.0.2", "d#3"), ("b#2.1.1", "d#3"),
    }  # fmt: skip


def test_a_gather_in_a_gather_is_drawn_inside_of_its_strand(stream: Stream) -> None:
    for path in ("a#1.0.1.0.1", "a#1.0.1.1.1", "b#1.0.2", "c#1.1.1"):
        stream.node(0, 0.1, path, "step")
    assert edges(stream) == {("a#1.0.1.0.1", "b#1.0.2"), ("a#1.0.1.1.1", "b#1.0.2")}


def test_many_strands_are_counted_together(stream: Stream) -> None:
    stream.node(0, 0.1, "first#1", "step")
    for strand in range(100):
        stream.node(0, 0.1, f"a#2.{strand}.1", "step")
        stream.node(0, 0.1, f"{'odd' if strand % 2 else 'even'}#2.{strand}.2", "step")
    stream.node(0, 0.1, "last#3", "step")
    assert notes(stream) == {
        "first#1": "100ms", "a#2.*.1": "×100", "even#2.*.2": "×50", "odd#2.*.2": "×50",
        "last#3": "100ms",
    }  # fmt: skip
    assert edges(stream) == {
        ("first#1", "a#2.*.1"), ("a#2.*.1", "even#2.*.2"), ("a#2.*.1", "odd#2.*.2"),
        ("even#2.*.2", "last#3"), ("odd#2.*.2", "last#3"),
    }  # fmt: skip


def test_a_run_that_has_taken_no_step_is_an_empty_picture(stream: Stream) -> None:
    assert picture_of_steps(stream.record, now=0).boxes == []
