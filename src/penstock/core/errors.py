"""Every error that Penstock raises on purpose, in one tree.

    PenstockError
    ├── DocumentError        a document cannot be used: all its problems at once
    ├── InputError           the inputs of a run do not fit its flow
    ├── PayloadError         a value cannot travel over a link
    ├── NodeError            a node failed; what its `error` port carries
    │   ├── NodeTimeout      an attempt took longer than its limit
    │   └── Thrown           raised by a `throw` node or an `Error` that was passed on
    ├── RunError             how a run ended when it did not complete
    │   ├── RunFailed
    │   ├── RunCancelled
    │   ├── RunTimeout
    │   ├── RunSuspended     not an end: the runtime stopped first
    │   └── NonDeterminism   a replay met code or a graph that changed under it
    ├── RunNotFound
    ├── RunBusy              another process executes this run
    ├── StoreError           the journal cannot be read or written
    │   ├── StoreAway        its server cannot be reached, and may come back
    │   ├── StoreFull
    │   ├── StoreLocked
    │   ├── StoreCorrupt
    │   ├── StoreLost        the run may be another runtime's by now
    │   ├── RunExists        a run with this id is there already
    │   ├── StoreConflict    a document is not what its writer saw
    │   └── StoreVersion     written by a newer Penstock
    ├── EntryNotFound        no spec or value has this name or id
    ├── SealError            a sealed value cannot be opened
    ├── ServerError          between a server and its clients
    │   ├── ListenError      an address or a certificate cannot be used
    │   ├── RequestRefused   a request that is answered with an error; `status` is HTTP's
    │   └── ClientGone       the client has left
    └── SettingsError        a setting has a value that cannot be used

Each carries its facts as fields and says in its message what to do next. All of
them pickle: an error crosses a process boundary unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.problems import Problem


class PenstockError(Exception):
    """The root of the tree. `remedy` says what to do next, or is empty."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(cls: type[PenstockError], args: tuple[Any, ...], fields: dict[str, Any]) -> PenstockError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class DocumentError(PenstockError):
    """A document cannot be used. `problems` holds everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n\n".join(str(problem) for problem in self.problems))


class InputError(PenstockError):
    """The inputs of a run do not fit its flow. `problems` holds one line for each."""

    def __init__(self, flow: str, problems: Sequence[str], *, remedy: str = "") -> None:
        self.flow = flow
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"the inputs do not fit flow `{flow}`:\n{lines}", remedy=remedy)


class PayloadError(PenstockError):
    """A value cannot travel over a link, because it has no JSON-shaped form."""


class NodeError(PenstockError):
    """A node failed.

    `code` is a short stable name of what went wrong (`timeout`, `http.status`, an
    exception's class name, …); conditions compare against it. `details` is a payload.
    `node` is the firing that failed first, when the failure came up from a child process.
    `process` is the id of the root process that failed with it, where a trigger is told of it.
    """

    code = "error"
    process = ""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Any = None,
        node: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        if code is not None:
            self.code = code
        self.details = details
        self.node = node


class NodeTimeout(NodeError):
    """An attempt of a node took longer than the node's `timeout`."""

    code = "timeout"


class Thrown(NodeError):
    """Raised by a `throw` node, or where an `Error` payload is raised again."""

    code = "thrown"


class RunError(PenstockError):
    """How a run ended when it did not complete. `fid` is the run's id."""

    def __init__(self, message: str, *, fid: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.fid = fid


class RunFailed(RunError):
    """A node failed and nothing in the flow caught it. `error` is that node's `Error`."""

    def __init__(self, message: str, *, fid: str = "", error: Any = None, remedy: str = "") -> None:
        super().__init__(message, fid=fid, remedy=remedy)
        self.error = error


class RunCancelled(RunError):
    """The run was cancelled before it completed."""


class RunTimeout(RunError):
    """The run took longer than the flow's `timeout`."""


class RunSuspended(RunError):
    """The runtime stopped before the run ended. Nothing is lost: it goes on when resumed."""


class NonDeterminism(RunError):
    """A replay asked for something else than the journal holds."""


class RunNotFound(PenstockError):
    """No run has this id."""


class RunBusy(PenstockError):
    """Another live process executes this run."""


class StoreError(PenstockError):
    """The store cannot be read or written. Nothing that was committed is lost.

    `fid` is the run at fault, when a batch was refused for what one run put into it: the
    same batch without that run can be committed.
    """

    def __init__(self, message: str, *, fid: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.fid = fid


class StoreAway(StoreError):
    """The server of the store cannot be reached. It may come back by itself."""


class StoreFull(StoreError):
    """The disk, or the quota of the store, is full."""


class StoreLocked(StoreError):
    """Another program holds the store's write lock for too long."""


class StoreCorrupt(StoreError):
    """The store's file is not what it should be."""


class StoreLost(StoreError):
    """This runtime was not heard of for so long that its runs may be another's by now."""


class RunExists(StoreError):
    """A run with this id is there already."""


class StoreConflict(StoreError):
    """A document is not what its writer saw, or its name is taken. Nothing was written.

    field: `revision`, `name` or `namespace`. write: which of the writes, counted from 0.
    found: the current revision of that document, 0 when there is none.
    """

    def __init__(
        self, message: str, *, field: str, write: int = 0, found: int = 0, remedy: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.field = field
        self.write = write
        self.found = found


class StoreVersion(StoreError):
    """The store was written by a newer version of Penstock."""


class EntryNotFound(PenstockError):
    """No spec or value has this name or id, or not at this revision."""


class SealError(PenstockError):
    """A sealed value cannot be opened. `key` is the fingerprint of the key that it wants, if known."""

    def __init__(self, message: str, *, key: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.key = key


class ServerError(PenstockError):
    """Something is wrong between a server and its clients."""


class ListenError(ServerError):
    """A server cannot listen: its address is taken, or its certificate cannot be used."""


class RequestRefused(ServerError):
    """A request that is answered with an error.

    status: the HTTP status. The message is what the client reads, so it tells nothing of the
    inside. headers: what the answer says besides, such as `Allow`.
    """

    def __init__(self, status: int, message: str, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = tuple(headers)


class ClientGone(ServerError):
    """The client has left, so that there is nobody to read from or to answer."""


class SettingsError(PenstockError):
    """A setting has a value that cannot be used. The message names its origin."""
