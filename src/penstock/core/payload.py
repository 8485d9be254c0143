"""Payloads: the JSON-shaped values that travel over links, and their stored form.

A payload is None, bool, int, float, str, bytes, a list or a str-keyed dict of payloads,
or an `Error`. `normalise` brings what code returns into that shape; `encode` and
`decode` are its stored form: MessagePack, with extension 1 for integers beyond 64 bits,
2 for `Error`, and 3 for a reference to a blob.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import KeysView, Mapping, ValuesView
from typing import Any, Final

import msgspec

from penstock.core.errors import NodeError, PayloadError, PenstockError, Thrown

Payload = Any
"""A JSON-shaped value. An alias for readers; the type checker cannot say it shorter."""


class Error:
    """A failure as a payload: what an `error` port carries.

    code: the short stable name that conditions compare with.
    node: the firing that failed. details: any payload the failing node added.

    No struct on purpose: the codec must meet it as a type of its own.
    """

    __slots__ = ("code", "details", "message", "node", "remedy")

    def __init__(
        self, *, code: str, message: str, node: str = "", details: Payload = None, remedy: str = ""
    ) -> None:
        self.code = code
        self.message = message if message.isascii() else _storable(message)
        self.node = node
        self.details = details
        self.remedy = remedy

    def error(self) -> str:
        """What went wrong, for people."""
        return self.message

    def to_mapping(self) -> dict[str, Payload]:
        """The failure as a plain mapping, for JSON."""
        found = {name: getattr(self, name) for name in ("code", "message", "node", "details", "remedy")}
        return {name: value for name, value in found.items() if value not in ("", None)}

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"Error({self.code!r}, {self.message!r}, node={self.node!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Error) and self.to_mapping() == other.to_mapping()

    def __hash__(self) -> int:
        return hash((self.code, self.message, self.node))

    def to_exception(self) -> NodeError:
        """The exception that raises this failure again."""
        return Thrown(
            self.message, code=self.code, details=self.details, node=self.node, remedy=self.remedy
        )

    @classmethod
    def from_exception(cls, error: BaseException, *, node: str = "") -> Error:
        """The payload for an exception. One without a message is named by its class."""
        if isinstance(error, PenstockError):
            code = error.code if isinstance(error, NodeError) else type(error).__name__
            details = _shown(error.details) if isinstance(error, NodeError) else None
            node = (error.node if isinstance(error, NodeError) else "") or node
            return cls(code=code, message=error.message, node=node, details=details, remedy=error.remedy)
        name = type(error).__name__
        try:
            text = str(error)
        except Exception as broken:
            text = f"(its message cannot be shown: {type(broken).__name__})"
        return cls(code=name, message=f"{name}: {text}" if text else name, node=node)


def _shown(details: Any) -> Payload:
    """Details as a payload; what has no such form as its text."""
    try:
        return normalise(details)
    except PayloadError:
        return repr(details)


class BlobRef:
    """Stands in the journal for a payload that is kept in a blob file."""

    __slots__ = ("digest", "size_bytes")

    def __init__(self, digest: str, size_bytes: int) -> None:
        self.digest = digest
        self.size_bytes = size_bytes


SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types that are payloads as they are."""

_EXT_INT, _EXT_ERROR, _EXT_BLOB = 1, 2, 3


def normalise(value: Any) -> Payload:
    """The payload for a value that code returned; containers are copied.

    Dates become ISO 8601 text, `Decimal` and `UUID` text, dataclasses, structs and models
    mappings, tuples and sets lists, enums their values, keys text. Raises PayloadError
    that names the place of a value with no such form.
    """
    if type(value) in SCALARS:
        return value
    try:
        return _walk(value)
    except RecursionError as error:
        raise PayloadError(
            "a value is nested too deeply, or contains itself, and cannot travel over a link",
            remedy="flatten it, or send it as text or bytes",
        ) from error
    except (TypeError, ValueError) as error:
        where, kind = _offender(value, "", ()) or ("", type(value).__name__)
        place = f" at `{where}`" if where else ""
        raise PayloadError(
            f"a value of type `{kind}`{place} cannot travel over a link",
            remedy="return text, numbers, bytes, lists, mappings, dates, dataclasses or None",
        ) from error


