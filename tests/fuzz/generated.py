"""Campaign `generated`: documents that Hypothesis builds from the words of specs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from tests.document.test_any_input import FRAGMENTS, TREES, WORDS, flows
from tests.fuzz.data import FIELDS, KIND_NAMES, NAMES, ODD, PORTS
from tests.fuzz.fence import fence
from tests.fuzz.scheme import tied_scheme
from tests.fuzz.text import CODE, TEXTS, encoded
from tests.fuzz.validating import check
from tests.fuzz.watchdog import Watchdog

from penstock.engine.loading import Loader

if TYPE_CHECKING:
    from tests.fuzz.report import Report

JSON_SHAPED: Final = [each for each in ODD if not isinstance(each, bytes | tuple | float)]
TARGETS: Final = st.sampled_from(NAMES) | st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES)}, optional={"port": st.sampled_from(PORTS)}
)
LINKS: Final = st.dictionaries(
    st.sampled_from(PORTS), TARGETS | st.lists(TARGETS, max_size=3), max_size=3
)
VALUES: Final = st.one_of(
    TREES, st.sampled_from(CODE), st.sampled_from(TEXTS), st.sampled_from(JSON_SHAPED), LINKS
)
SPECS: Final = st.fixed_dictionaries(
    {"kind": st.sampled_from(KIND_NAMES), "name": st.sampled_from(NAMES)}, optional={"links": LINKS}
).flatmap(
    lambda spec: st.dictionaries(st.sampled_from(FIELDS) | WORDS, VALUES, max_size=4).map(
        lambda more: {**more, **spec}
    )
)
GRAPHS: Final = st.lists(SPECS, min_size=1, max_size=8)
FLOWS: Final = flows() | st.fixed_dictionaries(
    {"flow": st.sampled_from(NAMES), "nodes": GRAPHS}, optional={"settings": TREES, "inputs": TREES}
)
TEXT: Final = st.lists(
    FRAGMENTS | st.text(st.characters(exclude_categories=[]), max_size=20), max_size=200
)

ROUND: Final = settings(
    max_examples=300,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def main(folder: Path, *, size_bytes: int, seed: int) -> Report:
    """Validate so many bytes. One seed makes one round of examples."""
    loader, dog = Loader(tied_scheme()), Watchdog(folder)
    right = 0

    def look(raw: bytes, name: str) -> None:
        nonlocal right
        path = folder / name
        path.write_bytes(raw)
        with dog.over(raw):
            right += check(loader, path)

    @ROUND
    @given(st.one_of(GRAPHS, FLOWS, TREES))
    def structures(data: Any) -> None:
        look(_written(data), "document.json")

    @ROUND
    @given(st.one_of(TEXT.map("".join).map(encoded), st.binary(max_size=2000)))
    def texts(raw: bytes) -> None:
        look(raw, "document.yaml")

    fence(folder)
    while dog.size_bytes < size_bytes:
        for examples in (structures, texts):
            seeded(seed)(examples)()
        seed += 1
    return dog.report("generated", accepted=right)


def _written(data: Any) -> bytes:
    return encoded(json.dumps(data, ensure_ascii=False))
