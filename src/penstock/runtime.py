"""The runtime and the loader as one starts them: standard kinds, a store by its address.

This is the one place above the layers where they are put together; the engine itself
knows neither kinds nor stores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.agents import standard_readers
from penstock.core.payload import Payload
from penstock.core.spec import DEFAULT_NAMESPACE
from penstock.engine import runtime as engine
from penstock.engine.live import no_probe
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme
from penstock.store import open_store, usual_files

if TYPE_CHECKING:
    from penstock.core.clock import Clock
    from penstock.core.store import Store
    from penstock.engine.catalog.draft import Change
    from penstock.engine.catalog.values import Values
    from penstock.engine.executor import Executor
    from penstock.engine.flow import Flow
    from penstock.engine.observer import Observer
    from penstock.engine.resident.resident import Resident
    from penstock.engine.scheme import Scheme
    from penstock.store.keys import KeySource

DEFAULT_STORE = "sqlite:///penstock.db"


class Runtime(engine.Runtime):
    """Executes flows durably. Use it as an async context manager.

        async with Runtime("sqlite:///penstock.db") as runtime:
            run = await runtime.start(review, document="…")
            print(await run.result())

    store: a store or its address. flows: Python flows to know by name when runs are
    recovered. kinds: modules or files with more kinds. values: value documents for `env`.
    recover: go on with unfinished runs that no live process executes. evict_after: seconds
    after which a run that only waits leaves memory. observer: told of what happens, such as
    `penstock.telemetry` makes them. keys: what the values of the store are opened with; by
    default those of PENSTOCK_KEY or of the usual file. files: where the folders of runs are; by
    default beside a SQLite file, and for `memory:` in a temporary place.
    """

    def __init__(
        self,
        store: Store | str = DEFAULT_STORE,
        *,
        flows: Sequence[Flow] = (),
        kinds: Sequence[str] = (),
        scheme: Scheme | None = None,
        values: Mapping[str, Payload] | None = None,
        clock: Clock | None = None,
        recover: bool = True,
        evict_after: float = 5.0,
        probe: Callable[[str], None] = no_probe,
        observer: Observer | None = None,
        keys: KeySource | None = None,
        executors: Mapping[str, Executor] | None = None,
        files: str | Path | None = None,
    ) -> None:
        opened = open_store(store) if isinstance(store, str) else store
        super().__init__(
            opened,
            loader=_loader(kinds, scheme, values),
            flows=flows,
            clock=clock,
            recover=recover,
            evict_after=evict_after,
            probe=probe,
            observer=observer,
            values_of=lambda namespace: self._values().payloads(namespace),
            executors=executors,
            files=usual_files(opened.url) if files is None else Path(files),
        )
        self._keys = keys

    def _values(self) -> Values:
        import os

        from penstock.engine.catalog.values import Values
        from penstock.store.keys import usual_keys
        from penstock.store.vault import Vault

        keys = self._keys or usual_keys(os.environ)
        return Values(self.store, vault=Vault(keys), clock=self.clock)

    def serve(
        self,
        namespace: str = DEFAULT_NAMESPACE,
        *,
        env: Mapping[str, str] | None = None,
        drain_seconds: float = 30.0,
    ) -> Resident:
        """The resident graph of a namespace, served from `async with` to its end.

            async with Runtime("sqlite:///app.db") as runtime, runtime.serve("shop") as shop:
                print(shop.reports)
                await asyncio.Event().wait()

        env: texts that every spec sees as variables. drain_seconds: how long processes
        may go on with a node that was replaced or is to go.
        """
        from penstock.engine.resident.resident import Resident

        return Resident(
            self,
            namespace,
            values=self._values(),
            env=env,
            drain_seconds=drain_seconds,
        )

    async def apply(
        self, *documents: str | Path | Payload, namespace: str = "", prune: bool = False
    ) -> list[Change]:
        """Make the store hold the specs of these documents: paths of files, or data. All or nothing.

        namespace: of the specs that name none, `default` without one. prune: delete what was
        applied from the same files before and is no longer there. Raises DocumentError with
        every problem, and StoreConflict for a spec whose `revision` is not the current one.
        """
        from penstock.document.reader import examine_data, examine_file
        from penstock.engine.catalog.draft import Prune
        from penstock.engine.catalog.specs import Specs

        specs = Specs(self.store, scheme=self.loader.scheme, clock=self.clock)
        examined = [
            examine_file(each) if isinstance(each, str | Path) else examine_data(each)
            for each in documents
        ]
        how = Prune.ORIGIN if prune else Prune.NOTHING
        return await specs.apply(examined, namespace=namespace, prune=how)


def load_flow(
    reference: str | Path,
    *,
    name: str = "",
    kinds: Sequence[str] = (),
    scheme: Scheme | None = None,
    values: Mapping[str, Payload] | None = None,
) -> Flow:
    """The flow of a document's path, of `module:object`, or of `file.py:object`.

    name: which flow of a document that holds several. Raises DocumentError with every
    problem of a document, or SettingsError when there is nothing at the reference.
    """
    return _loader(kinds, scheme, values).load(reference, name=name)


def flows_of(
    reference: str | Path,
    *,
    kinds: Sequence[str] = (),
    scheme: Scheme | None = None,
    values: Mapping[str, Payload] | None = None,
) -> list[Flow]:
    """Every flow of a reference: what `load_flow` takes, a module, a package, or a folder.

    Raises as `load_flow` does, with the problems of all documents.
    """
    return _loader(kinds, scheme, values).flows_of(reference)


def _loader(kinds: Sequence[str], scheme: Scheme | None, values: Mapping[str, Payload] | None) -> Loader:
    return Loader(scheme or standard_scheme(*kinds), values=values, readers=standard_readers())
