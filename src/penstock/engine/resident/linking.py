"""Linking: which nodes of a namespace can be active together, and what their links mean."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from penstock.core.graph import find_cycle
from penstock.core.problems import Problem
from penstock.core.spec import FlowSpec, Link, NodeSpec
from penstock.document.findings import Findings
from penstock.engine.calls import check_calls
from penstock.engine.feeding import check_feeds
from penstock.engine.wiring import Wiring

if TYPE_CHECKING:
    from penstock.engine.interface import Interface
    from penstock.engine.resident.draft import Draft

LIFE_PORTS: Final = ("init", "term")
"""Out-ports that every node of a resident graph has: called when it is loaded, and before it goes."""


class Verdict(msgspec.Struct, frozen=True):
    """What linking says of one node.

    links: resolved to keys and ports. needs: everything that must be active for it to be.
    problems: what is wrong with its links. missing: what it links to and is not there.
    """

    links: tuple[Link, ...] = ()
    life: tuple[Link, ...] = ()
    needs: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def fit(self) -> bool:
        return not self.problems and not self.missing


def link(drafts: Mapping[str, Draft]) -> dict[str, Verdict]:
    """The verdict on each draft that has a node, as if all of these were the whole namespace."""
    specs = {
        key: draft.spec
        for key, draft in drafts.items()
        if draft.spec is not None and draft.node is not None
    }
    by_id = {spec.id: key for key, spec in specs.items() if spec.id}
    missing: dict[str, tuple[str, ...]] = {}
    present: dict[str, NodeSpec] = {}
    life: dict[str, list[Link]] = {key: [] for key in specs}
    for key, spec in specs.items():
        resolved = [_settled(each, drafts, by_id) for each in spec.links]
        missing[key] = tuple(dict.fromkeys(each.node for each in resolved if each.node not in drafts))
        life[key] = [each for each in resolved if each.port in LIFE_PORTS and each.node in specs]
        kept = tuple(
            msgspec.structs.replace(each, at=(key, *each.at))
            for each in resolved
            if each.node in specs and each.port not in LIFE_PORTS
        )
        present[key] = msgspec.structs.replace(
            spec, name=key, id="", links=kept, at=(key,), config_at=(key,), kind_at=(key,)
        )
    wiring, findings = _wire(drafts, present)
    _check_circles(wiring, life, findings)
    problems = _by_key(findings.problems)
    return {
        key: Verdict(
            links=tuple(wiring.outgoing[key]),
            life=tuple(_landed(each, wiring) for each in life[key]),
            needs=_needs(drafts[key], (_settled(each, drafts, by_id) for each in specs[key].links)),
            problems=tuple(problems.get(key, ())),
            missing=missing[key],
        )
        for key in specs
    }


def check_links(nodes: Iterable[tuple[NodeSpec, Interface]], findings: Findings) -> None:
    """Report the links between these nodes that cannot be followed.

    Other nodes of their namespace may be elsewhere, so a link to one that is not here is no
    mistake, nor is a port that nothing here feeds.
    """
    by_key = {spec.key: (spec, face) for spec, face in nodes if spec.key}
    by_id = {spec.id: key for key, (spec, _) in by_key.items() if spec.id}
    specs = {key: spec for key, (spec, _) in by_key.items()}
    present = []
    for key, spec in specs.items():
        links = (_settled(each, specs, by_id) for each in spec.links)
        kept = tuple(each for each in links if each.node in specs and each.port not in LIFE_PORTS)
        present.append(msgspec.structs.replace(spec, name=key, id="", links=kept))
    faces = {key: face for key, (_, face) in by_key.items()}
    Wiring(FlowSpec(name="namespace", nodes=tuple(present)), faces, findings)


def active(verdicts: Mapping[str, Verdict]) -> set[str]:
    """The largest set of fit nodes that need nothing outside of it."""
    found = {key for key, verdict in verdicts.items() if verdict.fit}
    needed_by: dict[str, list[str]] = {}
    for key in verdicts:
        for need in verdicts[key].needs:
            needed_by.setdefault(need, []).append(key)
    gone = [key for key in needed_by if key not in found]
    while gone:
        for key in needed_by.get(gone.pop(), ()):
            if key in found:
                found.discard(key)
                gone.append(key)
    return found


def _settled(each: Link, keys: Container[str], by_id: Mapping[str, str]) -> Link:
    """A link by key, where it names an id. A name goes before the id of another node."""
    if each.node in keys or each.node not in by_id:
        return each
    return msgspec.structs.replace(each, node=by_id[each.node])


def _needs(draft: Draft, links: Iterable[Link]) -> tuple[str, ...]:
    called = (name for name in draft.calls if ":" not in name and name != draft.key)
    return tuple(dict.fromkeys((*(each.node for each in links), *called)))


def _wire(drafts: Mapping[str, Draft], present: Mapping[str, NodeSpec]) -> tuple[Wiring, Findings]:
    """The wiring of what is there. A node in a circle has no other problems."""
    findings = Findings(most=sys.maxsize)  # one that is not told would make its node fit
    faces = {key: face for key in present if (face := drafts[key].face) is not None}
    whole = FlowSpec(name="namespace", nodes=tuple(present.values()))
    wiring = Wiring(whole, faces, findings)
    findings.next_stage()
    wiring.drop_loose()  # a wrong link is its source's mistake, and nobody else's
    # A node that nothing links to is reached by nobody, so nothing needs to feed it.
    inputs: dict[str, dict[str, Any]] = {
        port: {} for key in wiring.entries for port in faces[key].inputs
    }
    check_feeds(msgspec.structs.replace(whole, inputs=inputs), wiring)
    check_calls(wiring, shared=True)
    return wiring, findings


def _landed(each: Link, wiring: Wiring) -> Link:
    """A life link by the port of its target rather than another name for it."""
    return msgspec.structs.replace(each, to=wiring.faces[each.node].target(each.to))


def _check_circles(wiring: Wiring, life: Mapping[str, Iterable[Link]], findings: Findings) -> None:
    """Report the circles behind the first one, and those that `init` and `term` close."""
    edges = {key: [*found, *(each.node for each in life[key])] for key, found in wiring.edges.items()}
    told: set[str] = {str(problem.path[0]) for problem in findings.problems if problem.path}
    while (cycle := find_cycle(edges)) is not None:
        for key in cycle[:-1]:
            edges[key] = []
            if key not in told:
                told.add(key)
                findings.report(
                    f"the links go round in a circle: {' → '.join(cycle)}",
                    (key, "links"),
                    hint="to repeat something, call it from a `loop` or a `retry`",
                )


def _by_key(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """The problems of each node, with paths inside its own document."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        key, *path = problem.path
        found.setdefault(str(key), []).append(msgspec.structs.replace(problem, path=tuple(path)))
    return found
