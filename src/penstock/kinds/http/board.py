"""Boards: where webhooks leave the paths that a listener answers for them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.core.errors import RequestRefused
from penstock.kinds.http.missed import missed
from penstock.kinds.http.reply import respond
from penstock.kinds.http.routes import Match, Routes

if TYPE_CHECKING:
    from penstock.server.messages import Request, Response

Answer = Callable[["Request", dict[str, str]], "Response | Coroutine[Any, Any, Response]"]
"""Answers a request, with the parameters of its path."""


class Mount(NamedTuple):
    """A path with its methods, and who answers there."""

    path: str
    methods: Sequence[str]
    answer: Answer


class Board:
    """The paths that hang at one listener.

    routes: None while there are none, so that a listener without webhooks pays nothing.
    listened: whether a listener answers for them.
    """

    def __init__(self) -> None:
        self.routes: Routes[Answer] | None = None
        self.listened = False
        self._mounts: list[Mount] = []

    def hang(self, mount: Mount) -> None:
        """Add a path. Raises ValueError when it cannot be one, or is taken."""
        self._rebuild([*self._mounts, mount])

    def take_down(self, mount: Mount) -> None:
        """Remove a path, if it is there."""
        self._rebuild([each for each in self._mounts if each is not mount])

    def find(self, request: Request) -> Match[Answer] | None:
        """Who answers a request, and the parameters. Raises RequestRefused."""
        assert self.routes is not None, "whoever asks has seen that there are some"
        try:
            return self.routes.find(request.method, request.raw_path)
        except ValueError as error:
            raise RequestRefused(400, str(error)) from error

    def miss(self, request: Request) -> Response:
        """The answer to a request that nobody here answers. Raises RequestRefused."""
        try:
            payload = missed(self.routes or Routes(), request.method, request.raw_path)
        except ValueError as error:
            raise RequestRefused(400, str(error)) from error
        return respond(payload, "")

    def _rebuild(self, mounts: list[Mount]) -> None:
        routes: Routes[Answer] = Routes()
        for mount in mounts:
            routes.add(mount.path, mount.methods, mount.answer)
        self._mounts = mounts
        self.routes = routes if mounts else None


class Boards:
    """The boards of all listeners of a namespace, by the listener's key.

    A board outlives its listener and its webhooks: in whatever order they come, go and come
    again, they find each other.
    """

    def __init__(self) -> None:
        self._boards: dict[str, Board] = {}

    def at(self, listener: str) -> Board:
        """The board of a listener, which need not be there yet."""
        return self._boards.setdefault(listener, Board())
