"""The auth provider: who somebody is, and what they may do.

Users, groups, grants and tokens are records in the catalogue of the store (records.py). Every
process has a picture of them in memory (picture.py) that follows the catalogue, so that one who
is deactivated is out everywhere within milliseconds. directory.py answers from it.

    permission.py   view < launch < operate < admin, and what they are on
    principal.py    who asks
    rights.py       what all the grants of somebody amount to
    users.py, groups.py, grants.py   each is changed by way of ledger.py
    tokens.py       API tokens and sessions, given out and taken back
    signing.py      what proves a token
    passwords.py    hashes
    login.py        a name and a password → a session
    attempts.py     how often somebody may be wrong
    oidc/           login through an identity provider
    first.py        the first administrator
    audit.py        who did what
    kinds.py        the kinds that a namespace may use
    views.py        records as clients see them
    provider.py     all of it, put together
"""

from penstock.auth.directory import Directory
from penstock.auth.permission import HOST, Permission, Resource, Scope
from penstock.auth.principal import ANONYMOUS, Principal, Via
from penstock.auth.provider import Auth

__all__ = [
    "ANONYMOUS",
    "HOST",
    "Auth",
    "Directory",
    "Permission",
    "Principal",
    "Resource",
    "Scope",
    "Via",
]
