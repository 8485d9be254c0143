"""A page of the documentation, followed from its first snippet to its last."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import tomllib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import yaml
from tests.docs.snippets import Snippet, snippets_of
from tests.docs.terminal import Terminal
from tests.docs.transcript import matches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEB = "http://localhost:8000"
"""Where pages say that they serve their folder; the test serves it on a free port instead."""


def follow(text: str, folder: Path) -> None:
    """Do what a page says, in order. Raises AssertionError where it does not hold."""
    with contextlib.ExitStack() as stack:
        if WEB in text:
            text = text.replace(WEB, stack.enter_context(_serve(folder)))
        reader = Reader(stack.enter_context(Terminal(folder)), folder)
        for snippet in snippets_of(text):
            if not snippet.not_run:
                reader.read(snippet)
        reader.run_the_rest()


class Reader:
    """Someone who types in every snippet of a page."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self._terminal = terminal
        self._folder = folder
        self._flows: dict[str, Snippet] = {}

    def read(self, snippet: Snippet) -> None:
        """Write the snippet's file, if it is one, and execute it."""
        if snippet.title:
            path = self._folder / snippet.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(snippet.body, "utf-8")
        match snippet.language:
            case "yaml" | "json":
                self._document(snippet)
            case "toml":
                tomllib.loads(snippet.body)
            case "python":
                self._python(snippet)
            case "console" | "bash":
                self._commands(snippet)

    def run_the_rest(self) -> None:
        """Run the flows that no command of the page ran."""
        for name, snippet in self._flows.items():
            self._run(f"penstock run {name}", "…", 0, snippet)

    def _document(self, snippet: Snippet) -> None:
        load = json.loads if snippet.language == "json" else yaml.safe_load
        loaded: Any = load(snippet.body)
        is_flow = isinstance(loaded, dict) and ("flow" in loaded or "connections" in loaded)
        if not is_flow:
            assert snippet.title, f"line {snippet.line}: a document that is no flow needs a title"
            return
        name = snippet.title or f"snippet-{snippet.line}.{snippet.language}"
        (self._folder / name).write_text(snippet.body, "utf-8")
        self._run(f"penstock validate {name}", "…", snippet.exit, snippet)
        if snippet.exit == 0:
            self._flows[name] = snippet

    def _python(self, snippet: Snippet) -> None:
        name = snippet.title or f"snippet_{snippet.line}.py"
        (self._folder / name).write_text(snippet.body, "utf-8")
        # A file of the page is defined here, and run by the page's commands.
        command = (
            f"python -c 'import runpy; runpy.run_path(\"{name}\")'"
            if snippet.title
            else f"python {name}"
        )
        self._run(command, "…", snippet.exit, snippet)

    def _commands(self, snippet: Snippet) -> None:
        commands = snippet.commands()
        for number, (command, output) in enumerate(commands, 1):
            self._flows = {
                name: flow
                for name, flow in self._flows.items()
                if not re.search(rf"\brun\b.*{re.escape(name)}", command)
            }
            self._run(command, output, snippet.exit if number == len(commands) else 0, snippet)

    def _run(self, command: str, shown: str, code: int, snippet: Snippet) -> None:
        actual_code, actual = self._terminal.run(command)
        where = f"line {snippet.line}: $ {command}"
        assert actual_code == code, f"{where}\nexit code {actual_code} instead of {code}\n{actual}"
        assert matches(shown, actual), f"{where}\n--- shown\n{shown}\n--- printed\n{actual}"


@contextlib.contextmanager
def _serve(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, name="web", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass
