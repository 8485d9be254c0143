"""Bells between processes: how those who wait learn at once that there is news in a file.

A process that waits hangs one up: a FIFO in a folder beside the database, which its loop
watches. Whoever has committed news writes a byte into each. The kernel takes a dead
process's end of its FIFO away, so a bell that nobody hears is known, and removed, by the next
one who rings it. FIFOs, not sockets: the address of a socket may have 107 bytes only.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import time
from typing import TYPE_CHECKING, Final

from penstock.store.bell import LOOK_SECONDS, Bell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HUNG: Final = ".bell"
_UNFINISHED: Final = ".new"
_UNFINISHED_SECONDS: Final = 60.0
"""Nobody needs so long to hang a bell up: who made this file was killed before it had a name."""


class Bells:
    """All bells of one database, as one process sees them.

    Where the file system has no FIFOs, or this user may not write the folder, this process
    hears nothing of others: it looks every `poll` seconds instead.
    """

    def __init__(self, folder: Path, *, poll: float) -> None:
        self._folder = folder
        self._poll = poll
        self._waiting: set[Bell] = set()
        self._path: Path | None = None
        self._descriptor = -1
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def patience(self) -> float:
        """Seconds after which whoever waits has to look, though nothing rang."""
        return LOOK_SECONDS if self._path is not None else self._poll

    @contextlib.contextmanager
    def bell(self) -> Iterator[Bell]:
        """A bell that rings for all news, from here and elsewhere."""
        bell = Bell()
        if not self._waiting:
            self._hang()
        self._waiting.add(bell)
        try:
            yield bell
        finally:
            self._waiting.discard(bell)
            if not self._waiting:
                self._take_down()

    def ring(self) -> None:
        """Let all who wait look, here and in every other process."""
        self.ring_here()
        for path in self._others():
            descriptor = _reach(path)
            if descriptor is not None:
                # One that is full rings already, and one whose reader just died needs no ring.
                with contextlib.suppress(OSError):
                    os.write(descriptor, b"\0")
                os.close(descriptor)

    def ring_here(self) -> None:
        """Let those who wait in this process look."""
        for bell in self._waiting:
            bell.set()

    def close(self) -> None:
        """Hear nothing any more; whoever still waits looks once, and finds the store closed."""
        self.ring_here()
        self._waiting.clear()
        self._take_down()

    def _hang(self) -> None:
        """Make the FIFO, or be content without."""
        self._sweep()
        name = f"{os.getpid()}-{secrets.token_hex(6)}"
        unfinished, path = (self._folder / f"{name}{ending}" for ending in (_UNFINISHED, _HUNG))
        with contextlib.suppress(OSError):  # `patience` is short then
            self._folder.mkdir(exist_ok=True)
            os.mkfifo(unfinished)
            try:
                # Open for writing, too: it has no end of file when the one who rang goes.
                self._descriptor = os.open(unfinished, os.O_RDWR | os.O_NONBLOCK)
                # It has a reader before it has its name, so without a reader it is dead.
                unfinished.rename(path)
            except OSError:
                unfinished.unlink(missing_ok=True)
                self._take_down()
                raise
            self._path = path
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._descriptor, self._heard)

    def _take_down(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
        if self._path is not None:
            with contextlib.suppress(OSError):  # whoever rings next removes it
                self._path.unlink()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._loop, self._path, self._descriptor = None, None, -1

    def _heard(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 65536)
        self.ring_here()

    def _sweep(self) -> None:
        """Remove the bells of dead processes."""
        for path in self._others():
            descriptor = _reach(path)
            if descriptor is not None:
                os.close(descriptor)
        with contextlib.suppress(OSError):  # somebody else sweeps, too
            for path in self._folder.glob(f"*{_UNFINISHED}"):
                if time.time() - path.stat().st_mtime > _UNFINISHED_SECONDS:
                    path.unlink()

    def _others(self) -> list[Path]:
        try:
            return [path for path in self._folder.glob(f"*{_HUNG}") if path != self._path]
        except OSError:  # what was committed is committed, whether it can be told or not
            return []


def _reach(path: Path) -> int | None:
    """The writing end of a bell, or None for one that cannot be reached.

    Who cannot be reached looks by itself, only later.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody hears it
            with contextlib.suppress(OSError):
                path.unlink()
        return None
