"""Worker processes, as the settings want them, and flows that are to be executed in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from penstock.core.duration import Duration
from penstock.core.errors import SettingsError
from penstock.core.policies import WorkerLimits
from penstock.core.size import parse_size
from penstock.engine.loading import DOCUMENTS
from penstock.executors.subprocess import Pool

if TYPE_CHECKING:
    from penstock.cli.settings import Settings
    from penstock.engine.flow import Flow
    from penstock.engine.loading import Loader

T = TypeVar("T")


def make_pool(settings: Settings) -> Pool:
    """The pool that the settings describe; it starts nothing yet. Raises SettingsError."""
    return Pool(
        workers=_read(settings, "workers", _positive),
        limits=WorkerLimits(
            memory_bytes=_read(settings, "worker_memory", parse_size),
            timeout=_read(settings, "worker_timeout", Duration.parse),
            retries=_read(settings, "worker_retries", _count),
        ),
        kinds=_names(settings["kinds"]),
        environ=_names(settings["worker_environ"]),
    )


async def load_flows(
    loader: Loader,
    pool: Pool,
    reference: str,
    *,
    name: str = "",
    every: bool = False,
    executor: str = "",
) -> list[Flow]:
    """The flow of a reference, or every one, to be executed by this executor; by its own without one.

    Python code that a worker executes is imported there alone. Raises SettingsError or DocumentError.
    """
    if executor == pool.name and not _is_document(reference):
        return list(await pool.describe(reference, name=name, every=every))
    found = loader.flows_of(reference) if every else [loader.load(reference, name=name)]
    return [_with_executor(flow, executor, loader) for flow in found]


def _is_document(reference: str) -> bool:
    path = Path(reference)
    return path.suffix in DOCUMENTS or path.is_dir()


def _with_executor(flow: Flow, executor: str, loader: Loader) -> Flow:
    if executor in ("", flow.settings.executor):
        return flow
    document = flow.document()
    if "settings" in document:
        # A revision of its own, so that whoever goes on with its runs does so in the same place.
        return loader.restore({**document, "settings": {**document["settings"], "executor": executor}})
    flow.settings = msgspec.structs.replace(flow.settings, executor=executor)
    return flow


def _read(settings: Settings, name: str, parse: Callable[[str], T]) -> T | None:
    value = settings.look_up(name)
    if not value.value:
        return None
    try:
        return parse(value.value)
    except ValueError as error:
        raise SettingsError(f"`{name}` from {value.origin}: {error}") from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"`{text:.60}` is no number of at least 1")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"`{text:.60}` is no number")
    return int(text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
