"""The command `penstock start`, from its options to what is to be served."""

from __future__ import annotations

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.exits import Exit


@click.command()
@options.namespace
@click.option(
    "--from",
    "paths",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="Apply the specs of a file, or of the files in a folder, first; may be repeated.",
)
@click.option("--watch", is_flag=True, help="Apply the files of --from again whenever they are saved.")
@options.variables
@click.option("--debug", is_flag=True, help="Debug processes at the terminal; `help` tells how.")
@click.option(
    "--drain",
    "drain_seconds",
    metavar="DURATION",
    default="10s",
    show_default=True,
    callback=options.as_seconds,
    help="How long what is under way may go on after the first signal.",
)
@options.log
@options.log_level
@options.observe
@options.trace
@options.values
@options.kinds
@options.store
@options.color
@pass_app
def start(
    app: App,
    *,
    namespace: str,
    paths: tuple[str, ...],
    watch: bool,
    debug: bool,
    variables: dict[str, str],
    drain_seconds: float,
) -> Exit:
    """Serve a namespace: its specs become live nodes, and its triggers start processes.

    Specs and values come from the store, and every change there is followed. --from puts the
    specs of files into the store first, all of them or, where one has a problem, none. What an
    earlier version of a file has put there and the file no longer says is deleted.

    Ctrl-C or SIGTERM closes the triggers and lets what is under way come to its end; a second
    one leaves at once. Recorded runs that are not over go on at the next start. Exit codes:
    0 everything came to its end, 3 something had to be cut short, 2 a document is invalid.
    """
    from penstock.cli.start.serving import Order, serve
    from penstock.core.spec import DEFAULT_NAMESPACE

    if watch and not paths:
        raise click.UsageError("--watch needs --from: without it there are no files to watch")
    order = Order(
        namespace=namespace or DEFAULT_NAMESPACE,
        paths=paths,
        watch=watch,
        debug=debug,
        variables=variables,
        drain_seconds=drain_seconds,
    )
    return serve(app, order)
