"""Claims: how unfinished runs pass from a dead runtime to a live one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from penstock.store import rows, statements
from penstock.store.transaction import Transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from penstock.core.store import RunRow
    from penstock.store.owners import Owners


def claim(database: sqlite3.Connection, owners: Owners, fids: Sequence[str] | None) -> list[RunRow]:
    """Take over the unfinished runs of dead owners, all of them or those of `fids`.

    Who is dead is asked inside the transaction: of two claims at once, the second sees
    the runs as the first one's. Words for runs that have ended go at this occasion.
    """
    owner = owners.own()
    with Transaction(database):
        swept = owners.dead()  # looked at first: all that these own is claimed below
        known = [name for (name,) in database.execute(statements.OWNERS)]
        named = {
            "dead": json.dumps([name for name in known if not owners.alive(name)]),
            "fids": None if fids is None else json.dumps(list(fids)),
            "owner": owner,
        }
        found = database.execute(statements.SELECT_ORPHANED, named)
        claimed = rows.from_columns(found, owner=owner)
        if claimed:
            database.execute(statements.CLAIM_ORPHANED, named)
        database.execute(statements.DELETE_STALE_SIGNALS)
    if fids is None:  # otherwise there may be more for others to take
        owners.sweep(swept)
    return claimed
