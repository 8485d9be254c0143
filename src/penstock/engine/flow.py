"""Flows: what can be run to completion."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from penstock.core.errors import InputError
from penstock.core.payload import Payload, normalise, to_json
from penstock.core.problems import Path, format_path
from penstock.core.spec import FlowSpec, Settings, to_document
from penstock.engine.input_schema import validator
from penstock.engine.instances import Instances
from penstock.engine.output_schema import output_schema
from penstock.engine.process import Process

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from penstock.engine.kind import Node
    from penstock.engine.live import LiveRun
    from penstock.engine.plan import Plan
    from penstock.engine.redaction import Redactor
    from penstock.engine.resources import Resources


class Flow(Protocol):
    """What the runtime asks of a flow, whatever it is made of.

    source: how `document` is to be read, `graph`, `python` or `crew`. revision: a digest; a run
    keeps the one it started with. document: what the store keeps so that any process can
    go on with a run. redactor: masks the secrets that it was compiled with, if it has any.
    output_schema: the JSON Schema of its result, or None where that cannot be told.
    """

    name: str
    namespace: str
    description: str
    author: str
    tags: tuple[str, ...]
    source: str
    revision: str
    settings: Settings

    @property
    def redactor(self) -> Redactor | None: ...

    @property
    def input_schema(self) -> dict[str, Any]: ...

    @property
    def output_schema(self) -> dict[str, Any] | None: ...

    def document(self) -> dict[str, Any]: ...

    def accept(self, inputs: Mapping[str, Any]) -> dict[str, Payload]:
        """The inputs as payloads, defaults filled in. Raises InputError."""
        ...

    async def load(self) -> None: ...

    async def unload(self) -> None: ...

    async def execute(self, run: LiveRun, inputs: Mapping[str, Payload]) -> Payload:
        """Bring a run to its result. Raises Failure."""
        ...

    async def execute_child(
        self,
        run: LiveRun,
        inputs: Mapping[str, Payload],
        path: str,
        *,
        around: Resources | None = None,
    ) -> Payload:
        """The same inside another flow's run, its firings named below `path`.

        around: what the process that calls it has open.
        """
        ...


class GraphFlow:
    """A flow made of nodes: a spec, its compiled plan, and the instances in it.

    nodes: the instances, each behind everything its links lead to. calls: the flows that they
    run as children. folder: where what its nodes refer to is looked for, when the flow came
    from a file.
    """

    source = "graph"

    def __init__(
        self,
        spec: FlowSpec,
        plan: Plan,
        nodes: tuple[Node, ...],
        *,
        revision: str,
        calls: tuple[Flow, ...] = (),
        folder: FilePath | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self.spec = spec
        self.redactor = redactor
        self.folder = folder
        self.plan = plan
        self._instances = Instances(nodes)
        self.calls = calls
        self.name = spec.name
        self.namespace = spec.namespace
        self.description = spec.description
        self.author = spec.author
        self.tags = spec.tags
        self.revision = revision
        self.settings = spec.settings

    @property
    def input_schema(self) -> dict[str, Any]:
        return self.spec.input_schema

    @functools.cached_property
    def output_schema(self) -> dict[str, Any] | None:
        """What the types of the ports tell of a result that the flow names."""
        return output_schema(self.plan)

    def document(self) -> dict[str, Any]:
        document = to_document(self.spec)
        return document if self.folder is None else document | {"folder": str(self.folder.resolve())}

    def accept(self, inputs: Mapping[str, Any]) -> dict[str, Payload]:
        return check_inputs(self.name, self.input_schema, inputs)

    async def load(self) -> None:
        """Load the instances, dependencies first; all of them or none."""
        await self._instances.load()

    async def unload(self) -> None:
        """Unload what was loaded, in reverse; the first error is raised when all is unloaded."""
        await self._instances.unload()

    async def execute(self, run: LiveRun, inputs: Mapping[str, Payload]) -> Payload:
        return await self.execute_child(run, inputs, "")

    async def execute_child(
        self,
        run: LiveRun,
        inputs: Mapping[str, Payload],
        path: str,
        *,
        around: Resources | None = None,
    ) -> Payload:
        strategy = self.settings.on_error.strategy
        process = Process(self.plan, run, path=path, on_error=strategy, around=around)
        return await process.launch(inputs)


def check_inputs(flow: str, schema: dict[str, Any], inputs: Mapping[str, Any]) -> dict[str, Payload]:
    """The inputs as payloads, defaults filled in; all that is wrong with them at once."""
    accepted: dict[str, Payload] = {}
    for name, value in inputs.items():
        accepted[name] = normalise(value)
    properties: dict[str, Any] = schema.get("properties", {})
    for name, about in properties.items():
        if name not in accepted and "default" in about:
            accepted[name] = about["default"]
    problems: list[tuple[Path, str]] = [
        ((name,), f"`{name}` is missing{_about(properties.get(name, {}))}")
        for name in schema.get("required", ())
        if name not in accepted
    ]
    checkable = {name: value for name, value in accepted.items() if properties.get(name)}
    if checkable:
        problems += _violations(schema, checkable)
    if problems:
        raise InputError(
            flow,
            [text for _, text in problems],
            paths=[path for path, _ in problems],
            remedy=_remedy(properties),
        )
    return accepted


def _about(schema: Mapping[str, Any]) -> str:
    parts = [str(schema[key]) for key in ("type", "description") if key in schema]
    return f" ({', '.join(parts)})" if parts else ""


def _remedy(properties: Mapping[str, Any]) -> str:
    if not properties:
        return ""
    named = " ".join(f"--set {name}=…" for name in properties)
    return f"give them with {named}, or all at once with --input"


def _violations(schema: Mapping[str, Any], inputs: Mapping[str, Payload]) -> list[tuple[Path, str]]:
    found = []
    for error in validator(schema).iter_errors(_plain(inputs)):
        path = tuple(error.instance_path)
        found.append((path, f"`{format_path(path)}`: {error.message}" if path else error.message))
    return found


def _plain(inputs: Mapping[str, Payload]) -> Any:
    """The inputs as JSON would have them: what a schema can speak of."""
    import msgspec

    return msgspec.json.decode(to_json(inputs))
