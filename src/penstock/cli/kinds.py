"""`penstock kinds`."""

from __future__ import annotations

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_kind


@click.command()
@click.argument("name", metavar="[KIND]", required=False, shell_complete=complete_kind)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of documents, for editors.")
@options.kinds
@options.as_json
@options.debug
@options.color
@pass_app
def kinds(app: App, name: str | None, *, schema: bool, as_json: bool) -> None:
    """Show the kinds of nodes, or the documentation of one.

    With --schema, print the JSON Schema of a document that uses these kinds: an editor
    that knows it completes and checks as you type.
    """
    from penstock.engine.scheme import kinds_of

    scheme = app.scheme()
    if schema:
        import json

        from penstock.cli.catalogue import kind_info
        from penstock.document.schema import document_schema

        infos = [kind_info(kind) for kind in kinds_of(scheme)]
        app.console.out(json.dumps(document_schema(infos), indent=2))
        return
    from penstock.cli import kind_pages

    if name is None:
        found = sorted(kinds_of(scheme), key=lambda kind: kind.kind)
        kind_pages.print_table(app.console, found, scheme.broken, as_json=as_json)
        return
    kind = scheme.get(name)
    if kind is None:
        raise click.UsageError(f"unknown kind `{name}`; {scheme.hint(name)}")
    kind_pages.print_page(app.console, kind, as_json=as_json)
