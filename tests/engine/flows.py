"""Flows from a few lines of YAML and kinds that a test writes on the spot."""

from __future__ import annotations

import textwrap
from typing import Any

from penstock.core.errors import DocumentError
from penstock.core.payload import Payload
from penstock.document.reader import read
from penstock.document.source import place
from penstock.engine.flow import GraphFlow
from penstock.engine.function import NodeFunction
from penstock.engine.kind import Node
from penstock.engine.loading import Loader
from penstock.engine.scheme import Scheme
from penstock.kinds import standard_scheme

Kind = type[Node] | NodeFunction[Any, Any]


def scheme_with(*kinds: Kind) -> Scheme:
    """The built-in kinds and these."""
    scheme = standard_scheme()
    scheme.add(*kinds)
    return scheme


def graph(text: str, *kinds: Kind, values: dict[str, Payload] | None = None) -> GraphFlow:
    """The flow that a document describes, with these kinds beside the built-in ones."""
    document = read(textwrap.dedent(text), file="flow.yaml")
    try:
        flow = Loader(scheme_with(*kinds), values=values).compile(document.flows[0])
    except DocumentError as error:
        raise DocumentError(place(error.problems, document.source)) from None
    assert isinstance(flow, GraphFlow)
    return flow
