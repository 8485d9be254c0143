"""What the tests of documents share: the problems of a text, as people see them."""

from __future__ import annotations

import pytest

from penstock.core.errors import DocumentError
from penstock.core.spec import FlowSpec
from penstock.document import read
from penstock.document.source import read_source


def problems(text: str | bytes, *, file: str = "flow.yaml") -> str:
    """Everything that is wrong with a document, rendered."""
    with pytest.raises(DocumentError) as caught:
        read(text, file=file)
    return str(caught.value)


def problems_of_text(text: str | bytes, *, file: str = "flow.yaml") -> str:
    """Everything that is wrong with it as YAML or JSON, whatever its data mean, rendered."""
    with pytest.raises(DocumentError) as caught:
        read_source(text, file=file)
    return str(caught.value)


def only_flow(text: str, *, file: str = "flow.yaml") -> FlowSpec:
    """The one flow of a document."""
    document = read(text, file=file)
    assert document.nodes == ()
    (flow,) = document.flows
    return flow
