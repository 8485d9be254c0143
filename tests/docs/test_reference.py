"""The generated reference: complete, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from tests.docs.page import WEB, follow
from tests.docs.snippets import snippets_of

import penstock
from penstock.core.events import EventType
from penstock.engine.scheme import kinds_of
from penstock.kinds import standard_scheme
from reference import generated_pages

DOCS: Final = Path(__file__).parents[2] / "docs"
KINDS: Final = sorted(kind.kind for kind in kinds_of(standard_scheme()))

WORLD: Final = {
    "call": r"printf 'flow: hello\ninputs: {name: {}}\nnodes: [{kind: nop, name: end}]\n' > hello.yaml",
    "file.read": "touch notes.txt",
}
"""What an example finds in its folder before it is run."""

ARGUMENTS: Final = {
    "http.request": f"--set url={WEB}/",
    "if": "--set count=12",
    "switch": "--set size=12",
}
"""What an example is given when it is run."""


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return generated_pages()


@pytest.mark.parametrize("page", ["cli", "events", "exit-codes", "settings", "kinds/index"])
def test_generated_page_does_what_it_says(page: str, pages: dict[str, str], tmp_path: Path) -> None:
    follow(pages[f"reference/{page}.md"], tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_example_of_a_kind_runs(kind: str, pages: dict[str, str], tmp_path: Path) -> None:
    (example,) = [
        found for found in snippets_of(pages[f"reference/kinds/{kind}.md"]) if found.language == "yaml"
    ]
    world, arguments = WORLD.get(kind, "true"), ARGUMENTS.get(kind, "")
    # A resident graph would run until it is stopped.
    command = "validate" if example.body.startswith("- ") else "run"
    commands = f"$ {world}\n…\n$ penstock {command} example.yaml {arguments}\n…\n"
    follow(f'```yaml title="example.yaml"\n{example.body}```\n\n```console\n{commands}```\n', tmp_path)


def test_every_kind_has_a_page(pages: dict[str, str]) -> None:
    assert {f"reference/kinds/{kind}.md" for kind in KINDS} <= pages.keys()


def test_every_event_type_is_described(pages: dict[str, str]) -> None:
    assert all(f"`{name}`" in pages["reference/events.md"] for name in EventType)


def test_every_public_name_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "api.md").read_text("utf-8")
    names = [name for name in penstock.__all__ if not name.startswith("__")]
    assert [name for name in names if not re.search(rf"\bpenstock\.{name}\b", text)] == []


def test_every_decision_is_listed() -> None:
    text = (DOCS / "decisions" / "index.md").read_text("utf-8")
    pages = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
    assert [page for page in pages if f"]({page})" not in text] == []
