"""Data written as YAML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.document.source import read_source
from penstock.document.yaml_writing import to_yaml

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from(list("0123456789.eE+-xo~:#'\"\n\t &*!|<>{}[]"))
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(TEXTS, DATA, min_size=1, max_size=4) | st.lists(DATA, min_size=1, max_size=4))
def test_what_was_written_reads_back_as_the_same(data: object) -> None:
    found = read_source(to_yaml(data), file="a.yaml").data

    assert repr(found) == repr(data)


@pytest.mark.parametrize(
    "text", ["0o17", "0x1F", "1e3", ".5", "+12", "yes", "on", "12:30", "null", "<<"]
)
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    assert read_source(to_yaml({"a": text, text: 1}), file="a.yaml").data == {"a": text, text: 1}


def test_a_text_of_several_lines_stands_in_lines_of_its_own() -> None:
    assert to_yaml({"code": "a = 1\nreturn a\n"}) == "code: |\n  a = 1\n  return a\n"
