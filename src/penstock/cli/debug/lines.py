"""Where the debugger's commands come from: a terminal, or whatever else stdin is."""

from __future__ import annotations

import asyncio
import codecs
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document

Complete = Callable[[str], tuple[str, list[str]]]
"""What is typed so far → the word that is to be completed, and what it may become."""

PROMPT: Final = "(debug) "


def above_the_prompt() -> AbstractContextManager[None]:
    """Within it, what is written to stdout and stderr appears above the prompt."""
    from prompt_toolkit.patch_stdout import patch_stdout

    return patch_stdout(raw=True)


async def typed_lines(complete: Complete) -> AsyncIterator[str]:
    """Lines that a person types at a prompt, with completion and a history.

    Ends with Ctrl-D, and with Ctrl-C where nothing is typed yet.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer, Completion

    class Words(Completer):
        def get_completions(self, document: Document, _: CompleteEvent) -> Iterable[Completion]:
            word, found = complete(document.text_before_cursor)
            return (Completion(each, start_position=-len(word)) for each in found)

    session: PromptSession[str] = PromptSession(PROMPT, completer=Words(), complete_while_typing=False)
    while True:
        try:
            line = await session.prompt_async(set_exception_handler=False, handle_sigint=False)
        except EOFError:
            return
        except KeyboardInterrupt:
            if not session.default_buffer.text:
                return
        else:
            yield line


async def piped_lines(descriptor: int) -> AsyncIterator[str]:
    """Lines from a pipe or a file, to its end."""
    loop = asyncio.get_running_loop()
    found: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        # A thread, because files cannot be waited for by the loop; a plain read, because it
        # is still in there when the interpreter ends.
        with suppress(RuntimeError):  # the loop has ended before it
            for line in _lines_of(descriptor):
                loop.call_soon_threadsafe(found.put_nowait, line)
            loop.call_soon_threadsafe(found.put_nowait, None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await found.get()) is not None:
        yield line


def _lines_of(descriptor: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    while data := os.read(descriptor, 65536):
        *lines, rest = (rest + decoder.decode(data)).split("\n")
        yield from lines
    if rest:
        yield rest
