"""A call: one request to an operation, with who asks and what is asked of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from penstock.auth import Permission
from penstock.auth.audit import Act, Outcome, who_of
from penstock.core.errors import EntryNotFound, RunNotFound
from penstock.core.problems import suggest
from penstock.host.access import address_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from penstock.auth import Principal
    from penstock.core.store import RunRow, Sight
    from penstock.host.host import Host
    from penstock.host.shelf import Served

_LONGEST_FID: Final = 200


class Call:
    """One request. principal: who asks. What they may not see is not there for them."""

    __slots__ = ("host", "principal", "request")

    def __init__(self, host: Host, request: Request, principal: Principal) -> None:
        self.host = host
        self.request = request
        self.principal = principal

    def may(self, permission: Permission, *, flow: str = "", launcher: str | None = None) -> bool:
        """Whether who asks has a permission on the host, on a flow, or on a run of it.

        launcher: who launched the run; None where it is about the flow itself.
        """
        return self.host.directory.may(self.principal, permission, flow=flow, launcher=launcher)

    @property
    def sight(self) -> Sight | None:
        """Which runs who asks may see; None: all."""
        return self.host.directory.sight(self.principal)

    def flow(self, name: str, permission: Permission = Permission.VIEW) -> Served:
        """A served flow. Raises EntryNotFound, also where the permission to see it is missing."""
        served = self.host.shelf.find(name)
        if served is None or not self.may(Permission.VIEW, flow=name):
            if served is not None:
                self._hide(f"flow `{name}`")
            seen = [each.name for each in self.host.shelf if self.may(Permission.VIEW, flow=each.name)]
            raise EntryNotFound(f"no flow is named `{name}`", remedy=suggest(name, seen))
        self._require(permission, flow=name)
        return served

    async def run(self, fid: str, permission: Permission = Permission.VIEW) -> RunRow:
        """A run at a glance. Raises RunNotFound, also where the permission to see it is missing."""
        row = await self.host.runtime.store.run(fid) if _is_fid(fid) else None
        if row is not None and row.namespace != self.host.namespace:
            row = None
        if row is None or not self.may(Permission.VIEW, flow=row.flow, launcher=row.launcher):
            if row is not None:
                self._hide(f"run `{row.fid}`")
            raise RunNotFound("no run has this id", remedy="GET /api/v1/runs lists them")
        self._require(permission, flow=row.flow, launcher=row.launcher)
        return row

    def note(self, act: Act, *, subject: str, outcome: Outcome = Outcome.DONE, detail: str = "") -> None:
        """Have it in the audit trail what who asks has done."""
        self.host.auth.trail.note(
            act,
            who=who_of(self.principal),
            subject=subject,
            outcome=outcome,
            address=address_of(self.request),
            detail=detail,
        )

    def require(self, permission: Permission) -> None:
        """Ask for a permission on the host itself. Raises RequestRefused with status 403."""
        self._require(permission)

    @property
    def administers(self) -> bool:
        """Whether who asks administers all hosts of the store, and so its accounts."""
        return self.host.directory.may_everywhere(self.principal, Permission.ADMIN)

    def administer(self) -> None:
        """Ask for the right to administer accounts. Raises Refused with status 403."""
        if not self.administers:
            self.forbid("the permission `admin` on every host")

    def forbid(self, what: str) -> NoReturn:
        """Turn who asks away, for lack of this. Raises Refused with status 403."""
        from penstock.host.problem import Refused

        self.host.access.denied(self.request, self.principal, f"lacks {what}")
        raise Refused(
            403,
            f"this needs {what}",
            kind="forbidden",
            remedy="ask an administrator of the host for a grant",
        )

    def _hide(self, what: str) -> None:
        """Note that something is not there for who asks, although it is."""
        self.host.access.denied(self.request, self.principal, f"may not see {what}")

    def _require(self, permission: Permission, *, flow: str = "", launcher: str | None = None) -> None:
        if not self.may(permission, flow=flow, launcher=launcher):
            what = f"flow `{flow}`" if flow else "this host"
            self.forbid(f"the permission `{permission}` on {what}")


def _is_fid(text: str) -> bool:
    return len(text) <= _LONGEST_FID and text.isascii() and text.isprintable()
