"""JSON documents: strict about the syntax, helpful about the usual slips."""

from __future__ import annotations

import json

import pytest
from tests.document.rendering import problems, problems_of_text

from penstock.document.source import read_source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{\n  "nodes": [],\n}',
            """\
a.json:3:1: not valid JSON: a `,` after the last entry
    3 | }
      | ^
  remove the comma""",
        ),
        (
            '{"nodes": [] "a": 1}',
            """\
a.json:1:14: not valid JSON: a `,` or a closing bracket is missing
    1 | {"nodes": [] "a": 1}
      |              ^""",
        ),
        (
            "{nodes: []}",
            """\
a.json:1:2: not valid JSON: a key must be text in double quotes
    1 | {nodes: []}
      |  ^""",
        ),
        (
            "{'nodes': []}",
            """\
a.json:1:2: not valid JSON: JSON knows no single quotes
    1 | {'nodes': []}
      |  ^
  write text in double quotes""",
        ),
        (
            '{"a": True}',
            """\
a.json:1:7: not valid JSON: a value is missing or misspelt
    1 | {"a": True}
      |       ^
  text needs double quotes; the words are `true`, `false` and `null`""",
        ),
        (
            '{"a": 1} // done',
            """\
a.json:1:10: not valid JSON: JSON has no comments
    1 | {"a": 1} // done
      |          ^
  remove the comment, or write the document as YAML""",
        ),
        (
            '{"a": "x\ny"}',
            """\
a.json:1:9: not valid JSON: text in double quotes cannot go on in the next line
    1 | {"a": "x
      |         ^
  write `\\n` and `\\t`""",
        ),
        (
            '{"a": [',
            """\
a.json:1:8: not valid JSON: the text ends too early
    1 | {"a": [
      |        ^""",
        ),
        (
            " \n",
            """\
a.json:2:1: not valid JSON: the document is empty
  write a mapping with `nodes` and `connections`""",
        ),
        (
            '{"nodes": [{"a": 1, "a": 2}]}',
            """\
a.json:1:21: nodes[0].a: the key `a` appears twice
    1 | {"nodes": [{"a": 1, "a": 2}]}
      |                     ^
  first in line 1""",
        ),
        (
            '{"a": [NaN, 1e999]}',
            """\
a.json:1:8: a[0]: `NaN` is no finite number
    1 | {"a": [NaN, 1e999]}
      |        ^
  write a finite number, or the text in quotes

a.json:1:13: a[1]: `1e999` is no finite number
    1 | {"a": [NaN, 1e999]}
      |             ^
  write a finite number, or the text in quotes""",
        ),
        (
            '{"a": "\\ud83d"}',
            """\
a.json:1:7: a: half of a character is missing
    1 | {"a": "\\ud83d"}
      |       ^
  an escape from `\\ud800` to `\\udfff` stands for a character only in a pair""",
        ),
    ],
)
def test_a_broken_text_is_told_with_its_place_and_a_way_out(text: str, message: str) -> None:
    assert problems_of_text(text, file="a.json") == message


@pytest.mark.parametrize("depth", [101, 5000, 200_000])
def test_a_text_that_is_nested_too_deep_is_refused(depth: int) -> None:
    assert "nested deeper than 100 levels" in problems("[" * depth + "]" * depth, file="a.json")


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    assert "a whole number of 1000000 digits is too long" in problems(
        "[" + "9" * 1_000_000 + "]", file="a.json"
    )


def test_a_pair_of_escapes_is_one_character() -> None:
    assert read_source('{"a": "\\ud83d\\ude00"}', file="a.json").data == {"a": "😀"}


def test_every_value_and_key_has_its_place() -> None:
    text = '{\n  "a": [1, {"b": "x, [", "": -2.5e3}],\n  "c": {}\n}'
    source = read_source(text, file="a.json")

    assert str(source.place(())) == "a.json:1:1"
    assert str(source.place(("a", 0))) == "a.json:2:9"
    assert str(source.place(("a", 1, "b"))) == "a.json:2:18"
    assert str(source.place(("a", 1, "b"), at_key=True)) == "a.json:2:13"
    assert str(source.place(("a", 1, ""))) == "a.json:2:30"
    assert str(source.place(("c",))) == "a.json:3:8"


@pytest.mark.parametrize("file", ["<document>", "flow.yaml"])
def test_json_is_read_as_json_under_any_name(file: str) -> None:
    text = json.dumps({"emoji": "😀", "slash": "\u2028", "tab": "\t"}, indent="\t")

    assert read_source(text, file=file).data == {"emoji": "😀", "slash": "\u2028", "tab": "\t"}


def test_flow_style_yaml_is_no_json_and_reads_all_the_same() -> None:
    assert read_source("{flow: a, on: [yes, 1e3],}", file="x.yaml").data == {
        "flow": "a",
        "on": ["yes", 1000.0],
    }
