"""`penstock config`."""

from __future__ import annotations

from typing import Any

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.settings import NAMESPACES, OIDC, VALUES, Value


@click.command()
@options.store
@options.as_json
@pass_app
def config(app: App, *, as_json: bool) -> None:
    """Show each setting, its value and where it comes from.

    A flag wins over a PENSTOCK_* variable, that over the nearest penstock.toml, that over
    [tool.penstock] in the nearest pyproject.toml, and that over the default. Of values for
    `env`, only the names are shown. What every file says about namespaces holds.
    """
    values = [*map(_without_secrets, app.settings), *_documents(app), *_tables(app)]
    if as_json:
        from penstock.cli.results import print_json

        print_json(app.console, {value.name: value._asdict() for value in values})
        return
    name = max(len(value.name) for value in values)
    text = max(len(value.value) for value in values)
    for value in values:
        origin = app.console.style(value.origin, "dim", stream=app.console.stdout)
        app.console.out(f"{value.name:{name}}  {value.value:{text}}  {origin}")


def _without_secrets(value: Value) -> Value:
    """The address of a store may hold a password."""
    if value.name != "store":
        return value
    from penstock.store import shown

    return value._replace(value=shown(value.value))


def _documents(app: App) -> list[Value]:
    """The value documents of the settings files: where each is, never what it holds."""
    found: dict[str, Value] = {}
    for origin, documents in app.settings.tables(VALUES):
        for name, held in documents.items():
            text = ", ".join(held) if isinstance(held, dict) else "•••"
            found.setdefault(name, Value(f"values.{name}", text, origin))
    return list(found.values())


def _tables(app: App) -> list[Value]:
    """What the settings files say about the kinds of namespaces, and about identity providers."""
    return [
        Value(f"{table}.{name}", _said(held), origin)
        for table in (NAMESPACES, OIDC)
        for origin, tables in app.settings.tables(table)
        for name, held in tables.items()
    ]


def _said(held: Any) -> str:
    """A table in one line: the secret of a client is not in there, but named."""
    if not isinstance(held, dict):
        return "no table"
    texts = {
        key: ", ".join(map(str, each)) if isinstance(each, list) else each for key, each in held.items()
    }
    return "; ".join(f"{key} {text}" for key, text in texts.items())
