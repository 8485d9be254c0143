"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    flag = f"--{name.replace('_', '-')}"
    return click.option(flag, callback=_take(name), expose_value=False, is_eager=True, **options)


debug: Final = _setting("debug", is_flag=True, help="Show tracebacks.")
color: Final = _setting(
    "color", type=click.Choice(["auto", "always", "never"]), help="Whether output is coloured."
)
store: Final = _setting(
    "store",
    metavar="URL",
    help="Where runs are kept: a path, sqlite:///PATH, postgresql://… or memory:.",
)
host: Final = _setting(
    "host", metavar="URL", help="Ask this host, in place of the store: http://127.0.0.1:8370."
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


namespace: Final = click.option(
    "-n", "--namespace", default="", metavar="NS", help="The namespace; `default` unless one is named."
)
dry_run: Final = click.option(
    "--dry-run", is_flag=True, help="Write nothing, and say what would be written."
)
prune: Final = click.option(
    "--prune", is_flag=True, help="Delete what the namespace holds and the files do not."
)
reveal: Final = click.option("--reveal", is_flag=True, help="Show what values hold.")
collection: Final = click.argument(
    "collection", metavar="specs|values", type=click.Choice(["specs", "values"])
)


executor: Final = click.option(
    "--executor",
    type=click.Choice(["inline", "subprocess"]),
    default=None,
    help="Where to execute flows, whatever they say themselves; `subprocess` does not import their "
    "code here.",
)


log: Final = _setting(
    "log",
    type=click.Choice(["auto", "pretty", "json"]),
    help="How to tell what happens: as a log, and on a terminal rather for people.",
)
log_level: Final = _setting(
    "log_level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What the log tells.",
)
observe: Final = _setting(
    "observe", metavar="HOST:PORT", help="Serve /metrics, /livez and /readyz at this address."
)
trace: Final = _setting(
    "trace", is_flag=True, help="Make OpenTelemetry spans; OTEL_* variables say where they go."
)


def as_seconds(_: click.Context, __: click.Parameter, text: str) -> float:
    """The callback of an option that takes a duration."""
    from penstock.core.duration import Duration

    try:
        return Duration.parse(text).total_seconds()
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _as_variables(_: click.Context, __: click.Parameter, pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, mark, text = pair.partition("=")
        if not mark or not name.isidentifier():
            # The text may be a secret, so it is not repeated.
            raise click.BadParameter(f"`{name}` is not NAME=TEXT; a name has letters, digits and `_`")
        found[name] = text
    return found


variables: Final = click.option(
    "-e",
    "variables",
    metavar="NAME=TEXT",
    multiple=True,
    callback=_as_variables,
    help="A variable for the templates of all specs; may be repeated.",
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


def place(command: Command) -> Command:
    """Where a command looks: a host, or a store."""
    return host(store(command))


def execution(command: Command) -> Command:
    """The options of every command that executes a run in the foreground, as help lists them."""
    for option in (color, debug, progress, values, kinds, store, as_json, quiet):
        command = option(command)
    return command
