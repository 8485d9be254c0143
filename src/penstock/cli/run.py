"""`penstock run`."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_flow
from penstock.cli.exits import Exit


def _complete_reference(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Documents and Python files: the shell fills in their names. Of a host, its flows."""
    if context.ensure_object(App).host:
        return complete_flow(context, parameter, incomplete)
    return [CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("reference", metavar="FILE|MODULE:FLOW|NAME", shell_complete=_complete_reference)
@click.option("--input", "source", metavar="JSON|@FILE|-", help="All inputs at once; - reads stdin.")
@click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help="One input; may be repeated.")
@click.option("--ask", is_flag=True, help="Begin without all inputs: a lock asks for the rest.")
@click.option(
    "--flow", "name", metavar="NAME", default="", help="Which flow, when the file holds several."
)
@click.option("--events", is_flag=True, help="Print every event as a line of JSON on stderr.")
@click.option("--ephemeral", is_flag=True, help="Keep the run in memory: it cannot be resumed.")
@options.executor
@options.host
@options.execution
@pass_app
def run(
    app: App,
    reference: str,
    *,
    source: str | None,
    pairs: tuple[str, ...],
    ask: bool,
    name: str,
    events: bool,
    ephemeral: bool,
    executor: str | None,
    quiet: bool,
    as_json: bool,
) -> Exit:
    """Run a flow and print its result.

    The result goes to stdout, everything else to stderr. Exit codes: 0 completed,
    1 the run failed, 2 bad usage or an invalid document, 3 cancelled, 4 not reachable.

    With --host, NAME is a flow that the host serves. The host executes the run, and Ctrl-C leaves
    it there; a file that an input asks for (`format: file`) is uploaded.

    Without a host, the first Ctrl-C cancels the run, a second one leaves it as it is; so does SIGTERM.
    `penstock runs resume` goes on with a run that was left or whose process was killed.

    With --ask, a run that lacks inputs begins all the same, and waits for somebody to give them
    with `penstock locks release`.
    """
    from penstock.cli.conducting.conductor import Shown, Wanted, conductor

    wanted = Wanted(reference, name, source, pairs, ephemeral, executor or "", ask)
    return conductor(app).launch(wanted, Shown(quiet=quiet, events=events, as_json=as_json))
