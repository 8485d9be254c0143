"""The runtime and the loader as one starts them: standard kinds, a store by its address.

This is the one place above the layers where they are put together; the engine itself
knows neither kinds nor stores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core.payload import Payload
from penstock.engine import runtime as engine
from penstock.engine.live import no_probe
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme
from penstock.store import open_store

if TYPE_CHECKING:
    from penstock.core.clock import Clock
    from penstock.core.store import Store
    from penstock.engine.flow import Flow
    from penstock.engine.observer import Observer
    from penstock.engine.scheme import Scheme

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
    `penstock.telemetry` makes them.
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
    ) -> None:
        super().__init__(
            open_store(store) if isinstance(store, str) else store,
            loader=Loader(scheme or standard_scheme(*kinds), values=values),
            flows=flows,
            clock=clock,
            recover=recover,
            evict_after=evict_after,
            probe=probe,
            observer=observer,
        )


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
    return Loader(scheme or standard_scheme(*kinds), values=values).load(reference, name=name)
