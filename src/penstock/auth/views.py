"""Records as the wire has them: with names instead of ids, and without secrets."""

from __future__ import annotations

from penstock.api.accounts import AuditView, GrantView, GroupView, TokenView, UserView
from penstock.api.times import moment
from penstock.auth.picture import Picture
from penstock.auth.records import Grant, Group, Token, User
from penstock.core.audit import AuditEntry


def user_view(picture: Picture, user: User) -> UserView:
    """A user without what they are known by."""
    return UserView(
        id=user.id,
        name=user.name,
        email=user.email,
        active=user.active,
        groups=[group.name for group in picture.groups_of(user)],
        roles=list(user.roles),
        password=bool(user.password),
        identities=list(user.identities),
        created=moment(user.created),
    )


def group_view(picture: Picture, group: Group) -> GroupView:
    """A group with the names of its members."""
    return GroupView(
        id=group.id,
        name=group.name,
        description=group.description,
        roles=list(group.roles),
        members=[user.name for user in picture.members_of(group)],
        created=moment(group.created),
    )


def grant_view(picture: Picture, grant: Grant) -> GrantView:
    """A grant of a subject as people write it."""
    return GrantView(
        id=grant.id,
        subject=picture.subject(grant),
        permission=str(grant.permission),
        resource=grant.resource,
        namespace=grant.namespace,
        created=moment(grant.created),
    )


def token_view(picture: Picture, token: Token, *, secret: str = "") -> TokenView:
    """A token. secret: its text, where it was made a moment ago."""
    owner = picture.get(User, token.user)
    return TokenView(
        id=token.id,
        name=token.name,
        kind=str(token.kind),
        user=owner.name if owner else "",
        permission=str(token.ceiling),
        created=moment(token.created),
        expires=moment(token.expires),
        secret=secret,
    )


def audit_view(entry: AuditEntry) -> AuditView:
    """An entry of the audit trail."""
    return AuditView(
        number=entry.number,
        at=moment(entry.at),
        who=entry.who,
        action=entry.action,
        subject=entry.subject,
        outcome=entry.outcome,
        address=entry.address,
        detail=entry.detail,
    )
