"""The `penstock` command. Each subcommand is imported when it is called."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from penstock.cli import options
from penstock.cli.app import App
from penstock.cli.exits import Exit, of_error
from penstock.core.errors import PenstockError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("penstock.cli.run:run", "Run a flow and print its result."),
    "start": ("penstock.cli.start.command:start", "Serve a namespace until it is stopped."),
    "serve": ("penstock.cli.serve.command:serve", "Host flows: launch, follow and answer over HTTP."),
    "validate": ("penstock.cli.validate:validate", "Check documents and show every problem."),
    "init": ("penstock.cli.init:init", "Start a project in a folder."),
    "apply": ("penstock.cli.documents.apply:apply", "Write specs or values to the store."),
    "diff": ("penstock.cli.documents.diff:diff", "Show what `apply` would change, or what changed."),
    "get": ("penstock.cli.documents.get:get", "Show specs, values or namespaces."),
    "edit": ("penstock.cli.documents.edit:edit", "Change a spec or a value in your editor."),
    "delete": ("penstock.cli.documents.delete:delete", "Delete specs or values."),
    "rollback": (
        "penstock.cli.documents.rollback:rollback",
        "Take a spec or a value back to a revision.",
    ),
    "keys": ("penstock.cli.documents.keys:keys", "List, rotate and prune the keys of values."),
    "test": ("penstock.cli.testing.command:test", "Run the tests that a graph has of itself."),
    "kinds": ("penstock.cli.kinds:kinds", "Show the kinds of nodes, or the docs of one."),
    "locks": ("penstock.cli.locks:locks", "See what runs wait for, and answer."),
    "runs": ("penstock.cli.runs:runs", "List, watch, cancel, retry and resume runs."),
    "users": ("penstock.cli.accounts.users:users", "List, add and change users of hosts."),
    "groups": ("penstock.cli.accounts.groups:groups", "List, add and change groups of users."),
    "grants": ("penstock.cli.accounts.grants:grants", "List, give and take permissions."),
    "tokens": ("penstock.cli.accounts.tokens:tokens", "List, make and end tokens and sessions."),
    "audit": ("penstock.cli.accounts.audit:audit", "Show who did what."),
    "flows": ("penstock.cli.flows:flows", "List and show the flows of a host or a namespace."),
    "login": ("penstock.cli.login:login", "Log in to a host, and keep a token for it."),
    "logout": ("penstock.cli.login:logout", "End the token that is kept for a host."),
    "config": ("penstock.cli.config:config", "Show each setting and where it comes from."),
    "doctor": ("penstock.cli.doctor:doctor", "Check that everything Penstock needs works."),
    "completion": ("penstock.cli.completion:completion", "Print the completion script of a shell."),
    "version": ("penstock.cli.version:version", "Print the version."),
}
"""Command → where it lives, and its summary, so that `--help` imports none of them."""


class LazyGroup(click.Group):
    """A group whose commands are named by `table` and imported when they are called."""

    table: dict[str, tuple[str, str]]

    def __init__(self, *args: Any, table: dict[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.table:
            return None
        module, _, name = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.table:
            from penstock.core.problems import suggest

            raise click.UsageError(f"no command `{args[0]}`; {suggest(args[0], self.table)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.table.items()])


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@options.debug
@options.color
def penstock() -> None:
    """Run flows durably: what was done is never done twice, and nothing recorded is lost."""


def main(args: Sequence[str] | None = None, *, app: App | None = None) -> int:
    """Run one command line and return its exit code. Nothing but the code leaves this function."""
    app = app or App()
    try:
        code = penstock.main(
            args=args and list(args), prog_name="penstock", obj=app, standalone_mode=False
        )
        sys.stdout.flush()
    except Exception as error:  # the last resort: one line instead of a traceback
        return _report(error, app)
    except KeyboardInterrupt:
        app.console.say("interrupted")
        return Exit.CANCELLED
    return code if isinstance(code, int) else Exit.COMPLETED


def _report(error: Exception, app: App) -> int:
    """Say what went wrong in one clear message, and tell it by the exit code."""
    _drop_unwritten()
    if isinstance(error, BrokenPipeError):  # the reader has gone: `| head`
        return Exit.COMPLETED
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    console, debug = _console_for_errors(app)
    if debug:
        import traceback

        traceback.print_exception(error, file=console.stderr)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        console.say(error.format_message())
        return Exit.USAGE
    if isinstance(error, click.UsageError):
        where = f"`{error.ctx.command_path} --help` tells more" if error.ctx else ""
        console.error(error.format_message(), where)
        return Exit.USAGE
    if isinstance(error, click.ClickException):
        console.error(error.format_message())
        return Exit.USAGE
    if isinstance(error, click.Abort):
        console.say("interrupted")
        return Exit.CANCELLED
    if isinstance(error, PenstockError):
        console.error(error.message, error.remedy)
        return of_error(error)
    name = type(error).__name__
    console.error(f"{name}: {error}" if str(error) else name, "" if debug else "run again with --debug")
    return Exit.FAILED


def _drop_unwritten() -> None:
    """Forget what cannot be written; the interpreter would complain of it while it exits."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console_for_errors(app: App) -> tuple[Any, bool]:
    """The console and whether to show tracebacks, even when the settings are what is wrong."""
    from penstock.cli.console import Console

    try:
        return app.console, app.debug
    except PenstockError:
        return Console(), False
