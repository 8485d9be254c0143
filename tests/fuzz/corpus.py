"""Seeds: every document that people were shown, and what no person would write."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.docs.snippets import pages_of, snippets_of

from penstock.cli.catalogue import entry
from penstock.engine.scheme import kinds_of
from penstock.kinds import standard_scheme

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("examples", "src/penstock/cli/templates", "tests/document/data", "tests/fuzz/seeds")
DOCUMENTS: Final = (".yaml", ".json")


def seeds() -> list[str]:
    """Every seed once, in an order that never changes."""
    found = [*_files(), *_snippets(), *_examples()]
    return list(dict.fromkeys(found))


def _files() -> list[str]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    return [path.read_text("utf-8") for path in paths if path.suffix in DOCUMENTS]


def _snippets() -> list[str]:
    return [
        snippet.body
        for page in pages_of(ROOT)
        for snippet in snippets_of(page.read_text("utf-8"))
        if snippet.language in ("yaml", "json")
    ]


def _examples() -> list[str]:
    """The example of each kind."""
    kinds = sorted(kinds_of(standard_scheme()), key=lambda kind: kind.kind)
    return [example for kind in kinds if (example := entry(kind).example)]
