"""`penstock config`."""

from __future__ import annotations

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app


@click.command()
@options.store
@options.as_json
@pass_app
def config(app: App, *, as_json: bool) -> None:
    """Show each setting, its value and where it comes from.

    A flag wins over a PENSTOCK_* variable, that over the nearest penstock.toml, that over
    [tool.penstock] in the nearest pyproject.toml, and that over the default.
    """
    values = list(app.settings)
    if as_json:
        import json

        app.console.out(json.dumps({value.name: value._asdict() for value in values}, indent=2))
        return
    name = max(len(value.name) for value in values)
    text = max(len(value.value) for value in values)
    for value in values:
        origin = app.console.style(value.origin, "dim", stream=app.console.stdout)
        app.console.out(f"{value.name:{name}}  {value.value:{text}}  {origin}")
