"""MkDocs hook: makes the reference pages from the code while the site is built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cli_page
import events_page
import kinds_pages
import settings_pages
from penstock.cli.main import penstock
from penstock.engine.scheme import kinds_of
from penstock.kinds import standard_scheme

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def generated_pages() -> dict[str, str]:
    """Path below `docs/` → Markdown."""
    kinds = sorted(kinds_of(standard_scheme()), key=lambda kind: kind.kind)
    return {
        "reference/cli.md": cli_page.page(penstock, "penstock"),
        "reference/events.md": events_page.page(),
        "reference/exit-codes.md": settings_pages.exit_codes(),
        "reference/settings.md": settings_pages.settings(),
        "reference/kinds/index.md": kinds_pages.index(kinds),
        **{f"reference/kinds/{kind.kind}.md": kinds_pages.page(kind) for kind in kinds},
    }


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the kinds, and the decisions, below their index in the navigation."""
    decisions = [
        f"decisions/{path.name}" for path in Path(config.docs_dir, "decisions").glob("[0-9]*.md")
    ]
    kinds = [page for page in generated_pages() if page.startswith("reference/kinds/")]
    for name, pages in (("Kinds", kinds), ("Decisions", decisions)):
        index = "reference/kinds/index.md" if name == "Kinds" else "decisions/index.md"
        _replace(config.nav, index, {name: [index, *sorted(set(pages) - {index})]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those on disk."""
    from mkdocs.structure.files import File

    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def _replace(nav: Any, page: str, section: dict[str, list[str]]) -> None:
    if isinstance(nav, dict):
        nav = list(nav.values())
    if not isinstance(nav, list):
        return
    for position, item in enumerate(nav):
        if item == page:
            nav[position] = section
        else:
            _replace(item, page, section)
