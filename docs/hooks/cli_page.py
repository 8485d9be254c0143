"""The reference of the command line, from its click commands."""

from __future__ import annotations

import inspect

import click

HEAD = """# Command line

Results go to stdout, everything else to stderr, so `penstock run … > result.json` keeps the result
and nothing but it. See [exit codes](exit-codes.md) and [settings](settings.md).

"""


def page(command: click.Command, name: str) -> str:
    """The page, as Markdown."""
    context = click.Context(command, info_name=name)
    return HEAD + "\n".join(_sections(command, context))


def _sections(command: click.Command, context: click.Context) -> list[str]:
    path = context.command_path
    lines = [f"## `{path}`", "", *_text(command), *_usage(command, context), *_options(command, context)]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                lines += _sections(child, click.Context(child, info_name=name, parent=context))
    return lines


def _text(command: click.Command) -> list[str]:
    return [*inspect.cleandoc(command.help or "").replace("\b", "").splitlines(), ""]


def _usage(command: click.Command, context: click.Context) -> list[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    return ["```text", usage, "```", ""]


def _options(command: click.Command, context: click.Context) -> list[str]:
    records = [item.get_help_record(context) for item in command.get_params(context)]
    rows = [f"| `{names}` | {text} |" for names, text in filter(None, records) if text]
    return ["| option | |", "|---|---|", *rows, ""] if rows else []
