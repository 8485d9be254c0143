"""What a client submits: the inputs of a launch, or a candidate, as JSON or as a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.datastructures import FormData, UploadFile

from penstock.api.runs import Launch
from penstock.core.payload import Payload
from penstock.host.api.body import FORMS, MULTIPART, URLENCODED, media_type, read, read_json
from penstock.host.files.form import FormUploads
from penstock.host.forms import SchemaForm
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.engine.flow import Flow
    from penstock.host.api.call import Call

_FIELDS: Final = 1000
"""How many fields a form may have."""

_LAUNCH: Final = msgspec.json.Decoder(Launch)
_ANYTHING: Final = msgspec.json.Decoder()


async def submitted_inputs(call: Call, flow: Flow) -> dict[str, Payload]:
    """The inputs of a launch, by name."""
    if not is_form(call):
        return (await read_json(call.request, _LAUNCH)).inputs
    inputs: dict[str, Payload] = await _answers(call, flow.input_schema, below="/inputs")
    return inputs


async def submitted_candidate(call: Call, schema: Mapping[str, Any] | None) -> Payload:
    """A candidate for a lock that wants what the schema says."""
    if not is_form(call):
        return await read_json(call.request, _ANYTHING)
    return await _answers(call, schema or {}, below="")


def is_form(call: Call) -> bool:
    """Whether the body is what a browser sends of a form."""
    return media_type(call.request) in FORMS


async def _answers(call: Call, schema: Mapping[str, Any], *, below: str) -> Any:
    """What a form says. Raises Refused with status 422 for what cannot be read."""
    reading = SchemaForm(schema).read(await read_form(call, files=True))
    if reading.faults:
        faults = [
            msgspec.structs.replace(each, pointer=f"{below}{each.pointer}") for each in reading.faults
        ]
        raise Refused(422, faults[0].detail, kind="invalid-body", faults=faults)
    return reading.value


async def read_form(call: Call, *, files: bool = False) -> FormData:
    """The fields of a form.

    files: who asks may give some. Each is an upload then, and its field says which. Raises Refused
    with status 400, 413 or 415.
    """
    if media_type(call.request) == MULTIPART:
        if not files:
            raise Refused(415, f"send {URLENCODED}", kind="media-type")
        return await FormUploads(call.host.uploads, call.principal.id).read(call.request)
    data = await read(call.request)
    try:
        pairs = parse_qsl(
            data.decode(), keep_blank_values=True, strict_parsing=bool(data), max_num_fields=_FIELDS
        )
    except ValueError as error:
        raise Refused(400, f"the body is no form: {error}", kind="malformed-body") from None
    fields: list[tuple[str, UploadFile | str]] = [*pairs]
    return FormData(fields)
