"""Finds the flows of CrewAI: in documents, and among the objects of modules."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

import msgspec

from penstock.agents.crewai.building import build, find_tool
from penstock.agents.crewai.document import PLACEHOLDER, is_crew, read_crew, tools_of
from penstock.agents.crewai.flow import CrewFlow, Make
from penstock.agents.crewai.framework import keep_quiet, load, require
from penstock.agents.crewai.spec import CrewSpec
from penstock.core.duration import Duration
from penstock.core.errors import DocumentError, PenstockError, SettingsError
from penstock.core.spec import decode_hook
from penstock.document.findings import Findings
from penstock.document.source import Source, place
from penstock.engine.docstrings import docstring_of
from penstock.engine.flow import Flow
from penstock.engine.hints import schema_of
from penstock.engine.pyflow import fingerprint
from penstock.engine.references import Modules

_MADE: Final = ("Crew", "Flow")
"""What the return hint of a function says that makes one."""


class CrewReader:
    """Makes flows of crews, and of the flows of CrewAI. See `penstock.engine.references.Reader`."""

    source = "crew"

    def prepare(self) -> None:
        keep_quiet()

    # --- objects ----------------------------------------------------------------------

    def knows(self, item: Any) -> bool:
        crewai: Any = sys.modules.get("crewai")
        if crewai is None or not hasattr(crewai, "Flow"):  # nobody has one of its objects
            return False
        if isinstance(item, type):
            own = item.__module__.partition(".")[0] != "crewai"
            return own and (
                issubclass(item, crewai.Flow) or getattr(item, "is_crew_class", False) is True
            )
        return isinstance(item, crewai.Crew | crewai.Flow)

    def makes(self, function: Any) -> bool:
        hint = getattr(function, "__annotations__", {}).get("return")
        name = hint if isinstance(hint, str) else getattr(hint, "__name__", "")
        return name.partition("[")[0].rpartition(".")[2] in _MADE

    def of_object(self, item: Any, reference: str) -> CrewFlow:
        make = _maker(item, reference)
        sample = _made(make, reference)
        module = sys.modules.get(reference.partition(":")[0])
        file = str(getattr(module, "__file__", None) or "")
        about = item if isinstance(item, type) or inspect.isroutine(item) else None
        flow = isinstance(sample, load().Flow)
        return CrewFlow(
            make,
            name=_name_of(reference),
            revision=_digest(reference, _shape(sample)),
            document={"crew": _name_of(reference), "reference": reference, "file": file},
            input_schema=_state_schema(sample) if flow else _placeholder_schema(sample),
            output_schema=None if flow else _output_schema(sample),
            description=docstring_of(about).summary if about is not None else "",
            author=str(getattr(module, "__author__", "")),
        )

    # --- documents --------------------------------------------------------------------

    def reads(self, data: Any) -> bool:
        return is_crew(data)

    def of_document(self, source: Source) -> CrewFlow:
        require()
        folder = Path(source.file).resolve().parent
        findings = Findings()
        findings.next_stage()
        spec = read_crew(source.data, source.file, findings)
        for path, reference in () if findings.problems else tools_of(spec).items():
            try:
                find_tool(reference, folder)
            except PenstockError as error:
                findings.report(error.message, path, hint=error.remedy)
        if findings.problems:
            raise DocumentError([*place(findings.problems, source), *findings.omitted()])
        return _of_spec(spec, folder)

    def restore(self, document: Mapping[str, Any]) -> Flow:
        if "spec" not in document:
            return Modules((self,)).restore(document)
        spec = msgspec.convert(document["spec"], CrewSpec, dec_hook=decode_hook, strict=False)
        return _of_spec(spec, Path(document["folder"]))


def _of_spec(spec: CrewSpec, folder: Path) -> CrewFlow:
    data = msgspec.to_builtins(spec, enc_hook=Duration.total_seconds)
    return CrewFlow(
        lambda: build(spec, folder),
        name=spec.name,
        revision=_digest(msgspec.json.encode(data, order="deterministic").decode()),
        document={"crew": spec.name, "spec": data, "folder": str(folder)},
        input_schema=spec.input_schema,
        output_schema=spec.output_schema,
        description=spec.description,
        author=spec.author,
        tags=spec.tags,
        settings=spec.settings,
    )


# --- what an object makes ---------------------------------------------------------------


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
            if parameter.default is parameter.empty and parameter.kind not in (2, 4)
        ]
        if needed:
            raise SettingsError(
                f"`{reference}` wants {', '.join(f'`{name}`' for name in needed)}, and gets nothing",
                remedy="name its class instead, or a function without parameters",
            )
        return item  # type: ignore[no-any-return]
    if isinstance(item, load().Crew):
        return item.copy  # type: ignore[no-any-return]
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
    function: Callable[..., Any] | Any = (
        inspect.unwrap(getattr(item, "__func__", item)) if callable(item) else item
    )
    return function.__code__ if isinstance(function, FunctionType) else None


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
