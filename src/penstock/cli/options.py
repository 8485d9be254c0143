"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from penstock.cli.app import App

Command = TypeVar("Command", bound=Callable[..., Any])


def _take(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            context.ensure_object(App).flag(**{name: "true" if value is True else str(value)})

    return callback


def _setting(name: str, **options: Any) -> Callable[[Command], Command]:
    return click.option(f"--{name}", callback=_take(name), expose_value=False, is_eager=True, **options)


debug: Final = _setting("debug", is_flag=True, help="Show tracebacks.")
color: Final = _setting(
    "color", type=click.Choice(["auto", "always", "never"]), help="Whether output is coloured."
)
store: Final = _setting(
    "store", metavar="URL", help="Where runs are kept: a path, sqlite:///PATH or memory:."
)
progress: Final = _setting(
    "progress",
    type=click.Choice(["auto", "live", "plain", "none"]),
    help="How the run is shown while it runs.",
)
kinds: Final = _setting(
    "kinds",
    metavar="MODULE[,…]",
    help="Modules or .py files with kinds of your own.",
)


def _take_values(context: click.Context, _: click.Parameter, files: tuple[str, ...]) -> None:
    context.ensure_object(App).take_values(*files)


values: Final = click.option(
    "--values",
    metavar="FILE",
    multiple=True,
    callback=_take_values,
    expose_value=False,
    help="Values for `env`, as YAML or JSON: what each name holds; may be repeated.",
)
quiet: Final = click.option(
    "-q", "--quiet", is_flag=True, help="Print nothing but the result and errors."
)
as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def execution(command: Command) -> Command:
    """The options of every command that executes a run in the foreground, as help lists them."""
    for option in (color, debug, progress, values, kinds, store, as_json, quiet):
        command = option(command)
    return command
