"""Statements and their parameters, without a database."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.errors import NodeError
from penstock.core.payload import Error
from penstock.kinds.sql.coercion import coerced
from penstock.kinds.sql.parameters import adapted, deal
from penstock.kinds.sql.rows import distinct
from penstock.kinds.sql.statement import Statement

STYLES = ["qmark", "format", "numeric", "numeric_dollar", "named", "pyformat"]


@pytest.mark.parametrize(
    ("style", "text", "arranged"),
    [
        ("qmark", "SELECT ?, ?, ?", (1, 2, 1)),
        ("format", "SELECT %s, %s, %s", (1, 2, 1)),
        ("numeric", "SELECT :1, :2, :1", (1, 2)),
        ("numeric_dollar", "SELECT $1, $2, $1", (1, 2)),
        ("named", "SELECT :a, :b, :a", {"a": 1, "b": 2}),
        ("pyformat", "SELECT %(a)s, %(b)s, %(a)s", {"a": 1, "b": 2}),
    ],
)
def test_names_become_what_the_driver_takes(style: str, text: str, arranged: Any) -> None:
    statement = Statement("SELECT :a, :b, :a")
    assert statement.written(style)[0] == text
    assert statement.arranged({"a": 1, "b": 2}, style) == arranged


@pytest.mark.parametrize(
    ("style", "text", "arranged"),
    [
        ("qmark", "SELECT ?, ?", (1, 2)),
        ("format", "SELECT %s, %s", (1, 2)),
        ("numeric_dollar", "SELECT $1, $2", (1, 2)),
        ("named", "SELECT :p1, :p2", {"p1": 1, "p2": 2}),
        ("pyformat", "SELECT %(p1)s, %(p2)s", {"p1": 1, "p2": 2}),
    ],
)
def test_places_become_what_the_driver_takes(style: str, text: str, arranged: Any) -> None:
    statement = Statement("SELECT ?, ?")
    assert statement.written(style)[0] == text
    assert statement.arranged({0: 1, 1: 2}, style) == arranged


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ':a ?'",
        "SELECT 'it''s :a'",
        r"SELECT E'it\'s :a ?'",
        'SELECT ":a"',
        "SELECT `:a`",
        "SELECT 1 -- :a ?\n",
        "SELECT 1 /* :a\n ? */",
        "SELECT $$ :a ? $$",
        "DO $body$ BEGIN PERFORM ':a'; x := 1; END $body$",
        "SELECT '1'::int",
        "SELECT list[1:2], list[low:high]",
        "SELECT '12:30:45'::time",
    ],
)
def test_what_is_quoted_or_no_placeholder_stays(text: str) -> None:
    statement = Statement(text)
    assert not statement.takes_parameters
    for style in STYLES:
        assert statement.written(style) == (text.strip(), ())


def test_a_backslash_makes_a_character_of_a_placeholder() -> None:
    statement = Statement(r"SELECT data \? :key, \:not, 5 % 2")
    assert statement.names == ("key",)
    assert statement.written("numeric_dollar")[0] == "SELECT data ? $1, :not, 5 % 2"
    assert statement.written("pyformat")[0] == "SELECT data ? %(key)s, :not, 5 %% 2"


def test_both_sorts_of_placeholders_in_one_statement_are_refused() -> None:
    with pytest.raises(ValueError, match="mixes"):
        Statement("SELECT ?, :a")


@given(st.text(alphabet="ab:?'\"`$-/*\\%E \n;1["))
def test_no_text_breaks_the_reading_of_statements(text: str) -> None:
    try:
        statement = Statement(text)
    except ValueError:
        return
    written, order = statement.written("numeric_dollar")
    assert len(set(order)) == len(order) == len(statement.names) + statement.places
    if not statement.takes_parameters and "\\" not in text:
        assert written == statement.text


@pytest.mark.parametrize(
    ("text", "is_query", "returns", "counted"),
    [
        ("select 1", True, False, False),
        (" -- first\n SELECT 1;", True, False, False),
        ("WITH x AS (SELECT 1) SELECT * FROM x", True, False, False),
        ("WITH x AS (INSERT INTO a VALUES (1) RETURNING *) SELECT * FROM x", False, True, False),
        ("SELECT * INTO b FROM a", False, False, False),
        ("INSERT INTO a VALUES (?)", False, False, True),
        ("INSERT INTO a VALUES (?) ON CONFLICT DO NOTHING", False, False, False),
        ("INSERT INTO a VALUES (?) RETURNING id", False, True, False),
        ("UPDATE a SET b = 'returning'", False, False, False),
    ],
)
def test_it_is_known_what_a_statement_does(
    text: str, *, is_query: bool, returns: bool, counted: bool
) -> None:
    statement = Statement(text)
    assert (statement.is_query, statement.returns, statement.counted) == (is_query, returns, counted)


# --- dealing out ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "payload", "dealt"),
    [
        (["?, ?"], [1, 2], [[{0: 1, 1: 2}]]),
        (["?"], 7, [[{0: 7}]]),
        (["?"], [[1], [2]], [[{0: 1}, {0: 2}]]),
        (["?"], [], [[]]),
        ([":a"], {"a": 1, "b": 2}, [[{"a": 1}]]),
        ([":a"], 7, [[{"a": 7}]]),
        ([":a, :key"], 7, [[{"a": 7, "key": "k"}]]),
        ([":key"], None, [[{"key": "k"}]]),
        ([":key"], {"key": "of a stranger"}, [[{"key": "k"}]]),
        ([":key"], [1, 2], [[{"key": "k"}]]),
        ([":a, :key"], [{"a": 1}, {"a": 2}], [[{"a": 1, "key": "k"}, {"a": 2, "key": "k"}]]),
        ([":a"], [{"a": 1}, {"a": 2}], [[{"a": 1}, {"a": 2}]]),
        ([":a"], {"a": [1, 2]}, [[{"a": [1, 2]}]]),
        (["1"], {"a": 1}, [[{}]]),
        (["1"], [[1], [2]], [[{}]]),
        (["?", "1", "?, ?"], [1, 2, 3], [[{0: 1}], [{}], [{0: 2, 1: 3}]]),
        ([":a", ":b"], {"a": 1, "b": 2}, [[{"a": 1}], [{"b": 2}]]),
        (["1", ":a"], [{"a": 1}, {"a": 2}], [[{}], [{"a": 1}, {"a": 2}]]),
    ],
)
def test_payloads_are_dealt_out(texts: list[str], payload: Any, dealt: Any) -> None:
    assert deal([Statement(text) for text in texts], payload, {"key": "k"}) == dealt


@pytest.mark.parametrize(
    ("text", "payload", "message"),
    [
        ("?, ?", [1], "takes 2 parameters, and 1 arrived"),
        ("?", None, "takes 1 parameter, and 0 arrived"),
        ("?", {"a": 1}, "a mapping arrived"),
        (":a", [1, 2], "a list arrived"),
        (":a, :b", 7, "a single value arrived"),
        (":name", {"nmae": 1}, "no value for `name` arrived\ndid you mean `:nmae`"),
        (":a", [{"a": 1}, {"b": 2}], "row 1: no value for `a`"),
        (":a", None, "no value for `a`"),
    ],
)
def test_parameters_that_do_not_fit_are_told(text: str, payload: Any, message: str) -> None:
    with pytest.raises(NodeError) as caught:
        deal([Statement(text)], payload, {"key": "k"})
    assert caught.value.code == "sql.parameters"
    assert caught.value.remedy
    assert message in str(caught.value)


def test_statements_of_a_list_use_the_same_placeholders() -> None:
    with pytest.raises(NodeError, match="some statements have"):
        deal([Statement("?"), Statement(":a")], [1], {})


def test_what_drivers_have_no_word_for_goes_as_json() -> None:
    assert adapted({"a": 1}, "sqlite") == '{"a":1}'
    assert adapted([1, "b"], "sqlite") == '[1,"b"]'
    assert adapted([1, {"b": 2}], "postgresql") == [1, '{"b":2}']
    assert "timeout" in adapted(Error(code="timeout", message="slow"), "mysql")


@pytest.mark.parametrize(
    ("value", "kind"), [("x", "int4"), (1.5, "int8"), ("x", "numeric"), ("soon", "timestamptz")]
)
def test_a_value_that_does_not_fit_its_type_is_told_and_not_shown(value: Any, kind: str) -> None:
    with pytest.raises(NodeError, match=f"parameter 2 cannot be read as `{kind}`") as caught:
        coerced((None, value), ("text", kind))
    assert caught.value.code == "sql.parameters"
    assert str(value) not in caught.value.message.removeprefix("parameter 2 cannot be read as")


def test_columns_with_one_name_are_told_apart() -> None:
    assert distinct(["id", "name", "id", "id"]) == ["id", "name", "id_2", "id_3"]
    assert distinct(["id", "id", "id_2"]) == ["id", "id_3", "id_2"]
