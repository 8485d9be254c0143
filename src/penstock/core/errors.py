"""Every error that Penstock raises on purpose, in one tree.

    PenstockError
    ├── DocumentError        a document cannot be used: all its problems at once
    ├── InputError           the inputs of a run do not fit its flow
    ├── PayloadError         a value cannot travel over a link
    ├── NodeError            a node failed; what its `error` port carries
    │   ├── NodeTimeout      an attempt took longer than its limit
    │   ├── LockExpired      nobody released a lock in time
    │   ├── Denied           a candidate for a lock is not good enough
    │   └── Thrown           raised by a `throw` node or an `Error` that was passed on
    ├── RunError             how a run ended when it did not complete
    │   ├── RunFailed
    │   ├── RunCancelled
    │   ├── RunTimeout
    │   ├── RunSuspended     not an end: the runtime stopped first
    │   └── NonDeterminism   a replay met code or a graph that changed under it
    ├── RunNotFound
    ├── RunBusy              another process executes this run
    ├── RetryRefused         a run cannot be retried from there, or with these inputs
    ├── LockError            a candidate could not release a lock
    │   ├── LockNotFound
    │   ├── LockClosed       it was released or has expired, or its run went on without it
    │   ├── LockUndecided    the flow has not decided in time
    │   └── CandidateInvalid the candidate does not fit the schema of the lock
    ├── StoreError           the journal cannot be read or written
    │   ├── StoreAway        its server cannot be reached, and may come back
    │   ├── StoreFull
    │   ├── StoreLocked
    │   ├── StoreCorrupt
    │   ├── StoreLost        the run may be another runtime's by now
    │   ├── RunExists        a run with this id is there already
    │   ├── KeyTaken         a run was begun with this key already
    │   ├── StoreConflict    a document is not what its writer saw
    │   └── StoreVersion     written by a newer Penstock
    ├── EntryNotFound        no spec or value has this name or id
    ├── SealError            a sealed value cannot be opened
    ├── ServerError          between a server and its clients
    │   ├── ListenError      an address or a certificate cannot be used
    │   ├── RequestRefused   a request that is answered with an error; `status` is HTTP's
    │   └── ClientGone       the client has left
    ├── AccessError          who asks is not known here, or an account cannot be as asked
    │   ├── LoginRefused     this name and this password do not belong together
    │   ├── LoginLimited     too many attempts; `retry_after` says how long to wait
    │   ├── ProviderError    a login through an identity provider came to nothing
    │   └── AccountError     a user, group, grant or token cannot be as asked
    ├── HostError            a host answered with an error that has no class of its own here
    │   ├── HostAway         it cannot be reached, or its answer did not come
    │   ├── Unauthorized     it does not know who asks
    │   └── Forbidden        it knows, and does not allow it
    └── SettingsError        a setting has a value that cannot be used

Each carries its facts as fields and says in its message what to do next. All of
them pickle: an error crosses a process boundary unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.problems import Path, Problem
    from penstock.core.reason import Reason


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
    """The inputs of a run do not fit its flow. `problems` holds one line for each.

    paths: the place of each in the inputs, in the same order.
    """

    def __init__(
        self, flow: str, problems: Sequence[str], *, paths: Sequence[Path] = (), remedy: str = ""
    ) -> None:
        self.flow = flow
        self.problems = tuple(problems)
        self.paths = tuple(paths)
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


class LockExpired(NodeError):
    """Nobody released a lock in time. `details` is the lock's id."""

    code = "lock.expired"


class Denied(NodeError):
    """Raised where a flow decides about a candidate that is not good enough.

    reasons: what is wrong with it, for whoever made it; texts, or `Reason`s where a place in the
    candidate is meant. pointer: the place that all the texts speak of, as a JSON Pointer.
    """

    code = "denied"

    def __init__(self, *reasons: str | Reason, pointer: str = "") -> None:
        from penstock.core.reason import Reason  # every start of the command line comes by here

        self.reasons = tuple(
            Reason(reason, pointer) if isinstance(reason, str) else reason
            for reason in reasons or ("this will not do",)
        )
        details = [{"detail": reason.detail, "pointer": reason.pointer} for reason in self.reasons]
        super().__init__("; ".join(map(str, self.reasons)), details={"reasons": details})


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


class LockError(PenstockError):
    """A candidate could not release a lock. `fid` and `lid` say which lock of which run."""

    def __init__(self, message: str, *, fid: str = "", lid: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.fid = fid
        self.lid = lid


class LockNotFound(LockError):
    """The run has no lock of this id."""


class LockClosed(LockError):
    """The lock was released, has expired, or its run went on or ended without it."""


class LockUndecided(LockError):
    """The flow has not decided about the candidate in time. It may still do so."""


class CandidateInvalid(LockError):
    """The candidate does not fit the schema of the lock, which stays open. `reasons` say where."""

    def __init__(
        self, reasons: Sequence[Reason], *, fid: str = "", lid: str = "", remedy: str = ""
    ) -> None:
        self.reasons = tuple(reasons)
        lines = "\n".join(f"  - {reason}" for reason in self.reasons)
        super().__init__(
            f"the candidate does not fit the lock:\n{lines}", fid=fid, lid=lid, remedy=remedy
        )


class RetryRefused(PenstockError):
    """A run cannot be retried like this. `node` and `port` are at fault, where one of them is."""

    def __init__(
        self, message: str, *, fid: str = "", node: str = "", port: str = "", remedy: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.fid = fid
        self.node = node
        self.port = port


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


class KeyTaken(StoreError):
    """A run was begun with this key already: `holder` is its id."""

    def __init__(self, message: str, *, fid: str = "", holder: str = "", remedy: str = "") -> None:
        super().__init__(message, fid=fid, remedy=remedy)
        self.holder = holder


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


class AccessError(PenstockError):
    """Who asks is not known here, or an account cannot be as asked. The message holds no secret."""


class LoginRefused(AccessError):
    """This name and this password do not belong together. It does not say which of them is wrong."""


class LoginLimited(AccessError):
    """Too many attempts have failed. retry_after: seconds until the next one is looked at."""

    def __init__(self, message: str, *, retry_after: float, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class ProviderError(AccessError):
    """A login through an identity provider came to nothing.

    code: a short stable name of the reason. away: the provider could not be reached.
    """

    def __init__(self, message: str, *, code: str, away: bool = False, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.away = away


class AccountError(AccessError):
    """A user, group, grant or token cannot be as asked. field: what of it."""

    def __init__(self, message: str, *, field: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.field = field


class HostError(PenstockError):
    """A host answered with an error.

    status: HTTP's, or 0 when no answer came. kind: the short stable name of what is wrong that
    the host gave, or empty. faults: the places in the request that are wrong, as pairs of a JSON
    Pointer and what is wrong there.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        kind: str = "",
        faults: Sequence[tuple[str, str]] = (),
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.kind = kind
        self.faults = tuple(faults)


class HostAway(HostError):
    """A host cannot be reached, or went away before it had answered. It may come back."""


class Unauthorized(HostError):
    """A host does not know who asks: there is no token, or it is not valid any more."""


class Forbidden(HostError):
    """A host does not allow what was asked."""


class SettingsError(PenstockError):
    """A setting has a value that cannot be used. The message names its origin."""
