"""The query string of a request, read as a struct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_origin

import msgspec

from penstock.api.problem import Fault
from penstock.host.api.body import located
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

StructT = TypeVar("StructT", bound=msgspec.Struct)

_KIND: Final = "invalid-query"


class QueryReader(Generic[StructT]):
    """Reads queries as one struct. What a list is made of may be given several times."""

    def __init__(self, struct: type[StructT]) -> None:
        self._struct = struct
        self._lists = frozenset(
            field.encode_name
            for field in msgspec.structs.fields(struct)
            if (get_origin(field.type) or field.type) in (list, tuple)
        )

    def read(self, connection: HTTPConnection) -> StructT:
        """Raises Refused with status 400."""
        given: dict[str, Any] = {}
        for name, value in connection.query_params.multi_items():
            if name in self._lists:
                given.setdefault(name, []).append(value)
            elif name in given:
                raise _wrong(name, "it may be given once")
            else:
                given[name] = value
        try:
            return msgspec.convert(given, self._struct, strict=False)
        except msgspec.ValidationError as error:
            where, what = located(error)
            raise _wrong("".join(where[:1]), what) from None


def _wrong(name: str, what: str) -> Refused:
    about = f"the parameter `{name}`: {what}" if name else f"the query: {what}"
    return Refused(400, about, kind=_KIND, faults=[Fault(pointer=f"?{name}", detail=what)])
