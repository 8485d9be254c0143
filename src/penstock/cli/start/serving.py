"""Serving a namespace, from the opening of the store to the last word."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, nullcontext
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, cast

import msgspec

from penstock.cli.app import App
from penstock.cli.debug.lines import above_the_prompt, piped_lines, typed_lines
from penstock.cli.debug.session import Session
from penstock.cli.exits import Exit
from penstock.cli.signals import LEAVE, leave, leave_at_once, signals
from penstock.cli.start.applying import Applying
from penstock.cli.start.log_lines import LogLines
from penstock.cli.start.screen import Screen
from penstock.cli.start.sources import Sources
from penstock.core.errors import PenstockError
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.values import Values
from penstock.engine.collector import settle
from penstock.engine.observer import together
from penstock.engine.resident.resident import Resident
from penstock.engine.runtime import Runtime
from penstock.store.vault import Vault
from penstock.telemetry.health import loader_follows, store_answers
from penstock.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from penstock.cli.start.view import View
    from penstock.engine.flow import Flow
    from penstock.engine.redaction import Redactor
    from penstock.telemetry.log_output import Format

CUT_SECONDS: Final = 0.1
"""How often what begins although its time is up is ended."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for.

    variables: texts for the templates of all specs. drain_seconds: how long what is under way
    may go on when everything is to end.
    """

    namespace: str
    paths: tuple[str, ...] = ()
    watch: bool = False
    debug: bool = False
    variables: Mapping[str, str] = {}
    drain_seconds: float = 10.0


def serve(app: App, order: Order) -> Exit:
    """Serve until a signal ends it. Raises PenstockError when it cannot begin."""
    with _streams(app, order), asyncio.Runner(loop_factory=loop_factory()) as runner:
        code = runner.run(Serving(app, order).run())
    return leave(code)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fastest event loop there is."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


class Serving:
    """One `penstock start`. What else is to be served beside the graph, a subclass says.

    measures: whether there are metrics in any case, and not only for --observe.
    """

    measures: ClassVar[bool] = False

    def __init__(self, app: App, order: Order) -> None:
        self._app = app
        self._order = order
        self._loader = app.loader(namespace=order.namespace)
        self._given = dict(self._loader.values)
        self._store = app.open_store()
        self._specs = Specs(self._store, scheme=self._loader.scheme)
        self._values = Values(self._store, vault=Vault(app.keys()))
        self._view = _view(app, order.namespace)
        self._session = Session(self._say) if order.debug else None
        self._telemetry = self._make_telemetry()
        self._resident: Resident | None = None
        self._stop = asyncio.Event()
        self._was_cut = False

    async def run(self) -> Exit:
        """Serve until a signal comes, and bring what is under way to its end."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._signals())
            await stack.enter_async_context(self._telemetry)
            for host, port in self._telemetry.addresses:
                self._view.observed(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            await self._store.open()
            stack.push_async_callback(self._store.close)
            applying = self._applying()
            if self._order.paths:
                await applying.once()
            runtime = await stack.enter_async_context(self._make_runtime())
            self._resident = self._make_resident(runtime)
            async with self._resident, self._beside(runtime, self._resident):
                settle()
                self._telemetry.health.serve()
                helpers: list[asyncio.Task[None]] = []
                if self._order.watch:
                    helpers.append(runtime.own(applying.after_each_save(), "penstock:watch"))
                if self._session is not None:
                    helpers.append(runtime.own(self._converse(self._session), "penstock:debug"))
                await self._stopped(helpers)
                if self._session is not None:
                    self._session.debugger.detach()
                cutting = runtime.own(self._cut_short(self._resident), "penstock:cut")
            cutting.cancel()
        return Exit.CANCELLED if self._was_cut else Exit.COMPLETED

    # --- the parts ------------------------------------------------------------------

    def _make_telemetry(self) -> Telemetry:
        settings, console = self._app.settings, self._app.console
        trace = {"true": True, "false": False}.get(settings["trace"])
        return Telemetry(
            log=_log_format(self._app),
            level=settings["log_level"],
            stream=console.stderr,
            color=console.coloured(console.stderr),
            observe=settings["observe"],
            trace=trace,
            measure=self.measures,
            secrets=self._secrets,
        )

    def _beside(
        self,
        runtime: Runtime,  # noqa: ARG002 - for those who serve more
        resident: Resident,  # noqa: ARG002
    ) -> AbstractAsyncContextManager[object]:
        """What is served as long as the graph is."""
        return nullcontext()

    def _secrets(self) -> Redactor | None:
        return None if self._resident is None else self._resident.roots.flow.redactor

    def _applying(self) -> Applying:
        return Applying(
            Sources(self._order.paths),
            specs=self._specs,
            namespace=self._order.namespace,
            view=self._view,
        )

    def _make_runtime(self) -> Runtime:
        observers = (self._telemetry.observer, self._session, self._view)
        return Runtime(
            self._store,
            loader=self._loader,
            flows=self._flows(),
            observer=together(*(each for each in observers if each is not None)),
            inspector=None if self._session is None else self._session.debugger,
            values_of=self._values.payloads,
            executors=self._app.executors(),
            files=self._app.files(),
        )

    def _flows(self) -> Sequence[Flow]:
        """Flows that are known by what they are, besides the specs of the namespace."""
        return ()

    def _make_resident(self, runtime: Runtime) -> Resident:
        resident = Resident(
            runtime,
            self._order.namespace,
            values=self._values,
            given=self._given,
            env=self._order.variables,
        )
        self._view.follow(resident)
        if self._session is not None:
            self._session.attend(resident, self._specs)
        self._telemetry.health.add("store", store_answers(self._store))
        follows = loader_follows(self._store, reached=resident.reached)
        self._telemetry.health.add("loader", follows)
        return resident

    async def _converse(self, session: Session) -> None:
        """Debug until there are no more commands, and let that be the end of everything."""
        await session.converse(
            typed_lines(session.complete) if _has_prompt(self._app) else piped_lines(sys.stdin.fileno())
        )
        self._begin_to_stop()

    def _say(self, text: str) -> None:
        """Show what the debugger has to say; where nobody reads it any more, that is the end."""
        try:
            self._app.console.out(text)
        except (OSError, PenstockError):
            self._begin_to_stop()

    # --- the end ----------------------------------------------------------------------

    async def _stopped(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        """Return when the word to stop has come. What goes wrong with a helper is raised."""
        stop = asyncio.ensure_future(self._stop.wait())
        waiting = {stop, *helpers}
        try:
            while not self._stop.is_set():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()
        finally:
            stop.cancel()

    def _signals(self) -> AbstractContextManager[None]:
        handlers = {number: partial(self._heed, number) for number in (signal.SIGINT, *LEAVE)}
        return signals(handlers, stuck=self._say_stuck)

    def _heed(self, number: signal.Signals) -> None:
        if number.name == "SIGHUP":
            self._app.console.hang_up()
        if self._stop.is_set():
            leave_at_once(Exit.CANCELLED)
        self._begin_to_stop()

    def _begin_to_stop(self) -> None:
        if not self._stop.is_set():
            self._telemetry.health.drain()  # first of all, so that nobody sends new work here
            self._stop.set()
            self._view.stopping()

    def _say_stuck(self) -> None:
        self._app.console.say("left at once; recorded runs go on at the next start")

    async def _cut_short(self, resident: Resident) -> None:
        """End what is still under way when its time is up, and what begins even then."""
        await asyncio.sleep(self._order.drain_seconds)
        while True:
            self._was_cut |= resident.cut()
            await asyncio.sleep(CUT_SECONDS)


def _streams(app: App, order: Order) -> AbstractContextManager[None]:
    """What is told goes above the debugger's prompt, where there is one."""
    return above_the_prompt() if order.debug and _has_prompt(app) else nullcontext()


def _has_prompt(app: App) -> bool:
    return app.console.interactive and sys.stdin.isatty() and sys.stdout.isatty()


def _log_format(app: App) -> Format | None:
    """How log lines look; None where a person is to see the screen instead."""
    wanted = app.settings["log"]
    if wanted == "auto":
        return None if app.console.interactive else "pretty"
    return cast("Format", wanted)


def _view(app: App, namespace: str) -> View:
    if _log_format(app) is None:
        return Screen(app.console, namespace)
    return LogLines(namespace, stream=app.console.stderr)
