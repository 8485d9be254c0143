"""Attempts: how often somebody may be wrong before they have to wait."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from penstock.core.clock import Clock


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait after failures in a row.

    free: how many cost nothing. The next one costs `first` seconds and each one twice as much,
    at most `longest`. When nothing happened for `forgotten` seconds, all is forgiven.
    """

    free: int
    first: float = 1.0
    longest: float = 900.0
    forgotten: float = 3600.0

    def wait(self, failures: int) -> float:
        """How long to wait after so many failures, in seconds."""
        if failures < self.free:
            return 0.0
        # Beyond this power, a float would not hold it, and `longest` was reached long ago.
        return min(self.longest, self.first * 2.0 ** min(failures - self.free, 64))


BOTH: Final = Patience(free=5)
"""For one name from one address."""

ADDRESS: Final = Patience(free=20)
"""For one address, whatever the names. Many people may share one."""

NAME: Final = Patience(free=50, longest=60.0)
"""For one name, wherever from, but for where it has logged in before. It stays short, so that
nobody can keep somebody else out.
"""

REMEMBERED: Final = 50_000


class _Failures(msgspec.Struct):
    count: int
    until: float
    forgotten: float


class Attempts:
    """Counts what failed, in the memory of this process. Times are the monotonic clock's.

    A name is empty where somebody is not known by one.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[_Key, _Failures] = OrderedDict()
        self._welcome: OrderedDict[_Key, None] = OrderedDict()

    def wait(self, name: str, address: str) -> float:
        """How long the next attempt has to wait, in seconds; 0 when it may come now."""
        now = self._clock.monotonic()
        keys = _keys(name, address)
        if _both(name, address) in self._welcome:
            keys.pop(_name(name), None)
        found = (self._failures.get(key) for key in keys)
        return max((each.until - now for each in found if each is not None), default=0.0)

    def failed(self, name: str, address: str) -> None:
        """Count an attempt that failed."""
        now = self._clock.monotonic()
        for key, patience in _keys(name, address).items():
            known = self._failures.pop(key, None)
            count = known.count + 1 if known and now < known.forgotten else 1
            wait = patience.wait(count)
            self._failures[key] = _Failures(count, now + wait, now + wait + patience.forgotten)
        while len(self._failures) > REMEMBERED:  # those that were quiet longest
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forgive a name what it failed from an address, and take the last attempt back elsewhere."""
        both = _both(name, address)
        self._failures.pop(both, None)
        for key in _keys(name, address):
            known = self._failures.get(key)
            if known is not None:
                known.count, known.until = known.count - 1, self._clock.monotonic()
        self._welcome[both] = None
        self._welcome.move_to_end(both)
        while len(self._welcome) > REMEMBERED:
            self._welcome.popitem(last=False)


_Key = tuple[str, ...]


def _keys(name: str, address: str) -> dict[_Key, Patience]:
    """What an attempt counts for."""
    keys = {_both(name, address): BOTH, ("address", _network(address)): ADDRESS}
    return keys | {_name(name): NAME} if name else keys


def _both(name: str, address: str) -> _Key:
    return ("both", name, _network(address))


def _name(name: str) -> _Key:
    return ("name", name)


def _network(address: str) -> str:
    """Whose address it is: of IPv6 one customer has at least a /64, and may use all of it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address  # the path of a socket, or nothing
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)
