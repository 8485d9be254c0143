"""`penstock flows show`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_flow
from penstock.cli.flows.desk import opened_flows

if TYPE_CHECKING:
    from penstock.api import FlowView
    from penstock.cli.console import Console


@click.command()
@click.argument("name", shell_complete=complete_flow)
@options.namespace
@options.as_json
@options.kinds
@options.place
@options.debug
@options.color
@pass_app
def show(app: App, name: str, *, namespace: str, as_json: bool) -> None:
    """Show a flow: what it wants, and what it gives."""

    async def look_up() -> FlowView:
        async with opened_flows(app, namespace) as desk:
            return await desk.flow(name)

    flow = asyncio.run(look_up())
    if as_json:
        import msgspec

        from penstock.cli.results import print_json

        print_json(app.console, msgspec.to_builtins(flow))
        return
    _print(app.console, flow)


def _print(console: Console, flow: FlowView) -> None:
    facts = {
        "name": flow.name,
        "namespace": flow.namespace,
        "status": flow.status,
        "description": flow.description,
        "author": flow.author,
        "tags": ", ".join(flow.tags),
        "source": flow.source,
        "executor": flow.executor,
        "revision": flow.revision,
    }
    for fact, text in facts.items():
        if text:
            console.out(f"{fact:12} {text}")
    if flow.reason:
        console.out(f"\n{flow.reason}")
    rows = list(_rows(flow.input_schema))
    if rows:
        from penstock.cli.documents.listing import print_table

        console.out("")
        print_table(console, rows)
    if flow.output_schema is not None:
        from penstock.cli.results import pretty

        console.out(f"\ngives {pretty(flow.output_schema)}")


def _rows(schema: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """A line for each input."""
    import json

    required = schema.get("required", ())
    for name, about in schema.get("properties", {}).items():
        default = json.dumps(about["default"], ensure_ascii=False) if "default" in about else ""
        yield {
            "INPUT": name,
            "TYPE": _type(about),
            "DEFAULT": default or ("required" if name in required else ""),
            "ABOUT": str(about.get("description", about.get("title", ""))).partition("\n")[0],
        }


def _type(schema: Mapping[str, Any]) -> str:
    """The type of a value in a word or two."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(map(_type, schema[key])))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    found = schema.get("type", "anything")
    words = " | ".join(found) if isinstance(found, list) else str(found)
    return f"{words} ({schema['format']})" if "format" in schema else words
