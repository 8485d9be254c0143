"""The inputs of a run, and candidates for its locks, from `--input` and `--set`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click


def read_inputs(source: str | None, pairs: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping that launches a flow. A `--set` wins over the same name in `--input`.

    source: JSON text, `@FILE` (JSON or YAML), or `-` for JSON on stdin.
    schema: the flow's input schema, which decides how the text of a `--set` is read.
    Raises click.UsageError.
    """
    inputs = _read_mapping(source) if source is not None else {}
    return inputs | _read_pairs(pairs, schema)


def read_value(source: str | None, pairs: Sequence[str], schema: Mapping[str, Any]) -> Any:
    """Any value: that of `--input`, or a mapping of the pairs; None without either.

    Where the schema wants text, `--input` may be that text as it is. Raises click.UsageError.
    """
    if pairs:
        return read_inputs(source, pairs, schema)
    if source is None:
        return None
    if source == "-" or source.startswith("@"):
        return _read_source(source)[0]
    return _typed("--input", source, schema)


def _read_pairs(pairs: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    found: dict[str, Any] = {}
    for pair in pairs:
        name, mark, text = pair.partition("=")
        if not mark or not name:
            raise click.UsageError(f"--set `{pair}` is not NAME=VALUE")
        found[name] = _typed(f"--set {name}", text, properties.get(name, {}))
    return found


def attached_files(inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with an `Attachment` for each path of a file, where the schema wants a file.

    Raises click.UsageError for a path at which there is none.
    """
    from penstock.core.problems import format_path
    from penstock.engine.attachment import Attachment
    from penstock.engine.file_places import at_place, file_places, replaced
    from penstock.engine.folder import is_reference

    found: Any = dict(inputs)
    for place in file_places(schema, inputs):
        value = at_place(inputs, place)
        if not isinstance(value, str) or is_reference(value):
            continue  # which the schema, or the flow, has something to say about
        path = Path(value).expanduser()
        if not path.is_file():
            raise click.UsageError(
                f"the input `{format_path(place)}` is a file, and there is no file `{value}`"
            )
        found = replaced(found, place, Attachment(path))
    attached: dict[str, Any] = found
    return attached


def _read_source(source: str) -> tuple[Any, str]:
    """What `--input` holds, and where it came from."""
    if source == "-":
        text, where = sys.stdin.read(), "stdin"
    elif source.startswith("@"):
        path = Path(source[1:])
        try:
            text, where = path.read_text("utf-8"), str(path)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise click.UsageError(f"--input {source} cannot be read: {reason}") from error
    else:
        text, where = source, "--input"
    return _read_yaml(text, where) if where.endswith((".yaml", ".yml")) else _read_json(
        text, where
    ), where


def _read_mapping(source: str) -> dict[str, Any]:
    value, where = _read_source(source)
    if not isinstance(value, dict):
        raise click.UsageError(
            f'{where} holds {_described(value)}, not a mapping of inputs; write {{"name": value}}'
        )
    return value


def _read_json(text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        hint = "; @FILE reads a file" if where == "--input" else ""
        raise click.UsageError(f"{where} is not valid JSON: {error.msg} at {place}{hint}") from error
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{where} is not valid JSON: {error}") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"JSON has no `{name}`")


def _read_yaml(text: str, where: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise click.UsageError(f"{where} is not valid YAML: {error}") from error


def _described(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")


def _typed(option: str, text: str, schema: Mapping[str, Any]) -> Any:
    """The value that the text of an option stands for, by the type that is declared."""
    declared = schema.get("type")
    allowed = {declared} if isinstance(declared, str) else set(declared or ())
    if allowed == {"string"}:
        return text
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if not allowed or "string" in allowed:
            return text
        expected = " or ".join(sorted(allowed))
        raise click.UsageError(f"{option}: `{text}` is not {expected}") from error
    if allowed and "string" in allowed and not _fits(value, allowed):
        return text
    if allowed and not _fits(value, allowed):
        raise click.UsageError(f"{option}: `{text}` is not {' or '.join(sorted(allowed))}")
    return value


def _fits(value: Any, allowed: set[str]) -> bool:
    match value:
        case None:
            return "null" in allowed
        case bool():
            return "boolean" in allowed
        case int():
            return bool(allowed & {"integer", "number"})
        case float():
            return "number" in allowed or ("integer" in allowed and value.is_integer())
        case list():
            return "array" in allowed
        case dict():
            return "object" in allowed
        case _:
            return "string" in allowed
