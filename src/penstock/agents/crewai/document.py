"""Crews, as documents write them: agents, tasks, and the process that hands them out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Final

from penstock.agents.crewai.spec import AgentSpec, CrewSpec, ModelSpec, Process, TaskSpec
from penstock.core.problems import suggest
from penstock.core.spec import NAME
from penstock.document.fields import Fields
from penstock.document.findings import quote
from penstock.document.flows import read_inputs
from penstock.document.policies import read_settings

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.document.findings import Findings

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)}")
"""Where an input's value goes in a text, as the framework has it."""

_MODEL_OPTIONS: Final = (
    "api_version", "frequency_penalty", "max_completion_tokens", "max_retries", "max_tokens",
    "presence_penalty", "reasoning_effort", "seed", "stop", "stream", "temperature", "timeout", "top_p",
)  # fmt: skip
_FLAGS: Final = {
    "agent": (
        "allow_delegation", "cache", "inject_date", "multimodal", "reasoning",
        "respect_context_window", "use_system_prompt", "verbose",
    ),
    "task": ("async_execution", "markdown"),
    "crew": ("cache", "memory", "planning", "verbose"),
}  # fmt: skip
_WHOLES: Final = {
    "agent": ("max_execution_time", "max_iter", "max_reasoning_attempts", "max_retry_limit", "max_rpm"),
    "task": ("guardrail_max_retries",),
    "crew": ("max_rpm",),
}
_TEXTS: Final = {
    "agent": ("date_format", "prompt_template", "response_template", "system_template"),
    "task": ("guardrail", "output_file"),
    "crew": (),
}
_KEY_HINT: Final = (
    "a key is no part of a document: write `api_key_env: NAME` with the variable that holds it"
)


def read_crew(data: dict[str, Any], file: str, findings: Findings) -> CrewSpec:
    """The crew of a document. What is wrong with it goes to `findings`."""
    fields = Fields(data, (), findings)
    agents = tuple(_read_agent(*entry) for entry in _entries(fields, "agents"))
    tasks = tuple(_read_task(*entry) for entry in _entries(fields, "tasks"))
    inputs, required = _inputs(fields, agents, tasks)
    process = fields.choice("process", Process) or Process.SEQUENTIAL
    spec = CrewSpec(
        name=fields.name("crew") or _name_of(file),
        description=fields.text("description"),
        author=fields.text("author"),
        tags=fields.texts("tags"),
        inputs=inputs,
        required=required,
        process=process,
        model=_read_model(fields, "llm"),
        manager=fields.text("manager"),
        manager_model=_read_model(fields, "manager_llm"),
        agents=agents,
        tasks=tasks,
        settings=read_settings(fields.below("settings")),
        options=_options(fields, "crew"),
    )
    fields.close(hints={"flow": "a crew is named with `crew:`", "name": "did you mean `crew`?"})
    _check(spec, fields)
    return spec


def _entries(fields: Fields, name: str) -> Iterator[tuple[str, Fields]]:
    """The entries of a mapping by name, or of a list whose entries say theirs."""
    value = fields.take(name)
    if not value and not isinstance(value, str | int | float):
        fields.missing(name, hint=f"a crew has at least one entry under `{name}`")
        return
    entries: list[tuple[str | int, Any]]
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    else:
        fields.findings.expected("a mapping by name", value, fields.at(name))
        return
    seen: set[str] = set()
    for key, entry in entries:
        at = (*fields.at(name), key)
        own = Fields.of(entry, at, fields.findings)
        called = own.name("name") if isinstance(key, int) else key
        if isinstance(key, int) and own.lacks("name"):
            own.missing("name")
        elif not NAME.fullmatch(called):
            hint = "a name holds letters, digits, `_` and `-`"
            fields.findings.report(f"{quote(called)} is not a name", at, hint=hint, at_key=True)
        elif called in seen:
            fields.findings.report(f"another entry is named {quote(called)}", (*at, "name"))
        seen.add(called)
        yield called, own


def _read_agent(name: str, fields: Fields) -> AgentSpec:
    spec = AgentSpec(
        name=name,
        role=_needed(fields, "role"),
        goal=_needed(fields, "goal"),
        backstory=_needed(fields, "backstory"),
        model=_read_model(fields, "llm"),
        tools=fields.texts("tools"),
        options=_options(fields, "agent"),
        at=fields.path,
    )
    fields.close(hints={"api_key": _KEY_HINT})
    return spec


def _read_task(name: str, fields: Fields) -> TaskSpec:
    output = fields.below("output").data if "output" in fields.data else None
    fields.asked["output"] = None
    spec = TaskSpec(
        name=name,
        description=_needed(fields, "description"),
        expected_output=_needed(fields, "expected_output"),
        agent=fields.text("agent"),
        context=fields.texts("context") if fields.data.get("context") is not None else None,
        tools=fields.texts("tools"),
        human_input=fields.flag("human_input", default=False),
        output=output,
        options=_options(fields, "task"),
        at=fields.path,
    )
    fields.asked["context"] = None
    fields.close()
    if output is not None:
        _check_output(output, fields)
    return spec


