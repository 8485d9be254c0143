"""`python -m benchmarks [NAME…] [--asyncio]`: measure everything, or just what is named.

On uvloop where it is installed, as it is with the development dependencies; `--asyncio`
measures on the loop of the standard library.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys

from benchmarks.figure import Figure, keep, table

ALL = ("startup", "graphs", "durable", "memory", "http_server", "http_graph", "streams", "host_launch")


def main() -> int:
    names = [name for name in sys.argv[1:] if not name.startswith("-")]
    plain = "--asyncio" in sys.argv or importlib.util.find_spec("uvloop") is None
    loop = "asyncio" if plain else "uvloop"
    factory = None if plain else importlib.import_module("uvloop").new_event_loop
    figures: list[Figure] = []
    for name in names or ALL:
        print(f"measuring {name} on {loop} …", file=sys.stderr)  # noqa: T201
        with asyncio.Runner(loop_factory=factory) as runner:
            figures += runner.run(importlib.import_module(f"benchmarks.{name}").measure())
    print(table(figures))  # noqa: T201
    print(f"\nkept in {keep(figures, loop)}", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
