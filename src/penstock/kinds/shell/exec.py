"""The kind that runs a program."""

from __future__ import annotations

import errno
import os
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.json_text import JsonError, parse_json
from penstock.core.payload import Payload, to_json
from penstock.core.ports import Port, Ports
from penstock.engine.context import NodeContext
from penstock.engine.folder import is_reference
from penstock.engine.kind import Action, FieldError, Inputs, Outputs, field
from penstock.kinds.shell.child import converse
from penstock.kinds.shell.output import Output

_TAIL: Final = 2000
"""Characters of output that the details of a failure hold."""


class ShellExec(Action, kind="shell.exec", aliases=("shell",)):
    r"""Run a program, and pass on what it writes.

    Config of the program: command is a list (the program and its arguments, no shell) or text
    (a shell script). shell says which shell: true is `/bin/sh`, the default for text; a path
    names another; false splits the text into words and runs no shell. args are added as arguments;
    a script finds them as `"$1"`, `"$2"`, …, which is the safe way to hand data to a script.
    stdin is text, bytes, or data, which is fed as JSON. environment adds variables to those of
    Penstock, or stands alone with inherit_environment false. cwd is the working directory; one that
    begins with `run:` is in the run's own folder, which the program finds as PENSTOCK_FOLDER then.

    The program finds PENSTOCK_FID, PENSTOCK_NODE, PENSTOCK_ATTEMPT and PENSTOCK_IDEMPOTENCY_KEY
    in its environment; the key is the same when the node runs again after a crash or a failure.

    Each line is an event (`node.stdout`, `node.stderr`) while the program runs; stream_output
    false keeps them to the ports. max_output_bytes (default 16 MiB) bounds each stream; a
    program that writes more is ended, and the node fails. decode `bytes` leaves stdout as bytes.

    The node ends when the program does, and nothing that the program started outlives it: on
    success, failure, timeout or cancellation the whole process group gets SIGTERM and, after
    grace (default 5s), SIGKILL. Output of processes in the background is waited for as long.

    fail_on_error (default true) makes an exit code other than 0 a failure.

    Ports: command, args, stdin, environment → stdout, stderr, code, json. The port json gets what
    stdout says when that is JSON; when it is linked, anything else is a failure. `in` only says
    when: its payload is not used.

    Errors: `shell.exit` (details: code, signal, stdout, stderr), `shell.start`, `shell.output`,
    `shell.json`.

    Example:
        flow: count
        inputs: {stdin: {type: string, default: one two three}}
        nodes:
          - kind: shell.exec
            name: count
            command: printf '{"words":%d}' "$(wc -w)"
            links: {json: log.message}
          - {kind: debug.log, name: log}
    """

    command: str | list[str] | None = None
    shell: bool | str | None = None
    args: list[str | int | float] = field(default_factory=list)
    stdin: Payload = None
    environment: dict[str, str | int | float] = field(default_factory=dict)
    inherit_environment: bool = True
    cwd: str | None = None

    fail_on_error: bool = True
    decode: Literal["text", "bytes"] = "text"
    stream_output: bool = True
    max_output_bytes: Annotated[int, Meta(ge=0)] = 16 * 1024 * 1024
    grace: Duration = Duration(seconds=5)

    in_ports: ClassVar[Ports] = {
        "in": Port(doc="when to run; the payload is not used", default=None),
        "command": Port(str | list, "a list of words, or a script"),
        "args": Port(list, "more arguments", default=None),
        "stdin": Port(doc="text, bytes, or data as JSON", default=None),
        "environment": Port(dict, "more variables", default=None),
    }
    out_ports: ClassVar[Ports] = {
        "stdout": Port(str | bytes, "all that was written to standard output"),
        "stderr": Port(str, "all that was written to standard error"),
        "code": Port(int, "the exit code; -9 when signal 9 ended the program"),
        "json": Port(doc="what standard output says, when that is JSON"),
    }

    def check(self) -> None:
        if isinstance(self.command, list) and self.shell:
            raise FieldError("shell", "it runs text, but `command` is a list; write the script as text")
        if self.command is not None:
            try:
                self._argv(self.command, ())
            except ValueError as error:
                raise FieldError("command", str(error)) from error

    async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        directory = None if self.cwd is None else ctx.path(self.cwd)
        try:
            argv = self._argv(inputs["command"], _arguments(inputs["args"]))
            environment = self._environment(_variables(inputs["environment"]), ctx)
        except ValueError as error:
            raise NodeError(
                str(error), code="shell.start", remedy="look at what is linked to the node"
            ) from error
        told = self.stream_output
        stdout = Output("stdout", ctx.stdout if told else None, limit=self.max_output_bytes)
        stderr = Output("stderr", ctx.stderr if told else None, limit=self.max_output_bytes)
        try:
            code = await converse(
                argv,
                {1: stdout, 2: stderr},
                stdin=_bytes(inputs["stdin"]),
                directory=directory,
                environment=environment,
                grace=self.grace.total_seconds(),
            )
        except (OSError, ValueError) as error:
            raise self._not_started(argv[0], directory, error) from error
        text, complaint = stdout.data.decode("utf-8", "replace"), stderr.data.decode("utf-8", "replace")
        if code and self.fail_on_error:
            raise _exit_failure(argv, code, text, complaint)
        whole: Payload = stdout.data if self.decode == "bytes" else text
        found = _json(text, strict=ctx.linked("json"))
        return {"stdout": whole, "stderr": complaint, "code": code, **found}

    def _argv(self, command: Payload, args: Sequence[str]) -> list[str]:
        """The words to execute. Raises ValueError."""
        if isinstance(command, list):
            words = [_word(word, f"command[{number}]") for number, word in enumerate(command)]
        elif not isinstance(command, str):
            raise ValueError(f"`command` is text or a list, not `{type(command).__name__}`")  # noqa: TRY004
        elif self.shell is False:
            words = shlex.split(command)
        else:
            shell = self.shell if isinstance(self.shell, str) else "/bin/sh"
            words = [shell, "-c", command, shell] if command.strip() else []
        if not words or not words[0]:
            raise ValueError("`command` is empty")
        return [*words, *args]

    def _environment(self, more: dict[str, str], ctx: NodeContext) -> dict[str, str]:
        own = {
            "PENSTOCK_FID": ctx.fid,
            "PENSTOCK_NODE": ctx.node,
            "PENSTOCK_ATTEMPT": str(ctx.attempt),
            "PENSTOCK_IDEMPOTENCY_KEY": ctx.idempotency_key,
        }
        if self.cwd is not None and is_reference(self.cwd):
            own["PENSTOCK_FOLDER"] = str(ctx.folder)
        base = dict(os.environ) if self.inherit_environment else {}
        return base | more | own

    def _not_started(
        self, program: str, directory: Path | None, error: OSError | ValueError
    ) -> NodeError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        remedy = "check that it is installed and on PATH, or write its whole path"
        if directory is not None and not directory.is_dir():
            reason, remedy = f"its working directory `{self.cwd}` does not exist", "correct `cwd`"
        elif isinstance(error, PermissionError):
            remedy = f"make it executable: chmod +x {shlex.quote(program)}"
        elif isinstance(error, OSError) and error.errno == errno.ENOEXEC:
            remedy = (
                "name the program that reads it before it, or give it a first line such as #!/bin/sh"
            )
        elif isinstance(error, OSError) and error.errno == errno.E2BIG:
            remedy = "hand large data over by `stdin` rather than by `args` or `environment`"
        return NodeError(
            f"`{program}` could not be started: {reason}", code="shell.start", remedy=remedy
        )


def _arguments(payload: Payload) -> list[str]:
    """Words from a list, which may have come over a link. Raises ValueError."""
    if payload is None:
        return []
    if not isinstance(payload, list):
        raise ValueError(f"`args` is a list, not `{type(payload).__name__}`")  # noqa: TRY004
    return [_word(word, f"args[{number}]") for number, word in enumerate(payload)]


def _variables(payload: Payload) -> dict[str, str]:
    """Variables from a mapping, which may have come over a link. Raises ValueError."""
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise ValueError(f"`environment` is a mapping, not `{type(payload).__name__}`")  # noqa: TRY004
    return {name: _word(value, f"environment.{name}") for name, value in payload.items()}


def _word(payload: Payload, where: str) -> str:
    """Text, or a number as text; data is JSON. Raises ValueError."""
    if payload is None or isinstance(payload, bytes):
        found = "nothing" if payload is None else "bytes"
        raise ValueError(f"`{where}` is {found}; a program takes text")
    return payload if isinstance(payload, str) else to_json(payload).decode()


def _bytes(payload: Payload) -> bytes | None:
    if payload is None or isinstance(payload, bytes):
        return payload
    return payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else to_json(payload)


def _json(text: str, *, strict: bool) -> dict[str, Payload]:
    """The port `json`, or nothing when the text is not JSON and nobody asked for it."""
    if not strict and text.lstrip()[:1] not in ("{", "["):
        return {}
    try:
        return {"json": parse_json(text)}
    except JsonError as error:
        if not strict:
            return {}
        raise NodeError(
            f"the port `json` is linked, but standard output is not JSON: {error}",
            code="shell.json",
            details={"line": error.line, "column": error.column, "stdout": text[-_TAIL:]},
            remedy="write nothing but JSON to standard output, and messages to standard error",
        ) from error


def _exit_failure(argv: list[str], code: int, stdout: str, stderr: str) -> NodeError:
    details: dict[str, Payload] = {"code": code, "stdout": stdout[-_TAIL:], "stderr": stderr[-_TAIL:]}
    how = f"ended with code {code}"
    if code < 0:
        details["signal"] = _signal_name(-code)
        how = f"was ended by {details['signal']}"
    last = stderr.strip().rpartition("\n")[2][:300]
    program = "the script" if argv[1:2] == ["-c"] else f"`{argv[0]}`"
    return NodeError(
        f"{program} {how}{': ' if last else ''}{last}",
        code="shell.exit",
        details=details,
        remedy="link the port `error`, or set `fail_on_error: false` and look at the port `code`",
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
