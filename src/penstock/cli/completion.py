"""`penstock completion`, and what the shell offers for an argument."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from penstock.cli.app import App, pass_app

SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@pass_app
def completion(app: App, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash  eval "$(penstock completion bash)"   # in ~/.bashrc
    zsh   eval "$(penstock completion zsh)"    # in ~/.zshrc
    fish  penstock completion fish > ~/.config/fish/completions/penstock.fish
    """  # noqa: D301 - click wants the character itself
    from penstock.cli.main import penstock

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    app.console.out(found(penstock, {}, "penstock", "_PENSTOCK_COMPLETE").source())


def complete_fid(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The ids of the newest runs that begin like what was typed."""
    del parameter
    import asyncio

    from penstock.cli.runs.desk import opened_runs
    from penstock.core.errors import PenstockError
    from penstock.core.store import RunQuery

    app = context.find_object(App) or App()

    async def look_up() -> list[CompletionItem]:
        async with opened_runs(app, patient=False) as desk:
            rows = await desk.runs(RunQuery(limit=100))
        return [
            CompletionItem(row.fid, help=f"{row.flow} {row.state}")
            for row in rows
            if row.fid.startswith(incomplete)
        ]

    try:
        return asyncio.run(look_up())
    except PenstockError:
        # A shell that waits for suggestions cannot show an error: it gets none.
        return []


def complete_flow(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The flows that begin like what was typed."""
    del parameter
    import asyncio

    from penstock.cli.flows.desk import opened_flows
    from penstock.core.errors import PenstockError

    app = context.find_object(App) or App()

    async def look_up() -> list[CompletionItem]:
        async with opened_flows(app, "", patient=False) as desk:
            flows = await desk.flows()
        return [
            CompletionItem(flow.name, help=flow.description.partition("\n")[0])
            for flow in flows
            if flow.name.startswith(incomplete)
        ]

    try:
        return asyncio.run(look_up())
    except PenstockError:
        return []


def complete_kind(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The kinds that begin like what was typed."""
    del context, parameter
    from penstock.kinds import KINDS

    return [CompletionItem(name) for name in KINDS if name.startswith(incomplete)]