def _check_output(output: dict[str, Any], fields: Fields) -> None:
    from penstock.engine.input_schema import validator

    if output.get("type") != "object" or not isinstance(output.get("properties"), dict):
        hint = "write `type: object` and its `properties`"
        fields.report("output", "an answer that is data is an object", hint=hint)
        return
    try:
        validator(output)
    except ValueError as error:
        fields.report("output", f"this is no JSON Schema: {getattr(error, 'message', error)}")


def _read_model(fields: Fields, name: str) -> ModelSpec | None:
    """`openai/gpt-5-mini`, or a mapping with `model`, `base_url`, `api_key_env` and options."""
    value = fields.take(name)
    if value is None:
        return None
    if isinstance(value, str):
        return ModelSpec(model=value)
    own = Fields.of(value, fields.at(name), fields.findings, "a model, as in `openai/gpt-5-mini`")
    given = {option: own.take(option) for option in _MODEL_OPTIONS}
    spec = ModelSpec(
        model=_needed(own, "model"),
        base_url=own.text("base_url"),
        api_key_env=own.text("api_key_env"),
        options={option: item for option, item in given.items() if item is not None},
    )
    if "api_key" in own.data:
        own.asked["api_key"] = None
        own.report("api_key", "a document cannot hold a key", hint=_KEY_HINT, at_key=True)
    own.close()
    return spec


def _options(fields: Fields, of: str) -> dict[str, Any]:
    """What the framework takes as it is, each of its type."""
    found: dict[str, Any] = {}
    for name in _FLAGS[of]:
        if fields.take(name) is not None:
            found[name] = fields.flag(name, default=False)
    for name in _WHOLES[of]:
        if (number := fields.whole(name, least=0)) is not None:
            found[name] = number
    for name in _TEXTS[of]:
        if text := fields.text(name):
            found[name] = text
    return found


def _needed(fields: Fields, name: str) -> str:
    text = fields.text(name)
    if fields.lacks(name):
        fields.missing(name)
    return text


def _inputs(
    fields: Fields, agents: tuple[AgentSpec, ...], tasks: tuple[TaskSpec, ...]
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """The inputs, and which must be given: those that a text needs and that have no default."""
    inputs, required = read_inputs(fields)
    declared = bool(inputs)
    needed: dict[str, None] = dict.fromkeys(required)
    for path, text in _texts(agents, tasks):
        for name in PLACEHOLDER.findall(text):
            if declared and name not in inputs:
                hint = suggest(name, inputs)
                fields.findings.report(f"no input is named {quote(name)}", path, hint=hint)
            inputs.setdefault(name, {"type": "string"})
            if "default" not in inputs[name]:
                needed[name] = None
    return inputs, tuple(needed)


def _texts(agents: tuple[AgentSpec, ...], tasks: tuple[TaskSpec, ...]) -> Iterator[tuple[Path, str]]:
    for agent in agents:
        for name in ("role", "goal", "backstory"):
            yield (*agent.at, name), getattr(agent, name)
    for task in tasks:
        for name in ("description", "expected_output"):
            yield (*task.at, name), getattr(task, name)
        yield (*task.at, "output_file"), task.options.get("output_file", "")


def _check(spec: CrewSpec, fields: Fields) -> None:
    """Report what does not fit together."""
    agents = {agent.name for agent in spec.agents}
    hierarchical = spec.process is Process.HIERARCHICAL
    if spec.manager and spec.manager not in agents:
        fields.report(
            "manager", f"no agent is named {quote(spec.manager)}", hint=suggest(spec.manager, agents)
        )
    if hierarchical and not (spec.manager or spec.manager_model or spec.model):
        hint = "name an agent with `manager:`, or a model with `manager_llm:`"
        fields.report("process", "a hierarchical crew needs a manager", hint=hint)
    before: list[str] = []
    for task in spec.tasks:
        own = Fields({"agent": task.agent}, task.at, fields.findings)
        if task.agent and task.agent not in agents:
            own.report(
                "agent", f"no agent is named {quote(task.agent)}", hint=suggest(task.agent, agents)
            )
        elif not task.agent and not hierarchical:
            own.missing("agent", hint="only the manager of a hierarchical crew can choose one")
        _check_context(task, before, {other.name for other in spec.tasks}, fields.findings)
        before.append(task.name)


def _check_context(task: TaskSpec, before: list[str], names: set[str], findings: Findings) -> None:
    for index, name in enumerate(task.context or ()):
        path = (*task.at, "context", index)
        if name not in names:
            findings.report(f"no task is named {quote(name)}", path, hint=suggest(name, names))
        elif name not in before:
            findings.report(f"the task {quote(name)} comes later", path, hint="put it before this one")


def _name_of(file: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", FilePath(file).stem).strip("-") or "crew"


def tools_of(spec: CrewSpec) -> Mapping[Path, str]:
    """Every reference to a tool, by the place that it stands at."""
    holders: tuple[AgentSpec | TaskSpec, ...] = (*spec.agents, *spec.tasks)
    return {
        (*holder.at, "tools", index): tool
        for holder in holders
        for index, tool in enumerate(holder.tools)
    }
