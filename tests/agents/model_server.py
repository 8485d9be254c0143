"""A language model for tests: speaks the API of OpenAI on a port of loopback, by a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ToolCall:
    """The model asks for a tool."""

    name: str
    arguments: dict[str, Any]


@dataclass
class Refusal:
    """The server answers with an error."""

    status: int
    message: str = "no"


@dataclass
class Held:
    """An answer that is given once the test lets it go."""

    text: str
    gate: threading.Event = field(default_factory=threading.Event)


Answer = str | ToolCall | Refusal | Held


class Model:
    """Answers by the first rule whose word stands in the conversation, each rule in its order.

    asked: the text of every conversation that it was asked to go on with. keys: the API keys that came.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys: list[str] = []
        self.url = ""
        self._rules: list[tuple[str, list[Answer]]] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition()

    def answer(self, word: str, *answers: Answer) -> None:
        """Where `word` stands in what is asked, give these one after the other, the last for ever."""
        self._rules.append((word, list(answers)))

    def times_asked(self, word: str) -> int:
        return sum(word in text for text in self.asked)

    def wait_asked(self, word: str, seconds: float = 20) -> None:
        """Wait until a conversation with this word has come."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.times_asked(word), seconds):
                raise AssertionError(f"nobody asked for {word!r}; asked: {self.asked}")

    def take(self, body: dict[str, Any], key: str) -> Answer:
        text = json.dumps(body["messages"], ensure_ascii=False)
        with self._changed:
            self.asked.append(text)
            self.keys.append(key)
            self._changed.notify_all()
        with self._lock:
            for word, answers in self._rules:
                if word in text:
                    return answers.pop(0) if len(answers) > 1 else answers[0]
        return Refusal(400, "the script has no answer to this")


@contextmanager
def serving(model: Model) -> Iterator[Model]:
    """The model, served at `model.url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = model.take(body, self.headers.get("Authorization", "").removeprefix("Bearer "))
            if isinstance(answer, Held):
                answer.gate.wait(30)
                answer = answer.text
            if isinstance(answer, Refusal):
                self._send(answer.status, {"error": {"message": answer.message, "type": "test"}})
            elif body.get("stream"):
                self._stream(answer)
            else:
                self._send(200, completion(answer))

        def _send(self, status: int, data: dict[str, Any]) -> None:
            raw = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, answer: str | ToolCall) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for chunk in chunks(answer):
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.flush()
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, ValueError):
                return  # the client was killed, as some tests want it

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def message(answer: str | ToolCall) -> dict[str, Any]:
    if isinstance(answer, str):
        return {"role": "assistant", "content": answer}
    function = {"name": answer.name, "arguments": json.dumps(answer.arguments)}
    call = {"id": "call_1", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def completion(answer: str | ToolCall) -> dict[str, Any]:
    reason = "stop" if isinstance(answer, str) else "tool_calls"
    choice = {"index": 0, "message": message(answer), "finish_reason": reason}
    head = {"id": "c1", "object": "chat.completion", "created": 1, "model": "test"}
    return {**head, "choices": [choice], "usage": USAGE}


def chunks(answer: str | ToolCall) -> Iterator[dict[str, Any]]:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "test"}
    if isinstance(answer, str):
        words = answer.split(" ")
        for number, word in enumerate(words):
            text = word if number == 0 else f" {word}"
            yield {**head, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    else:
        calls = [{**call, "index": 0} for call in message(answer)["tool_calls"]]
        yield {**head, "choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}]}
    reason = "stop" if isinstance(answer, str) else "tool_calls"
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    yield {**head, "choices": [], "usage": USAGE}
