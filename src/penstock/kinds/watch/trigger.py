"""`file.watch`: a process for each file that changes."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from penstock.core.duration import Duration
from penstock.core.errors import NodeError, StoreError
from penstock.engine.kind import FieldError, Trigger, field
from penstock.kinds.watch.target import Target
from penstock.kinds.watch.watcher import Watcher

if TYPE_CHECKING:
    from penstock.engine.resident.trigger import TriggerContext
    from penstock.kinds.watch.snapshot import Change

Event = Literal["created", "modified", "deleted"]
_LONGEST_DEBOUNCE = Duration(seconds=10)


class Watch(Trigger, kind="file.watch", aliases=("watch",)):
    """Start a process for each file that is created, modified or deleted.

    A change is what is different from before: a file that is replaced by another one of its
    name, as editors do, was modified; one that came and went at once was nothing; one that is moved
    was deleted here and created there. What changes while a process runs is not lost, and told
    once, however often it changed.

    Config: path, one or a list: a folder, whose files at any depth are meant; a glob such as
    `inbox/**/*.csv`; or a file, which need not be there yet. A folder must be there.

    - events: which of `created`, `modified` and `deleted` matter (all of them).
    - recursive: false leaves out what is in the folders of a folder.
    - ignore: patterns of what is left out; one without `/` matches a name at any depth. By default
      hidden files and folders, and what editors and tools leave behind. A file that `path` names is
      never left out.
    - debounce: how long a burst of changes must be over (100ms).
    - existing: true starts a process for each file that is there at the beginning as well.
    - parents: true makes folders that are missing.
    - concurrency: how many processes may run at once (1: one after the other, in order).
    - drain: how long to wait for them before a reload or the end (10s).
    - durable: true records a run for each change, which goes on by itself, after a crash as well;
      the next one does not wait for it.

    Ports: out, called with a mapping: `event`, `path` (absolute), `name` (the last part of the
    path), `size_bytes` (null when it is gone), `time` (of the notice, as ISO 8601 text).

    Errors: `watch.missing`, `watch.permission`, `watch.limit` (of the system) when it is loaded; a
    process that fails goes to what hangs from `error`, or else to the log.

    Example:
        - {kind: file.watch, name: inbox, path: inbox/*.csv, events: [created], links: {out: path}}
        - {kind: snippet, name: path, language: cel, code: self.path, links: {out: read.path}}
        - {kind: file.read, name: read, links: {content: told.message}}
        - {kind: log, name: told}
    """

    path: str | list[str]
    events: list[Event] = field(default_factory=lambda: ["created", "modified", "deleted"])
    recursive: bool = True
    ignore: list[str] = field(
        default_factory=lambda: [".*", "*~", "*.swp", "*.tmp", "__pycache__", "node_modules"]
    )
    debounce: Duration = Duration(milliseconds=100)
    existing: bool = False
    parents: bool = False
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 1
    drain: Duration = Duration(seconds=10)

    def check(self) -> None:
        paths = [self.path] if isinstance(self.path, str) else self.path
        if not paths or not all(paths) or any("\0" in path for path in paths):
            raise FieldError("path", "name a folder, a file, or a glob such as `inbox/*.csv`")
        if not self.events:
            raise FieldError("events", "name at least one of created, modified, deleted")
        if not Duration(milliseconds=1) <= self.debounce <= _LONGEST_DEBOUNCE:
            raise FieldError("debounce", "it is between 1ms and 10s")
        self._paths = paths

    async def load(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="penstock:watch")
        self._watcher: Watcher | None = None
        try:
            self._watcher = await asyncio.get_running_loop().run_in_executor(self._thread, self._begin)
        except BaseException:
            await self.unload()
            raise

    async def open(self, ctx: TriggerContext) -> None:
        assert self._watcher is not None, "it is loaded before it is opened"
        self._slots = asyncio.Semaphore(self.concurrency)
        self._serving = ctx.own(self._serve(ctx, self._watcher), f"{self.kind}:{ctx.node}")

    def describe(self) -> str:
        return ", ".join(self._paths)

    async def close(self) -> None:
        self._serving.cancel()

    async def drained(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.drain.total_seconds()):
                for _ in range(self.concurrency):
                    await self._slots.acquire()

    async def unload(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._thread.submit(self._watcher.close)
        self._thread.shutdown(wait=False)

    # --- what changes -------------------------------------------------------------

    def _begin(self) -> Watcher:
        targets = [
            Target.read(path, recursive=self.recursive, ignore=self.ignore) for path in self._paths
        ]
        watcher = Watcher(targets, quiet_ms=round(self.debounce.total_seconds() * 1000))
        watcher.begin(existing=self.existing, parents=self.parents)
        return watcher

    async def _serve(self, ctx: TriggerContext, watcher: Watcher) -> None:
        loop, slots = asyncio.get_running_loop(), self._slots
        while True:
            while watcher.pending:
                if watcher.pending[0].happening not in self.events:
                    watcher.pending.popleft()
                    continue
                await slots.acquire()
                # Taken only now: what is not served before a reload is served after it.
                change = watcher.pending.popleft()
                served = ctx.own(self._serve_one(ctx, change), f"{self.kind}:{ctx.node}:{change.path}")
                served.add_done_callback(lambda _: slots.release())
            await loop.run_in_executor(self._thread, watcher.wait)

    async def _serve_one(self, ctx: TriggerContext, change: Change) -> None:
        payload = {
            "event": str(change.happening),
            "path": change.path,
            "name": change.path.rpartition("/")[2],
            "size_bytes": change.size_bytes,
            "time": datetime.fromtimestamp(ctx.clock.now(), UTC).isoformat().replace("+00:00", "Z"),
        }
        try:
            if self.durable:
                await ctx.submit("out", payload)
            else:
                await ctx.start("out", payload)
        except StoreError as error:
            ctx.warn(f"a change is not recorded yet: {error.message}", path=change.path)
            assert self._watcher is not None, "it is open"
            self._watcher.pending.appendleft(change)
        except NodeError:
            return  # the runtime tells of a process that fails
