"""The parts of the document schema that do not depend on kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.core.policies import Backoff, Join, Record, Strategy
from penstock.core.spec import NAME
from penstock.document.policies import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def closed(properties: Mapping[str, Schema], description: str = "", **rest: Any) -> Schema:
    """A mapping with these fields and no others. An empty field counts as not given."""
    return {
        "type": ["object", "null"],
        **({"description": description} if description else {}),
        "properties": {name: optional(schema) for name, schema in properties.items()},
        "additionalProperties": False,
        **rest,
    }


def optional(schema: Schema) -> Schema:
    kind = schema.get("type")
    if isinstance(kind, str):
        return schema | {"type": [kind, "null"]}
    return schema if kind or not schema else {"anyOf": [schema, {"type": "null"}]}


def described(name: str, description: str) -> Schema:
    return {"$ref": f"#/$defs/{name}", "description": description}


def text(description: str) -> Schema:
    return {"type": "string", "description": description}


def choice(names: Iterable[str], description: str) -> Schema:
    return {"enum": [*names, None], "description": description, "type": ["string", "null"]}


def whole(description: str, least: int, most: int | None = None) -> Schema:
    bounds = {"minimum": least} if most is None else {"minimum": least, "maximum": most}
    return {"type": "integer", "description": description, **bounds}


def policies() -> dict[str, Schema]:
    codes = {"type": ["array", "string"], "items": {"type": "string"}}
    attempts = whole("How often in all, the first attempt included.", 1, 1_000_000)
    retry = {
        "attempts": attempts,
        "delay": described("duration", "The wait before the first retry."),
        "backoff": choice(Backoff, "How the wait grows from one retry to the next."),
        "factor": {"type": "number", "minimum": 1, "description": "Growth of an exponential backoff."},
        "max_delay": described("duration", "No wait is longer."),
        "jitter": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "Share drawn at random.",
        },
        "on": {**codes, "description": "Error codes worth another attempt; empty means all."},
        "unless": {**codes, "description": "Error codes not worth another attempt."},
    }
    on_error = {
        "strategy": choice(SPELLINGS, "What a failure that nothing caught does to the flow."),
        "type": choice(SPELLINGS, "Another word for `strategy`."),
        "max_retries": whole("How often `retry` starts again.", 0),
        "max_attempts": whole("How often the flow runs in all.", 1),
        "delay": described("duration", "The wait before it starts again."),
        "delay_ms": {"type": "number", "minimum": 0},
    }
    spellings = "|".join("[-_]?".join(f"[{c.lower()}{c.upper()}]" for c in name) for name in SPELLINGS)
    named = {"type": "string", "pattern": f"^({spellings})$"}
    nested = {
        "type": "object",
        "maxProperties": 1,
        "minProperties": 1,
        "patternProperties": {named["pattern"]: closed({**on_error})},
        "additionalProperties": False,
    }
    flat = closed(on_error, anyOf=[{"required": ["strategy"]}, {"required": ["type"]}])
    settings = {
        "timeout": described("duration", "The whole run takes no longer."),
        "max_parallel": whole("Nodes that run at a time.", 1),
        "on_error": ref("on_error"),
        "record": choice(Record, "How much of a run its journal keeps."),
        "executor": ref("executor"),
    }
    executor = {
        "kind": described("name", "The executor: `inline` or `subprocess`."),
        "memory": ref("size"),
        "timeout": described("duration", "The run keeps a worker no longer at a stretch."),
        "retries": whole("How often it goes on in another worker after it lost one.", 0),
    }
    return {
        "duration": {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": "^[ 0-9.]+|^[Pp]",
                    "examples": ["500ms", "30s", "5m", "1h30m"],
                },
                {"type": "number", "minimum": 0},
            ],
            "description": "A length of time: 500ms, 30s, 5m, 2h, 3d, 1h30m, PT5M, or seconds.",
        },
        "retry": {
            "anyOf": [attempts, closed(retry)],
            "description": "Try again after a failure: the number of attempts, or a policy.",
        },
        "on_error": {
            "anyOf": [{"enum": list(Strategy)}, named, flat, nested],
            "description": "What a failure that nothing caught does: stop, continue or retry.",
        },
        "size": {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": "^ *[0-9.]+ *([KkMmGgTt]?[Ii]?[Bb]?) *$",
                    "examples": ["512MiB", "2GiB", "500MB"],
                },
                {"type": "integer", "minimum": 1},
            ],
            "description": "A size: 512MiB, 2GiB, 500MB, or bytes.",
        },
        "executor": {
            "anyOf": [ref("name"), closed(executor, anyOf=[{"required": ["kind"]}])],
            "description": "Where runs are executed: `inline`, or `subprocess` for a worker process.",
        },
        "settings": closed(settings, "How the flow runs."),
    }


def parts() -> dict[str, Schema]:
    """Names, links and variables."""
    target = {
        "name": text("The node that the link goes to."),
        "id": text("The node that the link goes to, by id."),
        "port": {"type": "string", "description": "Its in-port.", "default": "in"},
    }
    one_of_them = [{"required": ["name"]}, {"required": ["id"]}]
    link = [{"type": "string", "minLength": 1}, closed(target, oneOf=one_of_them, type="object")]
    reference = {
        "name": text("The value document that the text comes from."),
        "id": text("The value document, by id."),
        "data": {"description": "A template for the text, as in `{{ .NAME }}`."},
    }
    return {
        "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
        "link": {
            "anyOf": [*link, {"type": "array", "items": {"anyOf": link}}, {"type": "null"}],
            "description": "Where packets go: `node` (its `in` port), `node.port`, or a list of those.",
        },
        "annotations": {"type": ["object", "null"], "description": "Notes for people and tools."},
        "env": {
            "type": ["object", "null"],
            "additionalProperties": closed(reference, type="object", minProperties=1),
            "description": "Variables for the templates in this node's config.",
        },
    }


REVISION: Final = "The revision in the store that this was made from; refused when there is a newer one."

COMMON: Final[dict[str, Any]] = {
    "id": text("Addresses the node when it has no name."),
    "name": described("name", "How links name this node."),
    "namespace": described("name", "The namespace that the node lives in."),
    "revision": {"type": "integer", "minimum": 0, "description": REVISION},
    "annotations": ref("annotations"),
    "env": ref("env"),
    "retry": ref("retry"),
    "timeout": described("duration", "One attempt takes no longer."),
    "join": choice(Join, "Whether every linked in-port must get a packet, or any."),
    "links": {"type": ["object", "null"], "description": "Out-port → where its packets go."},
    "ports": {"type": ["object", "null"], "description": "Another word for `links`."},
}
