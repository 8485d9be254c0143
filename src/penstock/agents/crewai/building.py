"""From documents to crews: a flow of what one says, and the framework's objects for a run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from penstock.agents.crewai.document import read_crew, tools_of
from penstock.agents.crewai.flow import CrewFlow, models_of
from penstock.agents.crewai.framework import load, require
from penstock.agents.crewai.spec import AgentSpec, CrewSpec, ModelSpec, Process, TaskSpec
from penstock.core.duration import Duration
from penstock.core.errors import DocumentError, PenstockError, SettingsError
from penstock.core.problems import suggest
from penstock.core.spec import decode_hook
from penstock.document.findings import Findings
from penstock.document.source import Source, place
from penstock.engine.scheme import import_module


def flow_of_document(source: Source) -> CrewFlow:
    """The flow of a document. Raises DocumentError with all that is wrong with it."""
    require()
    folder = Path(source.file).resolve().parent
    findings = Findings()
    spec = read_crew(source.data, source.file, findings)
    for path, reference in () if findings.problems else tools_of(spec).items():
        try:
            find_tool(reference, folder)
        except PenstockError as error:
            findings.report(error.message, path, hint=error.remedy)
    if findings.problems:
        raise DocumentError([*place(findings.problems, source), *findings.omitted()])
    return flow_of_spec(spec, folder)


def flow_of_spec(spec: CrewSpec, folder: Path) -> CrewFlow:
    """The flow of what a document says. folder: where it is."""
    data = msgspec.to_builtins(spec, enc_hook=Duration.total_seconds)
    text = msgspec.json.encode(data, order="deterministic")
    return CrewFlow(
        lambda: build(spec, folder),
        name=spec.name,
        revision=hashlib.blake2b(text, digest_size=16).hexdigest(),
        document={"crew": spec.name, "spec": data, "folder": str(folder)},
        input_schema=spec.input_schema,
        output_schema=spec.output_schema,
        description=spec.description,
        author=spec.author,
        tags=spec.tags,
        settings=spec.settings,
        release=close_connections,
    )


def restore(document: Mapping[str, Any]) -> CrewFlow:
    """The flow of a revision that the store kept."""
    spec = msgspec.convert(document["spec"], CrewSpec, dec_hook=decode_hook, strict=False)
    return flow_of_spec(spec, Path(document["folder"]))


def build(spec: CrewSpec, folder: Path | None) -> Any:
    """A fresh `Crew`. folder: where the Python files of its tools are looked for.

    Raises SettingsError for what is not there: a key, a tool.
    """
    crewai = load()
    agents = {agent.name: _agent(crewai, agent, spec, folder) for agent in spec.agents}
    tasks: dict[str, Any] = {}
    for task in spec.tasks:
        tasks[task.name] = _task(crewai, task, agents, tasks, folder)
    more: dict[str, Any] = dict(spec.options)
    if spec.process is Process.HIERARCHICAL:
        if spec.manager:
            more["manager_agent"] = agents.pop(spec.manager)
        else:
            more["manager_llm"] = _model(crewai, spec.manager_model or spec.model)
    if more.get("planning"):
        more["planning_llm"] = _model(crewai, spec.manager_model or spec.model)
    return crewai.Crew(
        name=spec.name,
        agents=list(agents.values()),
        tasks=list(tasks.values()),
        process=crewai.Process(spec.process.value),
        **more,
    )


def _agent(crewai: Any, agent: AgentSpec, spec: CrewSpec, folder: Path | None) -> Any:
    model = agent.model or spec.model
    more = dict(agent.options)
    if model is not None:
        more["llm"] = _model(crewai, model)
    tools = [find_tool(reference, folder) for reference in agent.tools]
    return crewai.Agent(role=agent.role, goal=agent.goal, backstory=agent.backstory, tools=tools, **more)


def _task(
    crewai: Any, task: TaskSpec, agents: dict[str, Any], before: dict[str, Any], folder: Path | None
) -> Any:
    more = dict(task.options)
    if task.context is not None:
        more["context"] = [before[name] for name in task.context]
    if task.output is not None:
        more["output_json"] = {"title": task.name, **task.output}
    return crewai.Task(
        name=task.name,
        description=task.description,
        expected_output=task.expected_output,
        agent=agents.get(task.agent),
        tools=[find_tool(reference, folder) for reference in task.tools],
        human_input=task.human_input,
        **more,
    )


def _model(crewai: Any, model: ModelSpec | None) -> Any:
    if model is None:
        return None
    more: dict[str, Any] = dict(model.options)
    if model.base_url:
        more["base_url"] = model.base_url
    if model.api_key_env:
        key = os.environ.get(model.api_key_env)
        if not key:
            raise SettingsError(
                f"the environment has no `{model.api_key_env}`, the key of the model `{model.model}`",
                remedy=f"export {model.api_key_env}=…",
            )
        more["api_key"] = key
    elif model.base_url and not os.environ.get("OPENAI_API_KEY"):
        more["api_key"] = "none"  # a server of one's own mostly wants none, but its client wants one
    try:
        return crewai.LLM(model=model.model, **more)
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"the model `{model.model}` cannot be used: {error}",
            remedy="write `provider/model`, and give its key and address",
        ) from error


def close_connections(crew: Any) -> None:
    """Close what the models of a crew have open to their servers, which would wait for the collector."""
    for model in models_of(crew):
        close = getattr(getattr(model, "_client", None), "close", None)
        if callable(close):
            close()


def find_tool(reference: str, folder: Path | None) -> Any:
    """The tool of `module:object` or `file.py:object`, which may be its class. Raises SettingsError."""
    module_name, _, attribute = reference.rpartition(":")
    if not module_name or not attribute:
        raise SettingsError(
            f"`{reference}` names no tool", remedy="write `module:object` or `file.py:object`"
        )
    if module_name.endswith(".py"):
        module_name = str((folder or Path()) / module_name)
    try:
        module = import_module(module_name)
    except PenstockError:
        raise
    except Exception as error:
        raise SettingsError(
            f"importing `{module_name}` failed: {type(error).__name__}: {error}", remedy="correct it"
        ) from error
    base = load("crewai.tools").BaseTool
    found = getattr(module, attribute, None)
    if isinstance(found, type) and issubclass(found, base):
        found = found()
    if not isinstance(found, base):
        tools = [name for name, item in vars(module).items() if isinstance(item, base)]
        raise SettingsError(
            f"`{reference}` is no tool of CrewAI",
            remedy=suggest(attribute, tools) or "make one with its `@tool`",
        )
    return found
