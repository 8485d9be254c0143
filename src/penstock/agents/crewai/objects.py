"""From the framework's objects to flows: what is shown of them, and how each run gets its own."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable
from types import CodeType, FunctionType
from typing import Any

from penstock.agents.crewai.document import PLACEHOLDER
from penstock.agents.crewai.flow import CrewFlow, Make
from penstock.agents.crewai.framework import load
from penstock.core.errors import PenstockError, SettingsError
from penstock.engine.docstrings import docstring_of
from penstock.engine.hints import schema_of
from penstock.engine.pyflow import fingerprint


def flow_of_object(item: Any, reference: str) -> CrewFlow:
    """The flow of a crew, of a flow, of a class of either, or of a function that makes one.

    reference: `module:object`. Raises SettingsError.
    """
    make = _maker(item, reference)
    sample = _made(make, reference)
    module = sys.modules.get(reference.partition(":")[0])
    file = str(getattr(module, "__file__", None) or "")
    about = item if isinstance(item, type) or inspect.isroutine(item) else type(item)
    flow = isinstance(sample, load().Flow)
    return CrewFlow(
        make,
        name=_name_of(reference),
        revision=_digest(reference, _shape(sample)),
        document={"crew": _name_of(reference), "reference": reference, "file": file},
        input_schema=_state_schema(sample) if flow else _placeholder_schema(sample),
        output_schema=None if flow else _output_schema(sample),
        description="" if about is load().Crew else docstring_of(about).summary,
        author=str(getattr(module, "__author__", "")),
    )


def _maker(item: Any, reference: str) -> Make:
    """Makes a crew or flow for one run of what was named: one of its own, as runs must not share it."""
    if isinstance(item, type):
        if getattr(item, "is_crew_class", False):
            return lambda: item().crew()
        return item
    if inspect.isroutine(item):
        needed = [
            parameter.name
            for parameter in inspect.signature(item).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        if needed:
            raise SettingsError(
                f"`{reference}` wants {', '.join(f'`{name}`' for name in needed)}, and gets nothing",
                remedy="name its class instead, or a function without parameters",
            )
        made: Make = item
        return made
    if isinstance(item, load().Crew):
        copied: Make = item.copy
        return copied
    given = {name: getattr(item, name) for name in item.model_fields_set}
    return lambda: type(item)(**given)


def _made(make: Make, reference: str) -> Any:
    """A sample of what is made, to look at. Raises SettingsError, whatever its code raises."""
    crewai = load()
    try:
        sample = make()
    except PenstockError:
        raise
    except Exception as error:
        raise SettingsError(
            f"making the crew of `{reference}` failed: {type(error).__name__}: {error}",
            remedy="correct it; with --debug the traceback is shown",
        ) from error
    if not isinstance(sample, crewai.Crew | crewai.Flow):
        raise SettingsError(
            f"`{reference}` gives a value of type `{type(sample).__name__}`, not a crew",
            remedy="return a `Crew` or a `Flow`",
        )
    return sample


def _placeholder_schema(crew: Any) -> dict[str, Any]:
    """The inputs of a crew: what stands in braces in its texts."""
    texts: list[str] = []
    for agent in (*crew.agents, *(task.agent for task in crew.tasks if task.agent)):
        texts += (agent.role, agent.goal, agent.backstory)
    for task in crew.tasks:
        texts += (task.description, task.expected_output, task.output_file or "")
    names = dict.fromkeys(name for text in texts for name in PLACEHOLDER.findall(text or ""))
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
    }
    return schema | {"required": list(names)} if names else schema


def _state_schema(flow: Any) -> dict[str, Any]:
    """The inputs of a flow: the fields of its state. One without a model takes whatever it is given."""
    state = flow.state
    if isinstance(state, dict):
        given = {name: {"default": value} for name, value in state.items() if name != "id"}
        return {"type": "object", "properties": given}
    schema = schema_of(type(flow._state))
    properties = {name: about for name, about in schema["properties"].items() if name != "id"}
    found = {"type": "object", "properties": properties}
    required = [name for name in schema.get("required", ()) if name != "id"]
    if required:
        found["required"] = required
    return found | {"$defs": schema["$defs"]} if "$defs" in schema else found


def _output_schema(crew: Any) -> dict[str, Any]:
    """The result of a crew: the answer of its last task."""
    last = crew.tasks[-1]
    model = last.output_pydantic or last.output_json
    if model is not None:
        return schema_of(model)
    return {"type": "string", "description": last.expected_output}


def _name_of(reference: str) -> str:
    return reference.rpartition(":")[2].rpartition(".")[2]


def _shape(sample: Any) -> str:
    """What a crew or flow does, as far as its texts and its code tell."""
    if isinstance(sample, load().Crew):
        parts: Iterable[str] = (item.key for item in (*sample.agents, *sample.tasks))
    else:
        codes = (_code(item) for item in vars(type(sample)).values())
        parts = (fingerprint(code) for code in codes if code is not None)
    return "\n".join(parts)


def _code(item: Any) -> CodeType | None:
    function = inspect.unwrap(getattr(item, "__func__", item)) if callable(item) else None
    return function.__code__ if isinstance(function, FunctionType) else None


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
