"""`python -m benchmarks [NAME…]`: measure everything, or just what is named."""

from __future__ import annotations

import asyncio
import importlib
import sys

from benchmarks.figure import Figure, keep, table

ALL = ("startup", "graphs", "durable", "memory")


def main() -> int:
    figures: list[Figure] = []
    for name in sys.argv[1:] or ALL:
        print(f"measuring {name} …", file=sys.stderr)  # noqa: T201
        figures += asyncio.run(importlib.import_module(f"benchmarks.{name}").measure())
    print(table(figures))  # noqa: T201
    print(f"\nkept in {keep(figures)}", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
