"""Programs: flows whose execution is code of their own, with a context."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from penstock.core.errors import NonDeterminism, StoreError
from penstock.core.payload import Error, Payload, normalise
from penstock.engine.capture import captured
from penstock.engine.firing import Failure
from penstock.engine.resources import Resources
from penstock.engine.strand import STRAND, Context, Strand

if TYPE_CHECKING:
    from penstock.engine.live import LiveRun


class Program:
    """The part of such a flow that executes it. What its code prints becomes events of the run."""

    def call(self, context: Context, inputs: Mapping[str, Payload]) -> Awaitable[Any]:
        """What the code makes of inputs that were accepted."""
        raise NotImplementedError

    async def load(self) -> None:
        """Nothing to load: the code is there."""

    async def unload(self) -> None:
        """Nothing to unload."""

    async def invoke(self, context: Context, inputs: Mapping[str, Payload]) -> Payload:
        """Call the code with its context. Raises Failure."""
        strand = STRAND.set(Strand())
        try:
            with captured(context.stdout, context.stderr):
                return normalise(await self.call(context, inputs))
        except (NonDeterminism, StoreError):
            raise
        except (Exception, SystemExit) as error:
            raise Failure(Error.from_exception(error), error) from error
        finally:
            STRAND.reset(strand)

    # No coroutine of its own: whatever the code waits for goes through all those above it.
    def execute(self, run: LiveRun, inputs: Mapping[str, Payload]) -> Coroutine[Any, Any, Payload]:
        return self.execute_child(run, inputs, "")

    async def execute_child(
        self,
        run: LiveRun,
        inputs: Mapping[str, Payload],
        path: str,
        *,
        around: Resources | None = None,
    ) -> Payload:
        resources = Resources(run, around=around)
        run.begin_work()
        try:
            result = await self.invoke(Context(run, resources, path=path), inputs)
        except BaseException as error:
            await resources.release(error)
            raise
        finally:
            run.settle_down()
        try:
            await resources.release(None)
        except Exception as error:
            raise Failure(Error.from_exception(error), error) from error
        return result
