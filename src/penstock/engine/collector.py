"""The garbage collector, in a process that is there to serve.

CPython looks for cycles after every 700 new objects, and now and then at all there are. A
thousand runs under way are far more than that, and nearly none of it is garbage: with these
limits a third of the processor time of a durable step went into looking, and each look at
everything held up all requests for tens of milliseconds.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG_OBJECTS: Final = 100_000
"""After so many new objects it is worth a look whether some of them are garbage. Against 20,000 a
durable step takes a tenth less; what waits for the look is 10 or 20 MB at most."""

LOOKS: Final = 10
"""How many looks at the young make one at the older ones."""


def settle() -> None:
    """Let the collector look less often, and no more at what is there now.

    For the whole process, so only whoever owns it may call this: when everything is loaded,
    and once.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, LOOKS, LOOKS)
