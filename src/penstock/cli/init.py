"""`penstock init`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app

FILES: Final = {
    "flow.yaml": "flow.yaml",
    "flow.py": "flow.py.txt",
    "penstock.toml": "penstock.toml",
    ".gitignore": "gitignore",
}
"""Name in the project → template in `penstock/cli/templates`."""

SCHEMA: Final = "penstock.schema.json"


@click.command()
@click.argument(
    "directory", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path)
)
@options.debug
@options.color
@pass_app
def init(app: App, directory: Path) -> None:
    """Start a project in a folder: a flow, a Python flow, settings, and a schema for editors.

    Nothing that exists is overwritten.
    """
    present = [name for name in (*FILES, SCHEMA) if (directory / name).exists()]
    if present:
        raise click.UsageError(
            f"{directory} already has {', '.join(present)}; name a folder of its own: penstock init DIR"
        )
    templates = files("penstock.cli") / "templates"
    texts = {name: (templates / template).read_text("utf-8") for name, template in FILES.items()}
    texts[SCHEMA] = _schema(app)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (directory / name).write_text(text, "utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot write to {directory}: {error.strerror}") from error
    for name in texts:
        app.console.say(f"{app.console.style('✓', 'green')} {directory / name}")
    enter = "" if directory == Path() else f"cd {directory} && "
    app.console.hint(f"{enter}penstock run flow.yaml")


def _schema(app: App) -> str:
    import json

    from penstock.cli.catalogue import kind_info
    from penstock.document.schema import document_schema
    from penstock.engine.scheme import kinds_of

    return (
        json.dumps(document_schema([kind_info(kind) for kind in kinds_of(app.scheme())]), indent=1)
        + "\n"
    )
