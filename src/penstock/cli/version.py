"""`penstock version`."""

from __future__ import annotations

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.version import __version__


@click.command()
@options.as_json
@pass_app
def version(app: App, *, as_json: bool) -> None:
    """Print the version."""
    if not as_json:
        app.console.out(__version__)
        return
    import platform

    from penstock.cli.results import print_json

    found = {
        "version": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
    }
    print_json(app.console, found)
