"""Flows by their description alone: known here, while their code is only loaded where it runs.

So a host can serve a flow whose import it does not trust, or does not want to pay for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.errors import SettingsError
from penstock.core.payload import Payload
from penstock.core.spec import Settings, decode_hook, plain
from penstock.engine.flow import check_inputs
from penstock.engine.input_schema import validator

if TYPE_CHECKING:
    from penstock.engine.flow import Flow
    from penstock.engine.live import LiveRun
    from penstock.engine.resources import Resources

DESCRIBED = "described"
"""Where a kept document says what its flow is, for those who do not load it."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow says of itself; see `Flow`."""

    name: str
    namespace: str
    source: str
    revision: str
    document: dict[str, Any]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None = None
    description: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    settings: Settings = Settings()


def describe(flow: Flow) -> dict[str, Payload]:
    """The description of a flow, as plain data."""
    return plain(
        Description(
            name=flow.name,
            namespace=flow.namespace,
            source=flow.source,
            revision=flow.revision,
            document=flow.document(),
            input_schema=flow.input_schema,
            output_schema=flow.output_schema,
            description=flow.description,
            author=flow.author,
            tags=flow.tags,
            settings=flow.settings,
        )
    )


class DescribedFlow:
    """A flow whose runs are executed by what knows its code: never inline."""

    redactor = None
    """Whoever executes it masks what it tells."""

    def __init__(self, description: Description) -> None:
        self._about = description
        self.name = description.name
        self.namespace = description.namespace
        self.description = description.description
        self.author = description.author
        self.tags = description.tags
        self.source = description.source
        self.revision = description.revision
        self.settings = description.settings

    @classmethod
    def of(cls, data: Payload, *, executor: str) -> DescribedFlow:
        """The flow that `describe` told of, to be executed by this executor.

        Its revision is another one than that of the flow itself: whoever goes on with a run must
        not import the code either. Raises ValueError when the data is no description.
        """
        told = _read(data)
        validator(told.input_schema)
        text = f"{DESCRIBED} {executor} {told.revision}"
        return cls(
            msgspec.structs.replace(
                told,
                revision=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
                settings=msgspec.structs.replace(told.settings, executor=executor),
            )
        )

    @property
    def input_schema(self) -> dict[str, Any]:
        return self._about.input_schema

    @property
    def output_schema(self) -> dict[str, Any] | None:
        return self._about.output_schema

    def document(self) -> dict[str, Any]:
        """What loads the flow, and besides what it is called by those who do not."""
        about = msgspec.structs.replace(self._about, document={})
        return self._about.document | {DESCRIBED: plain(about)}

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> DescribedFlow:
        """The flow of a kept document that holds a description."""
        loads = {name: item for name, item in document.items() if name != DESCRIBED}
        return cls(_read({**document[DESCRIBED], "document": loads}))

    def accept(self, inputs: Mapping[str, Any]) -> dict[str, Payload]:
        return check_inputs(self.name, self.input_schema, inputs)

    async def load(self) -> None:
        """Nothing to load here."""

    async def unload(self) -> None:
        """Nothing to unload here."""

    async def execute(self, run: LiveRun, inputs: Mapping[str, Payload]) -> Payload:
        del run, inputs
        raise self._not_here()

    async def execute_child(
        self,
        run: LiveRun,
        inputs: Mapping[str, Payload],
        path: str,
        *,
        around: Resources | None = None,
    ) -> Payload:
        del run, inputs, path, around
        raise self._not_here()

    def _not_here(self) -> SettingsError:
        return SettingsError(
            f"the code of flow `{self.name}` is not loaded in this process",
            remedy="start a run of it, which a worker executes",
        )


def _read(data: Payload) -> Description:
    return msgspec.convert(data, Description, dec_hook=decode_hook)