def _walk(value: Any) -> Payload:
    kind = type(value)
    if kind in SCALARS or kind is Error:
        return value
    if kind is dict:
        return {
            key if type(key) is str else _key(key): item if type(item) in SCALARS else _walk(item)
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [item if type(item) in SCALARS else _walk(item) for item in value]
    return _walk(_builtin(value))


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    text = msgspec.to_builtins({key: None}, str_keys=True)
    return str(next(iter(text)))


def _builtin(value: Any) -> Any:
    """One step towards a payload for anything that is not one. Raises TypeError."""
    if isinstance(value, BaseException):
        return Error.from_exception(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # Field by field: one that was decoded may leave its defaults to the class.
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    try:
        return _foreign(value)
    except TypeError:
        found = msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True, enc_hook=_foreign)
    if type(found) is type(value) and not isinstance(found, list | dict | tuple):
        raise TypeError(f"no JSON-shaped form for `{type(value).__name__}`")
    return found


def _foreign(value: Any) -> Any:
    """The step for types that the codec does not know. Raises TypeError for the rest."""
    if type(value) is Error:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, deque | KeysView | ValuesView):
        return list(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, type):
        raise TypeError("a class has no JSON-shaped form")
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):  # numpy arrays and scalars
        return value.tolist()
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    raise TypeError(f"no JSON-shaped form for `{type(value).__name__}`")


def _offender(value: Any, where: str, above: tuple[int, ...]) -> tuple[str, str] | None:
    """The place and type name of the first value inside that has no payload form."""
    if id(value) in above:
        return where, f"{type(value).__name__} that contains itself"
    above = (*above, id(value))
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        children = [(f"{where}.{key}" if where else str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        children = [(f"{where}[{number}]", item) for number, item in enumerate(value)]
    else:
        try:
            _walk(value)
        except (TypeError, ValueError, RecursionError):
            return where, type(value).__name__
    for place, child in children:
        found = _offender(child, place, above)
        if found is not None:
            return found
    return None


def _extension(value: Any) -> msgspec.msgpack.Ext:
    if type(value) is Error:
        fields = (value.code, value.message, value.node, value.details, value.remedy)
        return msgspec.msgpack.Ext(_EXT_ERROR, encode(fields))
    if type(value) is BlobRef:
        return msgspec.msgpack.Ext(_EXT_BLOB, encode((value.digest, value.size_bytes)))
    raise TypeError(f"no stored form for `{type(value).__name__}`")


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_extension)


def encode(value: Payload) -> bytes:
    """The stored form of a payload, or of a tuple or list of payloads."""
    try:
        return _ENCODER.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return _ENCODER.encode(_storable(value))


def _storable(value: Any) -> Any:
    """What MessagePack cannot say by itself: wide integers, and text that is no Unicode.

    Half a surrogate pair comes from undecodable file names and output; it is replaced, so
    that no journal can be broken by one.
    """
    if type(value) is int and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_EXT_INT, str(value).encode())
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def _ext_hook(code: int, data: memoryview) -> Any:
    if code == _EXT_INT:
        return int(bytes(data))
    if code == _EXT_ERROR:
        error, message, node, details, remedy = decode(data)
        return Error(code=error, message=message, node=node, details=details, remedy=remedy)
    if code == _EXT_BLOB:
        digest, size_bytes = decode(data)
        return BlobRef(digest, size_bytes)
    raise PayloadError(f"a stored payload has the unknown extension {code}")


_DECODER: Final = msgspec.msgpack.Decoder(ext_hook=_ext_hook)


def decode(data: bytes | memoryview) -> Payload:
    """The payload that `encode` stored."""
    return _DECODER.decode(data)


def to_json(value: Payload) -> bytes:
    """A payload as JSON for programs: bytes in base64, an `Error` as a mapping."""
    try:
        return _JSON.encode(value)
    except UnicodeEncodeError:
        return _JSON.encode(_well_formed(value))


def _well_formed(value: Payload) -> Payload:
    """The payload with U+FFFD where its text is no Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    return _well_formed(value.to_mapping()) if type(value) is Error else value


def _json_form(value: Any) -> Any:
    if type(value) is Error:
        return value.to_mapping()
    raise TypeError(f"no JSON form for `{type(value).__name__}`")


_JSON: Final = msgspec.json.Encoder(enc_hook=_json_form)
