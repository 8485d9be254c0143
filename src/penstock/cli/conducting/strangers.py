"""Inputs that a flow does not declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.cli.console import Console


def warn_of_strangers(
    console: Console, flow: str, schema: Mapping[str, Any], inputs: Mapping[str, Any]
) -> None:
    """Mention them: a flow takes them, but is unlikely to use them."""
    declared = schema.get("properties", {})
    for name in inputs if declared else ():
        if name not in declared:
            from penstock.core.problems import suggest

            console.warn(f"`{flow}` declares no input `{name}`; {suggest(name, declared)}")
