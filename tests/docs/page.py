"""A page of the documentation, followed from its first snippet to its last."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import socket
import tomllib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import yaml
from tests.agents.model_server import Model, ToolCall, serving
from tests.docs.snippets import Snippet, snippets_of
from tests.docs.terminal import Terminal
from tests.docs.transcript import matches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEB = "http://localhost:8000"
"""Where pages say that they serve their folder; the test serves it on a free port instead."""

SERVED = ("8080", "8370", "8372")
"""The ports on which pages serve graphs and flows of their own; the test takes free ones instead."""

MODEL = "http://localhost:11434/v1"
"""Where pages say that a language model of one's own is; the test serves one with a script."""

SUFFIXES = {"json": "json", "python": "py", "toml": "toml", "yaml": "yaml"}


def follow(text: str, folder: Path) -> None:
    """Do what a page says, in order. Raises AssertionError where it does not hold."""
    with contextlib.ExitStack() as stack:
        if WEB in text:
            text = text.replace(WEB, stack.enter_context(_serve(folder)))
        if MODEL in text:
            text = text.replace(MODEL, stack.enter_context(serving(_model())).url)
        for port in SERVED:
            if port in text:
                text = text.replace(port, str(_free_port()))
        reader = Reader(stack.enter_context(Terminal(folder)), folder)
        for snippet in snippets_of(text):
            if not snippet.not_run:
                reader.read(snippet)
        reader.run_the_rest()


class Reader:
    """Someone who types in every snippet of a page.

    A flow or a program with a title is executed by what names its file later on the page. A
    flow that nothing names is run at the end; a program that nothing names is a mistake.
    """

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self._terminal = terminal
        self._folder = folder
        self._waiting: dict[str, Snippet] = {}

    def read(self, snippet: Snippet) -> None:
        """Write the snippet's file, if it is one, and execute it."""
        name = snippet.title or f"snippet_{snippet.line}.{SUFFIXES.get(snippet.language, 'txt')}"
        (self._folder / name).write_text(snippet.body, "utf-8")
        match snippet.language:
            case "yaml" | "json":
                self._document(name, snippet)
            case "toml":
                tomllib.loads(snippet.body)
            case "python":
                self._use(snippet.body)
                self._program(name, snippet)
            case "console" | "bash":
                self._commands(snippet)

    def run_the_rest(self) -> None:
        """Run the flows that nothing on the page ran."""
        for name, snippet in self._waiting.items():
            assert snippet.language != "python", f"line {snippet.line}: nothing on the page runs {name}"
            self._run(f"penstock run {name}", "…", 0, snippet)

    def _document(self, name: str, snippet: Snippet) -> None:
        load = json.loads if snippet.language == "json" else yaml.safe_load
        document: Any = load(snippet.body)
        if isinstance(document, dict) and ("flow" in document or "connections" in document):
            self._waiting[name] = snippet
        else:
            assert snippet.title, f"line {snippet.line}: a document that is no flow needs a title"

    def _program(self, name: str, snippet: Snippet) -> None:
        if snippet.title:
            self._waiting[name] = snippet
        else:
            self._run(f"python {name}", "…", snippet.exit, snippet)

    def _commands(self, snippet: Snippet) -> None:
        commands = snippet.commands()
        for number, (command, output) in enumerate(commands, 1):
            code = snippet.exit if number == len(commands) else 0
            if code or " validate " not in command:
                self._use(command)
            self._run(command, output, code, snippet)

    def _use(self, text: str) -> None:
        """Note which files a command or a program names, with or without their suffix."""
        for name, snippet in list(self._waiting.items()):
            stem = name.removesuffix(".py") if snippet.language == "python" else name
            if re.search(rf"\b{re.escape(stem)}\b", text):
                del self._waiting[name]

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


def _model() -> Model:
    """Knows about rivers, and has them measured."""
    model = Model()
    model.answer("Explain", "The Glomma stands at 3.2 m, which is high.")
    model.answer("List the facts", ToolCall("level", {"river": "Glomma"}), "Glomma: 3.2 m")
    model.answer("Write a headline", "Glomma is rising")
    return model


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass
