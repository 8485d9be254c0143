"""Asking for a password without showing it."""

from __future__ import annotations

import sys

import click


def read_password(*, from_stdin: bool, prompt: str = "Password") -> str:
    """A password, typed twice or read from stdin, where it is the first line.

    Raises click.UsageError where nobody can be asked.
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked for a password here; give it by --password-stdin")
    text: str = click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True)
    return text


password_stdin = click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from stdin."
)
