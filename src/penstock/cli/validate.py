"""`penstock validate`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.exits import Exit
from penstock.core.errors import DocumentError, PenstockError
from penstock.core.problems import Problem, format_path
from penstock.document.reader import Document

if TYPE_CHECKING:
    from penstock.engine.flow import Flow
    from penstock.engine.loading import Loader

SOURCES: Final = {"python": "Python", "crew": "CrewAI", "graph": "a document"}


@click.command()
@click.argument("references", metavar="FILE…", nargs=-1, required=True, type=click.Path())
@options.kinds
@options.values
@options.as_json
@options.debug
@options.color
@pass_app
def validate(app: App, references: tuple[str, ...], *, as_json: bool) -> Exit:
    """Check documents without running them, and show every problem of all of them.

    A FILE may also name Python flows: module:object, a module, or file.py.
    """
    loader = app.loader()
    found = {reference: _check(loader, reference) for reference in references}
    problems = {reference: problems for reference, (problems, _) in found.items() if problems}
    if as_json:
        from penstock.cli.results import print_json

        plain = [_plain(reference, one) for reference in problems for one in problems[reference]]
        print_json(app.console, plain)
        return Exit.USAGE if problems else Exit.COMPLETED
    for reference, (wrong, summary) in found.items():
        if not wrong:
            app.console.say(f"{app.console.style('✓', 'green')} {reference}: {summary}")
        for problem in wrong:
            app.console.say(f"{app.console.style('✗', 'red')} {problem}\n")
    if problems:
        count = sum(map(len, problems.values()))
        app.console.error(
            f"{count} problem{'s' * (count > 1)} in {len(problems)} of {len(references)} files"
        )
    return Exit.USAGE if problems else Exit.COMPLETED


def _check(loader: Loader, reference: str) -> tuple[list[Problem], str]:
    """The problems of a document, and what it holds when there are none."""
    try:
        if reference.endswith(".py") or not os.path.exists(reference):  # noqa: PTH110 - any text
            flows = loader.flows_of(reference) or [loader.load(reference)]  # which says what is missing
            return [], "; ".join(map(_named, flows))
        document = loader.check(reference)
        if not isinstance(document, Document):
            return [], _named(document)
    except DocumentError as error:
        return list(error.problems), ""
    except PenstockError as error:
        return [Problem(error.message, hint=error.remedy)], ""
    holds = [f"flow `{flow.name}`, {_count(len(flow.nodes), 'node')}" for flow in document.flows]
    if document.nodes:
        holds.append(f"{_count(len(document.nodes), 'spec')} of a resident graph")
    return [], "; ".join(holds)


def _named(flow: Flow) -> str:
    return f"flow `{flow.name}` ({SOURCES[flow.source]})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _plain(reference: str, problem: Problem) -> dict[str, Any]:
    found: dict[str, Any] = {"file": reference, "message": problem.message}
    if problem.place is not None:
        found |= {
            "file": problem.place.file,
            "line": problem.place.line,
            "column": problem.place.column,
        }
    if problem.path:
        found["path"] = format_path(problem.path)
    if problem.hint:
        found["hint"] = problem.hint
    return found
