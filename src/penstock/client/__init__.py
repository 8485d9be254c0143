"""A client of hosts: launches flows, follows runs, and releases locks, from Python.

`Client` blocks the thread that calls; `AsyncClient` is for an event loop. Both do the same, for
each operation is written once, as a generator that knows nothing of sockets (effects.py).
"""

from __future__ import annotations

from penstock.client.client import AsyncClient, AsyncRemoteRun, Client, RemoteRun

__all__ = ["AsyncClient", "AsyncRemoteRun", "Client", "RemoteRun"]
