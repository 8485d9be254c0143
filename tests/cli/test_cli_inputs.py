"""Inputs from the command line."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import click
import pytest

from penstock.cli.inputs import read_inputs

if TYPE_CHECKING:
    from pathlib import Path


def typed(text: str, schema: dict[str, Any]) -> Any:
    return read_inputs(None, [f"x={text}"], {"properties": {"x": schema}})["x"]


@pytest.mark.parametrize(
    ("text", "schema", "expected"),
    [
        ("5", {"type": "string"}, "5"),
        ("", {"type": "string"}, ""),
        ("5", {"type": "integer"}, 5),
        ("5", {"type": "number"}, 5),
        ("1e3", {"type": "integer"}, 1000.0),
        ("true", {"type": "boolean"}, True),
        ('["a"]', {"type": "array"}, ["a"]),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
        ("null", {"type": ["string", "null"]}, None),
        ("5", {"type": ["string", "null"]}, "5"),
        ("5", {}, 5),
        ("five", {}, "five"),
        ("a=b", {}, "a=b"),
        ("NaN", {}, "NaN"),
    ],
)
def test_set_reads_a_value_by_its_declared_type(
    text: str, schema: dict[str, Any], expected: Any
) -> None:
    assert typed(text, schema) == expected


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("five", {"type": "integer"}),
        ("5", {"type": "boolean"}),
        ("5.5", {"type": "integer"}),
        ("{", {"type": "object"}),
    ],
)
def test_set_refuses_a_value_of_another_type(text: str, schema: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError, match=f"--set x: `{text}` is not {schema['type']}"):
        typed(text, schema)


@pytest.mark.parametrize("pair", ["x", "=5", ""])
def test_set_needs_a_name_and_a_value(pair: str) -> None:
    with pytest.raises(click.UsageError, match="is not NAME=VALUE"):
        read_inputs(None, [pair], {})


def test_a_set_wins_over_the_same_name_in_input() -> None:
    assert read_inputs('{"a": 1, "b": 2}', ["b=3"], {}) == {"a": 1, "b": 3}


def test_input_is_read_from_files_and_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.json").write_text('{"n": 1}')
    (tmp_path / "in.yaml").write_text("n: 2")
    assert read_inputs(f"@{tmp_path}/in.json", [], {}) == {"n": 1}
    assert read_inputs(f"@{tmp_path}/in.yaml", [], {}) == {"n": 2}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"n": 3}'))
    assert read_inputs("-", [], {}) == {"n": 3}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{", "--input is not valid JSON: .* at line 1, column 2; @FILE reads a file"),
        ("[1]", "--input holds a list, not a mapping of inputs"),
        ('{"a": NaN}', "JSON has no `NaN`"),
        ("@missing.json", r"--input @missing\.json cannot be read: No such file"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_input_that_cannot_be_read_says_why(source: str, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        read_inputs(source, [], {})
