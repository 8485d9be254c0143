"""YAML as documents use it: the core schema of YAML 1.2, and nothing that can hurt."""

from __future__ import annotations

import pytest
from tests.document.rendering import problems, problems_of_text

from penstock.document.source import read_source


def data(text: str) -> object:
    return read_source(text, file="x.yaml").data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0777", 777),
        ("0o17", 15),
        ("0xff", 255),
        ("-12", -12),
        ("+12", 12),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E-2", -0.015),
        ("1.2.3", "1.2.3"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int '7'", 7),
        ("!!float 7", 7.0),
        ("!!bool 'true'", True),
        ("=", "="),
    ],
)
def test_unquoted_text_means_what_yaml_1_2_says(text: str, value: object) -> None:
    found = data(f"value: {text}")

    assert found == {"value": value}
    assert type(found["value"]) is type(value)


def test_keys_are_always_text() -> None:
    assert data("1: a\ntrue: b\non: c\n'': d") == {"1": "a", "true": "b", "on": "c", "": "d"}


def test_block_text_keeps_and_folds_its_lines() -> None:
    assert data("a: |\n  x\n  y\nb: >\n  x\n  y\n") == {"a": "x\ny\n", "b": "x y\n"}


def test_an_alias_stands_for_what_its_anchor_names() -> None:
    assert data("a: &x {b: [1]}\nc: *x\n&k d: 1\ne: *k") == {
        "a": {"b": [1]},
        "c": {"b": [1]},
        "d": 1,
        "e": "d",
    }


def test_a_merge_brings_what_the_mapping_does_not_say_itself() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], z: 3}\nd: {'<<': 1}"

    assert data(text) == {
        "a": {"x": 1, "y": 1},
        "b": {"y": 2, "z": 2},
        "c": {"x": 1, "y": 1, "z": 3},
        "d": {"<<": 1},
    }


def test_a_merged_value_is_placed_where_it_is_written() -> None:
    source = read_source("a: &a\n  x: 1\nc:\n  <<: *a\n", file="x.yaml")

    assert (source.place(("c", "x")).line, source.place(("c", "x")).column) == (2, 6)
    assert source.place(("c", "x"), at_key=True).column == 3


def test_a_path_that_does_not_exist_is_placed_at_the_nearest_value_around_it() -> None:
    source = read_source("a:\n  b: [1, {c: 2}]\n", file="x.yaml")

    assert str(source.place(("a", "b", 1, "c"))) == "x.yaml:2:14"
    assert str(source.place(("a", "b", 1, "c"), at_key=True)) == "x.yaml:2:11"
    assert str(source.place(("a", "b", 1, "nope", 3), at_key=True)) == "x.yaml:2:10"
    assert str(source.place(("a", "b", 7))) == "x.yaml:2:6"
    assert str(source.place(("nope",))) == "x.yaml:1:1"


