"""Orphans: how a runtime learns that another one died, or left unfinished runs behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.core.errors import StoreError
from penstock.core.store import Shift

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.store.bells import Bells
    from penstock.store.failures import Guard
    from penstock.store.owners import Owners

LOOK_SECONDS: Final = 2.0
"""How often it is looked whether somebody died: a lock that the kernel releases rings no bell."""


async def orphaned(owners: Owners, *, guard: Guard, bells: Bells) -> AsyncIterator[Shift]:
    """ORPHANED within two seconds of a death, and at once when a runtime leaves runs behind."""
    told: set[str] = set()
    with bells.bell() as bell:
        while True:
            bell.clear()
            dead = _dead(owners, guard, otherwise=told)
            news, told = dead - told, dead
            if news:
                yield Shift.ORPHANED
            await bell.rings(within=LOOK_SECONDS)


def _dead(owners: Owners, guard: Guard, *, otherwise: set[str]) -> set[str]:
    try:
        with guard:
            return owners.dead()
    except StoreError:
        return otherwise  # what cannot be seen now will be seen soon
