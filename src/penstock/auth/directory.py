"""The directory: who somebody is and what they may do, answered from memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from penstock.auth.pause import pause
from penstock.auth.permission import Permission, Resource, strongest
from penstock.auth.picture import Picture
from penstock.auth.principal import ANONYMOUS, Principal, Via
from penstock.auth.records import Token, TokenKind, User
from penstock.auth.rights import NOTHING, Rights
from penstock.core.catalog import Collection
from penstock.core.errors import StoreError
from penstock.core.store import Sight

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.auth.signing import Signing
    from penstock.core.catalog import Catalog, Entry
    from penstock.core.clock import Clock

LOG: Final = logging.getLogger("penstock.auth")

RETRY_SECONDS: Final = 1.0

_VIA: Final = {TokenKind.API: Via.TOKEN, TokenKind.SESSION: Via.SESSION}


class Directory:
    """Everybody whom the hosts of a store know, as those of one namespace see it.

    It is of use once it is `loaded`, and stays right as long as somebody runs `follow`: what
    another process changes is here within 100 ms, and what this one changes at once.
    """

    def __init__(
        self, store: Catalog, *, signing: Signing, clock: Clock, namespace: str = "default"
    ) -> None:
        self.namespace = namespace
        self.picture = Picture()
        self._store = store
        self._signing = signing
        self._clock = clock
        self._position = 0
        self._rights: dict[str, Rights] = {}
        self._principals: dict[str, Principal] = {}
        self._listeners: set[Callable[[], object]] = set()

    async def load(self) -> None:
        """Read everything anew. Raises StoreError."""
        position = await self._store.position()
        picture = await Picture.of(self._store)
        # What was removed is in no list, so nothing of the old picture may stay.
        self.picture, self._position = picture, position
        self._forget()

    async def follow(self) -> None:
        """Take what is written anywhere, as it comes, until this is cancelled."""
        while True:
            try:
                async for entries in self._store.changes(after=self._position):
                    self.take(entries)
                    self._position = entries[-1].position
                    self.picture.settle(self._position)
            except StoreError as error:
                LOG.warning("accounts cannot be followed at the moment: %s", error.message)
            await pause(self._clock, RETRY_SECONDS)

    def take(self, entries: Iterable[Entry]) -> None:
        """Take what was written: now, where this process wrote it itself."""
        news = self.picture.take(entries)
        if any(entry.collection is not Collection.TOKENS for entry in news):
            self._forget()
        elif news:
            for entry in news:
                self._principals.pop(entry.id, None)
            self._tell()

    def authenticate(self, text: str) -> Principal | None:
        """Who shows this API token; None when it is none, or not good any more."""
        return self._authenticate(text, TokenKind.API)

    def session(self, text: str) -> Principal | None:
        """Who is logged in with this session; None when it is none, or over."""
        return self._authenticate(text, TokenKind.SESSION)

    def stands(self, principal: Principal) -> bool:
        """Whether somebody who was let in would be let in now: for streams, which take long."""
        if not principal.known:
            return True
        token = self.picture.get(Token, principal.credential)
        return token is not None and self._owner(token) is not None

    @property
    def serves_anyone(self) -> bool:
        """Whether somebody who is not known may do anything at all."""
        return self.rights(ANONYMOUS) != NOTHING

    def may(
        self,
        principal: Principal,
        permission: Permission,
        *,
        flow: str = "",
        launcher: str | None = None,
    ) -> bool:
        """Whether somebody has a permission: on the host, on a flow, or on a run of it.

        launcher: who launched the run, empty for nobody; None: it is about the flow itself.
        Whoever launched a run may operate it.
        """
        if not principal.ceiling.includes(permission) or self._is_out(principal):
            return False
        rights = self.rights(principal)
        if launcher is None:
            found = rights.on_flow(flow) if flow else rights.host
        elif principal.known and launcher == principal.id:
            found = strongest((Permission.OPERATE, rights.on_runs(flow)))
        else:
            found = rights.on_runs(flow)
        return found is not None and found.includes(permission)

    def may_everywhere(self, principal: Principal, permission: Permission) -> bool:
        """Whether somebody has a permission on the hosts of all namespaces, as accounts want it."""
        found = self.rights(principal).everywhere
        return (
            found is not None and found.includes(permission) and principal.ceiling.includes(permission)
        )

    def may_grant(self, principal: Principal, resource: Resource, namespace: str) -> bool:
        """Whether somebody may say who else may do what with a resource."""
        if self.may_everywhere(principal, Permission.ADMIN):
            return True
        if namespace != self.namespace or not principal.ceiling.includes(Permission.ADMIN):
            return False
        rights = self.rights(principal)
        # Who may see the runs of a flow is for those to say who administer the flow.
        found = rights.on_flow(resource.flow) if resource.flow else rights.host
        return found is not None and found.includes(Permission.ADMIN)

    def sight(self, principal: Principal) -> Sight | None:
        """Which runs somebody may see; None for all of them, of whatever namespace."""
        rights = self.rights(principal)
        if rights.everywhere is not None:
            return None
        flows = rights.seen_flows()
        whole = frozenset((self.namespace,) if flows is None else ())
        return Sight(launcher=principal.id, flows=flows or frozenset(), namespaces=whole)

    def rights(self, principal: Principal) -> Rights:
        """What somebody may do here, whatever they have shown."""
        if self._is_out(principal):
            return NOTHING
        known = self._rights.get(principal.id)
        if known is None:
            user = self.picture.get(User, principal.id)
            known = self.picture.rights(user, namespace=self.namespace)
            self._rights[principal.id] = known
        return known

    def id_of(self, name: str) -> str:
        """The id of the user of this name; the text itself, where there is none, may be one."""
        user = self.picture.named(User, name.lower())
        return user.id if user else name

    def name_of(self, id_: str) -> str:
        """The name of a user, such as the launcher of a run; the id of one who is gone."""
        user = self.picture.get(User, id_)
        return user.name if user else id_

    def listen(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Have a function called after each change; what is returned ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _authenticate(self, text: str, kind: TokenKind) -> Principal | None:
        proof = self._signing.proof(text, purpose=kind)
        token = self.picture.get(Token, proof.id) if proof else None
        if token is None or token.kind is not kind:
            return None
        user = self._owner(token)
        if user is None:
            return None
        known = self._principals.get(token.id)
        if known is None:
            proved_by = self.picture.get(Token, token.origin) if token.origin else token
            proved_once = token.kind is TokenKind.SESSION and not token.origin  # by a password, or so
            known = self._principals[token.id] = Principal(
                id=user.id,
                name=user.name,
                groups=tuple(group.name for group in self.picture.groups_of(user)),
                roles=tuple(self.picture.roles_of(user)),
                via=_VIA[kind],
                credential=token.id,
                ceiling=token.ceiling,
                expires=token.expires,
                until=None if proved_once or proved_by is None else proved_by.expires,
            )
        return known

    def _is_out(self, principal: Principal) -> bool:
        """Whether somebody who was known when they came is none of us any more."""
        if not principal.known:
            return False
        user = self.picture.get(User, principal.id)
        return user is None or not user.active

    def _owner(self, token: Token) -> User | None:
        """Whose a token is; None when it is over, or they are out."""
        if token.is_over(self._clock.now()):
            return None
        if token.origin and self.picture.get(Token, token.origin) is None:
            return None
        user = self.picture.get(User, token.user)
        return user if user is not None and user.active else None

    def _forget(self) -> None:
        self._rights.clear()
        self._principals.clear()
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()