def test_columns_count_characters_and_not_bytes() -> None:
    assert read_source("ключ: {é: ñ}", file="x.yaml").place(("ключ", "é")).column == 11


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "flow: a\nnodes: []\nflow: b\n",
            """\
flow.yaml:3:1: flow: the key `flow` appears twice
    3 | flow: b
      | ^
  first in line 1""",
        ),
        (
            "a:\n\tb: 1",
            """\
flow.yaml:2:1: not valid YAML: a tab cannot indent a line
    2 |  b: 1
      | ^
  indent with spaces""",
        ),
        (
            "",
            """\
flow.yaml:1:1: the document is empty
  write a flow (a mapping with `flow:` and `nodes:`) or a list of node specs""",
        ),
        (
            "# nothing but a comment",
            """\
flow.yaml:1:1: the document is empty
    1 | # nothing but a comment
      | ^
  write a flow (a mapping with `flow:` and `nodes:`) or a list of node specs""",
        ),
        (
            "---\nflow: a\n---\nflow: b\n",
            """\
flow.yaml:3:1: a second document starts here; a file holds one
    3 | ---
      | ^
  write one YAML list of specs, or a file for each document""",
        ),
        (
            "- kind: http\n  url: {{ .URL }}\n",
            """\
flow.yaml:2:9: [0].url: a key must be text
    2 |   url: {{ .URL }}
      |         ^
  text that starts with `{` or `[` needs quotes, as in "{{ .NAME }}\"""",
        ),
        (
            "message: a: b",
            """\
flow.yaml:1:11: not valid YAML: a `:` cannot stand here
    1 | message: a: b
      |           ^
  text that holds `: ` needs quotes, as in message: "a: b\"""",
        ),
        (
            "a: {b: 1\nc: 2\n",
            """\
flow.yaml:2:2: not valid YAML: a `,` or `}` is missing
    2 | c: 2
      |  ^
  close the `{`, or quote the text; it opened in line 1""",
        ),
        (
            "a: 'x\nb: 1\n",
            """\
flow.yaml:1:4: not valid YAML: the quoted text never ends
    1 | a: 'x
      |    ^
  close the quotes""",
        ),
        (
            "when: @never",
            """\
flow.yaml:1:7: not valid YAML: `@` cannot start a value
    1 | when: @never
      |       ^
  text that starts with `@` needs quotes""",
        ),
        (
            "a:\n  b: 1\n c: 2\n",
            """\
flow.yaml:3:2: not valid YAML: the line does not continue the mapping around it
    3 |  c: 2
      |  ^
  entries of one mapping or list start in the same column; check the indentation; it opened in line 1""",
        ),
        (
            "pattern: *.txt",
            """\
flow.yaml:1:11: not valid YAML: a name must follow
    1 | pattern: *.txt
      |           ^
  text that starts with `*` or `&` needs quotes""",
        ),
        (
            "pattern: *txt",
            """\
flow.yaml:1:10: pattern: nothing is named `&txt`
    1 | pattern: *txt
      |          ^
  text that starts with `*` needs quotes""",
        ),
        (
            "a: &a [*a]",
            """\
flow.yaml:1:8: a[0]: `*a` stands inside of what it names
    1 | a: &a [*a]
      |        ^""",
        ),
        (
            "a: !include b.yaml",
            """\
flow.yaml:1:4: a: the tag `!include` does not fit this value
    1 | a: !include b.yaml
      |    ^
  tags have no meaning in a document; text that starts with `!` needs quotes""",
        ),
        (
            "a: {<<: 3}",
            """\
flow.yaml:1:5: a.<<: `<<` merges a mapping or a list of mappings
    1 | a: {<<: 3}
      |     ^""",
        ),
        (
            "a: -.Inf\nb: .NaN\nc: 1e999",
            """\
flow.yaml:1:4: a: `-.Inf` is no finite number
    1 | a: -.Inf
      |    ^
  write a finite number, or the text in quotes

flow.yaml:2:4: b: `.NaN` is no finite number
    2 | b: .NaN
      |    ^
  write a finite number, or the text in quotes

flow.yaml:3:4: c: `1e999` is no finite number
    3 | c: 1e999
      |    ^
  write a finite number, or the text in quotes""",
        ),
        (
            "a: \x00",
            """\
flow.yaml:1:4: the character U+0000 cannot stand in a document
    1 | a:
      |    ^
  is this a text file?""",
        ),
    ],
)
def test_a_broken_text_is_told_with_its_place_and_a_way_out(text: str, message: str) -> None:
    assert problems_of_text(text) == message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a: 1\nb: \xe9\n", "flow.yaml:2:4: the byte 0xE9 is not UTF-8"),
        ("a: 1".encode("utf-16"), "flow.yaml:1:1: the file is UTF-16 text"),
    ],
)
def test_bytes_that_are_not_utf_8_are_refused_at_the_first_of_them(raw: bytes, message: str) -> None:
    assert problems(raw).startswith(message)
    assert "save the file as UTF-8" in problems(raw)


def test_a_byte_order_mark_means_nothing() -> None:
    assert read_source(b"\xef\xbb\xbfa: 1", file="x.yaml").data == {"a": 1}


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    assert "a whole number of 1000000 digits is too long" in problems("a: " + "9" * 1_000_000)


def test_aliases_cannot_grow_into_gigabytes() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]

    assert "aliases add more than 100000 values" in problems("\n".join(lines))


def test_merges_cannot_grow_into_gigabytes() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: 1" for i in range(100)) + "}"]
    lines += [
        f"a{i}: &a{i} {{" + ", ".join(f"p{j}: {{<<: *a{i - 1}}}" for j in range(100)) + "}"
        for i in range(1, 8)
    ]

    assert "aliases add more than 100000 values" in problems("\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, "[" * 101 + "]" * 101])
def test_a_text_that_is_nested_too_deep_is_refused(text: str) -> None:
    assert "nested deeper than 100 levels" in problems(text)


def test_aliases_cannot_nest_deeper_than_text_may() -> None:
    nest = "[" * 40
    lines = [f"a0: &a0 {nest}{']' * 40}"]
    lines += [f"a{i}: &a{i} {nest}*a{i - 1}{']' * 40}" for i in range(1, 4)]

    assert "nested deeper than 100 levels" in problems("\n".join(lines))


def test_a_long_line_is_shown_around_its_caret() -> None:
    text = "flow: a\nnodes: [{kind: a, name: a, x: '" + "é" * 500 + "', links: {out: nope}}]"

    shown = problems(text).splitlines()
    caret = shown[2].index("^")

    assert shown[0] == "flow.yaml:2:548: nodes[0].links.out: no node is named `nope`"
    assert shown[1][caret:].startswith("nope")
    assert len(shown[1]) < 130
