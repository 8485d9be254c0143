"""What an editor is told about documents agrees with every document that is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
from tests.docs.snippets import pages_of, snippets_of

from penstock.cli.catalogue import kind_info
from penstock.document.schema import document_schema
from penstock.document.source import read_source
from penstock.engine.scheme import kinds_of
from penstock.kinds import standard_scheme

ROOT: Final = Path(__file__).parents[2]


def flows_of_kinds(known: set[str]) -> dict[str, Any]:
    """Where a flow is shown → the flow, for those that need no kinds but these."""
    shown = {
        f"{page.relative_to(ROOT)}:{snippet.line}": snippet.body
        for page in pages_of(ROOT)
        for snippet in snippets_of(page.read_text("utf-8"))
        if snippet.language in ("yaml", "json")
    }
    shown |= {path.name: path.read_text("utf-8") for path in (ROOT / "examples").glob("*.yaml")}
    shown |= {path.name: path.read_text("utf-8") for path in (ROOT / "examples").glob("*.json")}
    documents = {where: read_source(text, file=where).data for where, text in shown.items()}
    return {
        where: document
        for where, document in documents.items()
        if "nodes" in document and {_kind(node) for node in document["nodes"]} <= known
    }


def _kind(node: dict[str, Any]) -> str:
    return str(node.get("kind") or node.get("node_type") or node.get("type"))


@pytest.fixture(scope="module")
def infos() -> list[Any]:
    return [kind_info(kind) for kind in kinds_of(standard_scheme())]


def test_every_flow_that_is_shown_fits_the_schema_for_editors(infos: list[Any]) -> None:
    validator = jsonschema_rs.validator_for(document_schema(infos))
    flows = flows_of_kinds({name for info in infos for name in (info.name, *info.aliases)})
    assert len(flows) > 40
    wrong = {
        where: [error.message for error in validator.iter_errors(document)]
        for where, document in flows.items()
    }
    assert {where: messages for where, messages in wrong.items() if messages} == {}
