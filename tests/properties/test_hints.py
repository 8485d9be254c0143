"""What a hint's schema says and what its values may be is the same."""

from __future__ import annotations

from typing import Any, Literal, Optional

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.payload import normalise
from penstock.engine.hints import Unfit, fit, schema_of

PLAIN: list[Any] = [int, float, str, bool, type(None), Literal["a", "b"], Any]

HINTS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: st.one_of(
        inner.map(lambda hint: list[hint]),
        inner.map(lambda hint: dict[str, hint]),
        inner.map(lambda hint: Optional[hint]),  # noqa: UP045 - made of what is not known here
    ),
    max_leaves=4,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "c", 0.5]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(HINTS, VALUES)
def test_a_value_fits_a_hint_if_and_only_if_it_fits_the_schema(hint: Any, value: Any) -> None:
    assert fits(value, hint) == jsonschema_rs.is_valid(schema_of(hint), value)


def fits(value: Any, hint: Any) -> bool:
    try:
        return bool(normalise(fit(value, hint)) == value)
    except Unfit:
        return False
