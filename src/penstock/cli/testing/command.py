"""The command `penstock test`: what is tested, and what is told of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.documents import files
from penstock.cli.exits import Exit

if TYPE_CHECKING:
    from penstock.cli.testing.outcome import Outcome
    from penstock.core.payload import Payload
    from penstock.engine.catalog.stored import StoredSpec


def _pattern(_: click.Context, __: click.Parameter, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise click.BadParameter(f"`{text}` is no regular expression: {error}") from error


@click.command()
@click.argument("pattern", metavar="[REGEX]", default="", callback=_pattern)
@files.option(required=False)
@options.namespace
@options.variables
@click.option(
    "--timeout",
    "limit_seconds",
    metavar="DURATION",
    default="1m",
    show_default=True,
    callback=options.as_seconds,
    help="How long a test may take.",
)
@options.as_json
@options.values
@options.kinds
@options.store
@options.debug
@options.color
@pass_app
def test(
    app: App,
    *,
    pattern: re.Pattern[str],
    files: tuple[str, ...],
    namespace: str,
    variables: dict[str, str],
    limit_seconds: float,
    as_json: bool,
) -> Exit:
    """Run the `test` nodes whose name matches REGEX, or all of them.

    The specs are those of a namespace of the store, or of the files of -f, which are not written
    to the store. Each test runs in a runtime of its own, without triggers, that records nothing.
    The exit code is 0 when all passed, and 1 when one failed.
    """
    outcomes = asyncio.run(
        _test(app, pattern, files, namespace, variables=variables, limit_seconds=limit_seconds)
    )
    if as_json:
        from penstock.cli.results import print_json

        print_json(app.console, [_plain(outcome) for outcome in outcomes])
    else:
        _print(app, outcomes)
    return Exit.COMPLETED if all(outcome.passed for outcome in outcomes) else Exit.FAILED


async def _test(
    app: App,
    pattern: re.Pattern[str],
    paths: Sequence[str],
    namespace: str,
    *,
    variables: dict[str, str],
    limit_seconds: float,
) -> list[Outcome]:
    from penstock.cli.testing.outcome import World, run_test
    from penstock.cli.testing.suite import Suite

    scheme = app.loader().scheme
    specs, values = await _read(app, paths, namespace)
    world = World(scheme=scheme, values=values, variables=variables, limit_seconds=limit_seconds)
    suites = [
        Suite(name, list(group), scheme) for name, group in groupby(specs, lambda spec: spec.namespace)
    ]
    chosen = [(suite, test) for suite in suites for test in suite.tests if pattern.search(test)]
    if not chosen:
        where = ", ".join(paths) or f"the namespace `{namespace or 'default'}`"
        matching = f" whose name matches `{pattern.pattern}`" if pattern.pattern else ""
        raise click.UsageError(f"there is no test{matching} in {where}")
    return [await run_test(suite, test, world) for suite, test in chosen]


async def _read(
    app: App, paths: Sequence[str], namespace: str
) -> tuple[list[StoredSpec], dict[str, Payload]]:
    """The specs by namespace, and the values that they may refer to."""
    from penstock.engine.catalog.specs import Specs
    from penstock.store import open_store

    if paths:
        specs = Specs(open_store("memory:"), scheme=app.scheme())
        await specs.apply(files.examine_specs(paths), namespace=namespace)
        return await specs.read(), app.values()
    from penstock.cli.documents.opening import opened

    async with opened(app) as store:
        found = await store.specs.read(namespace=namespace or "default")
        return found, app.values() | await store.values.payloads(namespace or "default")


def _print(app: App, outcomes: Sequence[Outcome]) -> None:
    from penstock.core.duration import format_seconds

    console, stdout = app.console, app.console.stdout
    for outcome in outcomes:
        mark, color = ("✓", "green") if outcome.passed else ("✗", "red")
        took = console.style(format_seconds(outcome.seconds), "dim", stream=stdout)
        console.out(f"{console.style(mark, color, stream=stdout)} {outcome.test}  {took}")
        if outcome.error is not None:
            console.out("\n".join(f"    {line}" for line in _told(outcome)))
    failed = sum(not outcome.passed for outcome in outcomes)
    count = f"{len(outcomes)} test{'s' * (len(outcomes) != 1)}"
    if failed:
        console.out(f"{count}, {console.style(f'{failed} failed', 'red', stream=stdout)}")
    else:
        console.out(f"{count}, all passed")


def _told(outcome: Outcome) -> list[str]:
    """Why a test failed, line by line; where, when it was not the test itself."""
    error = outcome.error
    assert error is not None, "it failed"
    where = [f"in {error.node}"] if error.node not in ("", outcome.test) else []
    remedy = error.remedy.splitlines() if error.code != "assertion" else []
    return [*error.message.splitlines(), *where, *remedy]


def _plain(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {
        "test": outcome.test,
        "namespace": outcome.namespace,
        "passed": outcome.passed,
        "duration_ms": round(outcome.seconds * 1000, 3),
    }
    return found if outcome.error is None else found | {"error": outcome.error.to_mapping()}
