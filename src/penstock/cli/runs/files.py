"""`penstock runs files`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.lookup import find_run
from penstock.cli.runs.desk import opened_runs
from penstock.core.size import format_size

if TYPE_CHECKING:
    from penstock.api.files import FileView


@click.command()
@click.argument("fid", default="@", shell_complete=complete_fid)
@click.option(
    "--save",
    "names",
    metavar="NAME",
    multiple=True,
    help="Save this file, such as out/report.pdf; may be repeated.",
)
@click.option("--to", "target", metavar="PATH", default=".", type=click.Path(path_type=Path),
              help="Where to: a folder, or the path of one file.")  # fmt: skip
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def files(app: App, fid: str, *, names: tuple[str, ...], target: Path, as_json: bool) -> None:
    """List the files of a run: `in/…`, what it was given, and `out/…`, what it left."""
    if len(names) > 1 and not target.is_dir():
        raise click.UsageError(f"several files go into a folder, and `{target}` is none")

    async def main() -> list[FileView]:
        async with opened_runs(app) as desk:
            row = await find_run(desk, fid)
            for name in names:
                saved = await desk.download(row.fid, name, target)
                app.console.say(f"✓ {saved}")
            return [] if names else await desk.files(row.fid)

    try:
        found = asyncio.run(main())
    except OSError as error:
        raise click.UsageError(f"`{error.filename}` cannot be written: {error.strerror}") from error
    if names:
        return
    if as_json:
        import msgspec

        from penstock.cli.results import print_json

        print_json(app.console, msgspec.to_builtins(found))
        return
    if not found:
        app.console.say("no files")
    width = max((len(file.name) for file in found), default=0)
    for file in found:
        app.console.out(f"{file.name:{width}}  {format_size(file.size_bytes)}")
