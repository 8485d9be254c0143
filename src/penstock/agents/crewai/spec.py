"""What a document says of a crew."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from penstock.core.problems import Path
from penstock.core.spec import Settings


class Process(StrEnum):
    """How the tasks are handed out: one after the other, or by a manager."""

    SEQUENTIAL = "sequential"
    HIERARCHICAL = "hierarchical"


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A language model. api_key_env: the environment variable that holds its key.

    options: what else the framework's `LLM` takes, such as `max_tokens`.
    """

    model: str
    base_url: str = ""
    api_key_env: str = ""
    options: dict[str, Any] = {}


class AgentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One agent. tools: references to Python objects. options: as the framework's `Agent` has them."""

    name: str
    role: str
    goal: str
    backstory: str
    model: ModelSpec | None = None
    tools: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    at: Path = ()


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One task. agent: who does it; empty where the manager decides. context: whose answers it gets.

    output: the JSON Schema of its answer, when that is to be data rather than text.
    """

    name: str
    description: str
    expected_output: str
    agent: str = ""
    context: tuple[str, ...] | None = None
    tools: tuple[str, ...] = ()
    human_input: bool = False
    output: dict[str, Any] | None = None
    options: dict[str, Any] = {}
    at: Path = ()


class CrewSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A crew. manager: the agent that hands out the tasks; else one is made with manager_model."""

    name: str
    description: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    inputs: dict[str, dict[str, Any]] = {}
    required: tuple[str, ...] = ()
    process: Process = Process.SEQUENTIAL
    model: ModelSpec | None = None
    manager: str = ""
    manager_model: ModelSpec | None = None
    agents: tuple[AgentSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    settings: Settings = Settings()
    options: dict[str, Any] = {}

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the mapping that launches it."""
        schema: dict[str, Any] = {"type": "object", "properties": dict(self.inputs)}
        if self.required:
            schema["required"] = list(self.required)
        return schema

    @property
    def output_schema(self) -> dict[str, Any]:
        """That of its result: the answer of its last task."""
        last = self.tasks[-1]
        return last.output or {"type": "string", "description": last.expected_output}
