"""Rights: what all the grants of somebody amount to, on the hosts of one namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from penstock.auth.permission import ANY_FLOW, HOST, Permission, Resource, Scope, strongest
from penstock.auth.records import EVERYWHERE, Grant

ROLES: Final[Mapping[str, Permission]] = {
    "viewer": Permission.VIEW,
    "launcher": Permission.LAUNCH,
    "operator": Permission.OPERATE,
    "admin": Permission.ADMIN,
}
"""The roles that are always there: each is a permission on every host. Grants make others."""


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """The strongest permission that somebody has on each thing.

    everywhere: on the hosts of all namespaces; accounts belong to all of them. host: on those of
    this namespace. flows, events: by the name of a flow, or `*`.
    """

    everywhere: Permission | None = None
    host: Permission | None = None
    flows: Mapping[str, Permission] = {}
    events: Mapping[str, Permission] = {}

    def on_flow(self, flow: str) -> Permission | None:
        """On a flow: to see and to launch it."""
        return strongest((self.host, self.flows.get(ANY_FLOW), self.flows.get(flow)))

    def on_runs(self, flow: str) -> Permission | None:
        """On the runs of a flow that others launched.

        Who may operate a flow may operate its runs; who may launch it need not see what others
        did with it.
        """
        granted = (self.host, self.events.get(ANY_FLOW), self.events.get(flow))
        operating = (self.flows.get(ANY_FLOW), self.flows.get(flow))
        return strongest((*granted, *(one for one in operating if one and _operates(one))))

    def on(self, resource: Resource) -> Permission | None:
        """On a resource, as a grant names it."""
        if resource.scope is Scope.HOST:
            return self.host
        if resource.scope is Scope.FLOW:
            return self.on_flow(resource.flow)
        return self.on_runs(resource.flow)

    def seen_flows(self) -> frozenset[str] | None:
        """The flows whose runs are seen, whoever launched them; None for all of them."""
        if self.on_runs(ANY_FLOW) is not None:
            return None
        operated = {flow for flow, permission in self.flows.items() if _operates(permission)}
        return frozenset(self.events) | operated


NOTHING: Final = Rights()
EVERYTHING: Final = Rights(everywhere=Permission.ADMIN, host=Permission.ADMIN)


def rights_of(roles: Iterable[str], grants: Iterable[Grant], *, namespace: str) -> Rights:
    """What some roles and some grants amount to on the hosts of a namespace."""
    given = [Grant(id="", subject="", permission=ROLES[role], resource=str(HOST), created=0)
             for role in roles if role in ROLES]  # fmt: skip
    everywhere: Permission | None = None
    host: Permission | None = None
    flows: dict[str, Permission] = {}
    events: dict[str, Permission] = {}
    for grant in (*given, *grants):
        if grant.namespace not in (EVERYWHERE, namespace):
            continue
        scope, _, flow = grant.resource.partition(":")
        if scope != Scope.HOST:
            kept = flows if scope == Scope.FLOW else events
            kept[flow] = strongest((kept.get(flow), grant.permission)) or grant.permission
            continue
        host = strongest((host, grant.permission))
        if grant.namespace == EVERYWHERE:
            everywhere = strongest((everywhere, grant.permission))
    return Rights(everywhere=everywhere, host=host, flows=flows, events=events)


def _operates(permission: Permission) -> bool:
    return permission.includes(Permission.OPERATE)
