"""What counts as the same output."""

from __future__ import annotations

import pytest
from tests.docs.transcript import matches


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("hello\n", "hello\n"),
        ("took 180ms\n", "took 2.51s\n"),
        ("a…z\n", "a to z\n"),
        ("first\n…\nlast\n", "first\nlast\n"),
        ("first\n…\nlast\n", "first\nsecond\nthird\nlast\n"),
        ("2026-11-20T08:00:00Z started\n", "2031-01-02T23:59:59.123Z started\n"),
        ("…\n", ""),
    ],
)
def test_output_that_differs_only_in_what_varies_matches(shown: str, printed: str) -> None:
    assert matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("hello\n", "hello\nworld\n"),
        ("a…z\n", "a\nz\n"),
        ("", "hello\n"),
        ("first\n…\nlast\n", "first\n"),
        ("one\n\ntwo\n", "one two\n"),
    ],
)
def test_output_that_says_something_else_does_not_match(shown: str, printed: str) -> None:
    assert not matches(shown, printed)
