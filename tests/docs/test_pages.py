"""Every snippet of the documentation is executed, or says why not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.docs.page import follow
from tests.docs.snippets import fences_of, pages_of, snippets_of

ROOT = Path(__file__).parents[2]
PAGES = pages_of(ROOT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    follow(page.read_text("utf-8"), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_fence_is_overlooked(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(snippets_of(text)) == fences_of(text)


def test_snippets_that_are_not_run_are_few_and_known() -> None:
    snippets = [snippet for page in PAGES for snippet in snippets_of(page.read_text("utf-8"))]
    assert Counter(snippet.not_run for snippet in snippets if snippet.not_run) == {
        "installs software": 4,
        "runs the tests themselves": 2,
        "runs until it is stopped": 1,
    }
