"""The OpenAPI 3.1 document of a host, made from its operations."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

import msgspec

from penstock.api.problem import PROBLEM_JSON, Problem
from penstock.host.api.body import FORMS
from penstock.host.api.operation import JSON, Operation
from penstock.version import __version__

_REF: Final = "#/components/schemas/{name}"

_SECURITY: Final[list[dict[str, list[str]]]] = [{"token": []}, {"session": []}]

_COMMON_ERRORS: Final[Mapping[int, str]] = {
    400: "The request is malformed.",
    401: "It needs credentials, and there are none, or they are not valid.",
    403: "The credentials are not sufficient, or the request lacks the session's CSRF token.",
    413: "The body is too long.",
    415: "The body is of a type that is not taken.",
    422: "The body says something that cannot be.",
    503: "The store cannot be reached, or the host is about to end.",
}

TAGS: Final[Mapping[str, str]] = {
    "flows": "What the host serves, and launching it.",
    "forms": "What people are asked with.",
    "runs": "What became of a launch, and what to do about it.",
    "events": "The stream of a run, while it runs and afterwards.",
    "locks": "What runs wait for, and answering it.",
    "files": "What runs are given, and what they leave.",
    "session": "Who asks, and with which tokens.",
    "accounts": "Users and groups.",
    "grants": "Who may do what, and who has done what.",
    "specs": "The documents of the namespace.",
    "health": "Whether the host is well.",
}


def document(operations: Iterable[Operation], *, prefix: str) -> dict[str, Any]:
    """What `/openapi.json` answers. prefix: of every path."""
    listed = list(operations)
    hooks = {_hashable(one): one for operation in listed for one in _types(operation)}
    schemas, components = msgspec.json.schema_components(list(hooks.values()), ref_template=_REF)
    by_type = dict(zip(hooks, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        path = ("" if operation.rooted else prefix) + _plain_path(operation.path)
        described = _describe(operation, by_type)
        for status, links in _links(operation, listed).items():
            described["responses"][str(status)]["links"] = links
        paths.setdefault(path, {})[operation.method.lower()] = described
    tags = [{"name": name, "description": text} for name, text in TAGS.items()]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock host",
            "version": __version__,
            "description": "Launch flows, follow their runs, and answer what they ask.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": _SECURITY,
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "penstock_session"},
            },
        },
    }


def _describe(operation: Operation, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.description:
        described["description"] = operation.description
    if operation.open:
        described["security"] = [{}, *_SECURITY]
    parameters = [*_path_parameters(operation), *_query_parameters(operation), *_headers(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None or operation.consumes:
        described["requestBody"] = _body(operation, schemas)
    described["responses"] = _responses(operation, schemas)
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in operation.placeholders
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema, components = msgspec.json.schema_components([operation.query], ref_template=_REF)
    found = components[operation.query.__name__] if "$ref" in schema[0] else schema[0]
    about = _field_docs(operation.query)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in found.get("required", ()),
            "description": about.get(name, ""),
            "schema": _inlined(part, components),
        }
        for name, part in found["properties"].items()
    ]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in operation.headers.items()
    ]


def _body(operation: Operation, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.body is not None:
        content[JSON] = {"schema": schemas[_hashable(operation.body)]}
    content |= {media: {"schema": {}} for media in operation.consumes}
    if operation.forms:
        content |= {form: {"schema": {"type": "object"}} for form in FORMS}
    return {"content": content, "required": False}


def _responses(operation: Operation, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, kind in operation.answers.items():
        response: dict[str, Any] = {"description": operation.summary}
        content = {} if kind is None else {JSON: {"schema": schemas[_hashable(kind)]}}
        content |= {media: {"schema": {"type": "string"}} for media in operation.produces}
        if content:
            response["content"] = content
        found[str(status)] = response
    problem = {PROBLEM_JSON: {"schema": schemas[Problem]}}
    for status, text in sorted({**_usual_errors(operation), **operation.errors}.items()):
        found.setdefault(str(status), {"description": text, "content": problem})
    return found


def _links(operation: Operation, others: Iterable[Operation]) -> dict[int, dict[str, Any]]:
    """Where a client can go on with what was just made: operations that take its id in their path."""
    if operation.method != "POST":
        return {}
    found: dict[int, dict[str, Any]] = {}
    for status, kind in operation.answers.items():
        fields = _fields(kind)
        links = {
            other.name: {
                "operationId": other.name,
                "parameters": {name: f"$response.body#/{name}" for name in other.placeholders},
            }
            for other in others
            if other.placeholders and fields.issuperset(other.placeholders)
            if "name" not in other.placeholders or other.path.startswith(f"{operation.path}/")
            if "id" not in other.placeholders or other.path.startswith(f"{operation.path}/")
        }
        if links:
            found[status] = links
    return found


def _fields(kind: Any) -> frozenset[str]:
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return frozenset(kind.__struct_fields__) if is_struct else frozenset()


def _usual_errors(operation: Operation) -> dict[int, str]:
    """The statuses that go with what an operation is, whatever it does."""
    statuses = {503}
    if operation.query is not None or operation.body is not None or operation.headers:
        statuses.add(400)
    if not operation.open:
        statuses |= {401, 403}
    if operation.body is not None or operation.consumes:
        statuses |= {413, 415, 422}
    return {status: _COMMON_ERRORS[status] for status in statuses}


def _types(operation: Operation) -> Iterable[Any]:
    yield Problem
    if operation.body is not None:
        yield operation.body
    yield from (kind for kind in operation.answers.values() if kind is not None)


def _hashable(kind: Any) -> Any:
    return kind if not get_args(kind) else str(kind)


def _inlined(schema: dict[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's schema without references: tools read those of parameters badly."""
    if "$ref" in schema:
        return dict(components[schema["$ref"].rpartition("/")[2]])
    if "items" in schema:
        return {**schema, "items": _inlined(schema["items"], components)}
    return schema


def _plain_path(path: str) -> str:
    """The path as OpenAPI writes it: without Starlette's convertors."""
    return path.replace(":path}", "}")


def _field_docs(struct: type) -> dict[str, str]:
    """What a struct's docstring says of each of its fields, such as `limit: runs of a page.`."""
    text = " ".join((inspect.getdoc(struct) or "").split())
    found: dict[str, str] = {}
    names = {field.encode_name for field in msgspec.structs.fields(struct)}
    for sentence in text.split(". "):
        head, mark, about = sentence.partition(": ")
        listed = [name.strip() for name in head.split(",")]
        if mark and all(name in names for name in listed):
            found |= dict.fromkeys(listed, f"{about[:1].upper()}{about[1:].rstrip(chr(46))}.")
    return found
