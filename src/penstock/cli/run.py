"""`penstock run`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.exits import Exit

if TYPE_CHECKING:
    from penstock.engine.flow import Flow


def _complete_flow(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Documents and Python files: the shell fills in their names."""
    del context, parameter
    return [CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("reference", metavar="FILE|MODULE:FLOW", shell_complete=_complete_flow)
@click.option("--input", "source", metavar="JSON|@FILE|-", help="All inputs at once; - reads stdin.")
@click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help="One input; may be repeated.")
@click.option(
    "--flow", "name", metavar="NAME", default="", help="Which flow, when the file holds several."
)
@click.option("--events", is_flag=True, help="Print every event as a line of JSON on stderr.")
@click.option("--ephemeral", is_flag=True, help="Keep the run in memory: it cannot be resumed.")
@options.execution
@pass_app
def run(
    app: App,
    reference: str,
    *,
    source: str | None,
    pairs: tuple[str, ...],
    name: str,
    events: bool,
    ephemeral: bool,
    quiet: bool,
    as_json: bool,
) -> Exit:
    """Run a flow and print its result.

    The result goes to stdout, everything else to stderr. Exit codes: 0 completed,
    1 the run failed, 2 bad usage or an invalid document, 3 cancelled, 4 not reachable.

    The first Ctrl-C cancels the run, a second one leaves it as it is; so does SIGTERM.
    `penstock runs resume` goes on with a run that was left or whose process was killed.
    """
    from penstock.cli.foreground import run_in_foreground
    from penstock.cli.inputs import read_inputs

    if ephemeral:
        app.flag(store="memory:")
    loader = app.loader()
    flow = loader.load(reference, name=name)
    given = read_inputs(source, pairs, flow.input_schema)
    if not quiet:
        _warn_of_strangers(app, flow, given)
    inputs = flow.accept(given)
    return run_in_foreground(
        app,
        loader,
        lambda runtime: runtime.launch(flow, inputs),
        quiet=quiet,
        events=events,
        as_json=as_json,
    )


def _warn_of_strangers(app: App, flow: Flow, inputs: Mapping[str, Any]) -> None:
    """Mention inputs that the flow does not declare: it takes them, but is unlikely to use them."""
    declared = flow.input_schema.get("properties", {})
    if not declared or flow.source == "python":  # which takes no others
        return
    for name in inputs:
        if name not in declared:
            from penstock.core.problems import suggest

            app.console.warn(f"`{flow.name}` declares no input `{name}`; {suggest(name, declared)}")
