"""Specs in a store: applied, changed, deleted, taken back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.engine.shelved import names, read, told

from penstock.core.errors import DocumentError
from penstock.document.reader import examine
from penstock.engine.catalog.draft import Action, Prune
from penstock.engine.catalog.specs import Specs
from penstock.kinds import standard_scheme
from penstock.store.memory import MemoryStore

GRAPH = """
- {kind: debug.log, name: a, links: {out: b}}
- {kind: debug.log, name: b}
"""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def specs(store: MemoryStore) -> Specs:
    return Specs(store, scheme=standard_scheme())


async def refused(specs: Specs, text: str, **options: Any) -> str:
    with pytest.raises(DocumentError) as caught:
        await specs.apply(read(text), **options)
    return str(caught.value)


# --- applying -----------------------------------------------------------------


async def test_what_was_applied_is_read_as_it_was_written(specs: Specs) -> None:
    await specs.apply(read(GRAPH))

    a, b = await specs.read(namespace="default")
    assert a.document == {
        "id": a.id, "namespace": "default", "kind": "debug.log", "name": "a", "links": {"out": "b"},
    }  # fmt: skip
    assert (a.kind, a.revision, a.origin, b.name) == ("debug.log", 1, "graph.yaml", "b")


async def test_applying_twice_writes_once(specs: Specs, store: MemoryStore) -> None:
    await specs.apply(read(GRAPH))
    position = await store.position()

    assert told(await specs.apply(read(GRAPH))) == ["unchanged default/a@1", "unchanged default/b@1"]
    assert await store.position() == position


async def test_the_order_of_keys_is_no_change(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a, annotations: {x: 1, y: 2}}"))

    (change,) = await specs.apply(read("- {annotations: {y: 2, x: 1}, name: a, kind: debug.log}"))
    assert change.action is Action.UNCHANGED


async def test_the_order_of_links_is_a_change(specs: Specs) -> None:
    text = "- {kind: snippet, name: a, language: cel, code: self, links: {out: b, error: c}}"
    await specs.apply(read(text))

    (change,) = await specs.apply(read(text.replace("out: b, error: c", "error: c, out: b")))
    assert change.action is Action.UPDATED


async def test_true_is_not_one(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a, message: 1}"))

    (change,) = await specs.apply(read("- {kind: debug.log, name: a, message: true}"))
    assert change.action is Action.UPDATED


async def test_a_spec_without_a_name_is_the_one_that_says_the_same(specs: Specs) -> None:
    text = "- {kind: debug.log}\n- {kind: debug.log}\n- {kind: debug.log, message: x}"
    first = await specs.apply(read(text))

    assert len({change.id for change in first}) == 3
    assert {change.action for change in await specs.apply(read(text))} == {Action.UNCHANGED}
    assert len(await specs.read()) == 3


async def test_an_id_stays_when_the_name_changes(specs: Specs) -> None:
    (old,) = await specs.apply(read("- {kind: debug.log, name: a}"))
    (new,) = await specs.apply(read(f"- {{kind: debug.log, name: z, id: {old.id}}}"))

    assert (new.id, new.action, await names(specs)) == (old.id, Action.UPDATED, ["z"])


async def test_names_can_be_exchanged(specs: Specs) -> None:
    a, b, c = await specs.apply(
        read("".join(f"- {{kind: debug.log, name: {name}}}\n" for name in "abc"))
    )
    text = "".join(
        f"- {{kind: debug.log, name: {name}, id: {one.id}}}\n"
        for name, one in (("b", a), ("c", b), ("a", c))
    )
    await specs.apply(read(text))

    assert {spec.name: spec.id for spec in await specs.read()} == {"b": a.id, "c": b.id, "a": c.id}


async def test_a_name_moves_to_another_spec_in_one_go(specs: Specs) -> None:
    (old,) = await specs.apply(read("- {kind: debug.log, name: a}"))
    text = f"- {{kind: debug.log, name: a, id: other}}\n- {{kind: debug.log, name: b, id: {old.id}}}"
    await specs.apply(read(text))

    assert {spec.name: spec.id for spec in await specs.read()} == {"a": "other", "b": old.id}


async def test_namespaces_do_not_see_each_other(specs: Specs) -> None:
    await specs.apply(read(GRAPH), namespace="one")
    await specs.apply(read(GRAPH), namespace="two")
    await specs.apply(read("- {kind: debug.log, name: a, namespace: three}"))

    assert [spec.namespace for spec in await specs.read(keys=["a"])] == ["one", "three", "two"]


async def test_a_flow_is_one_spec(specs: Specs) -> None:
    await specs.apply(read("flow: daily\nnodes: [{kind: debug.log}]"))

    (flow,) = await specs.read()
    assert (flow.name, flow.kind, flow.document["nodes"]) == ("daily", "flow", [{"kind": "debug.log"}])


async def test_a_graph_of_connections_keeps_the_name_of_its_id(specs: Specs) -> None:
    text = '{"id": "w-1", "nodes": [{"id": "n", "node_type": "debug.log"}], "connections": []}'
    await specs.apply(read(text, "flow.json"))
    (flow,) = await specs.read()

    assert (flow.name, flow.id, flow.kind) == ("w-1", "w-1", "flow")
    assert told(await specs.apply(read(text, "flow.json"))) == ["unchanged default/w-1@1"]


async def test_pruning_a_namespace_deletes_the_rest_of_it(specs: Specs) -> None:
    await specs.apply(read(GRAPH))
    await specs.apply(read(GRAPH), namespace="other")
    changes = await specs.apply(read("- {kind: debug.log, name: b}"), prune=Prune.NAMESPACE)

    assert told(changes) == ["unchanged default/b@1", "deleted default/a@2"]
    assert await names(specs, "other") == ["a", "b"]


async def test_pruning_an_origin_spares_what_came_from_elsewhere(specs: Specs) -> None:
    await specs.apply(read(GRAPH, "one.yaml"))
    await specs.apply(read("- {kind: debug.log, name: c}", "two.yaml"))
    await specs.apply(read("- {kind: debug.log, name: b}", "one.yaml"), prune=Prune.ORIGIN)

    assert await names(specs) == ["b", "c"]


async def test_pruning_an_origin_adopts_what_it_says(specs: Specs) -> None:
    await specs.apply(read(GRAPH, "graph.yaml"))
    await specs.apply(read(GRAPH, "/all/graph.yaml"), prune=Prune.ORIGIN)
    await specs.apply(read("- {kind: debug.log, name: b}", "/all/graph.yaml"), prune=Prune.ORIGIN)

    assert await names(specs) == ["b"]


async def test_a_dry_run_says_everything_and_writes_nothing(specs: Specs, store: MemoryStore) -> None:
    changes = await specs.apply(read(GRAPH), dry_run=True)

    assert told(changes) == ["created default/a@1", "created default/b@1"]
    assert await store.position() == 0


# --- what is refused ----------------------------------------------------------


async def test_one_wrong_document_keeps_all_from_being_written(specs: Specs, store: MemoryStore) -> None:
    good, bad = (
        examine(GRAPH, file="good.yaml"),
        examine("- {kind: debug.lgo, name: c}", file="bad.yaml"),
    )
    with pytest.raises(
        DocumentError, match=re.escape("bad.yaml:1:10: [0].kind: unknown kind `debug.lgo`")
    ):
        await specs.apply([good, bad])

    assert await store.position() == 0


async def test_problems_of_all_documents_are_told_at_once(specs: Specs) -> None:
    documents = [examine("- {kind: debug.lgo}", file="1.yaml"), examine("- {knd: x}", file="2.yaml")]
    with pytest.raises(DocumentError) as caught:
        await specs.apply(documents)

    assert {problem.place.file for problem in caught.value.problems if problem.place} == {
        "1.yaml",
        "2.yaml",
    }


async def test_a_config_that_does_not_fit_is_placed(specs: Specs) -> None:
    found = await refused(specs, "- {kind: debug.log, name: a, lvl: debug}")

    assert "graph.yaml:1:30: [0].lvl: `debug.log` has no field `lvl`" in found


async def test_a_broken_flow_is_placed(specs: Specs) -> None:
    found = await refused(specs, "flow: f\nnodes:\n- {kind: debug.log, name: a, links: {nope: a}}")

    assert "graph.yaml:3" in found
    assert "nope" in found


async def test_two_documents_cannot_have_one_name(specs: Specs) -> None:
    documents = [examine(GRAPH, file="1.yaml"), examine("- {kind: debug.log, name: a}", file="2.yaml")]
    with pytest.raises(DocumentError, match=re.escape("2.yaml:1:3: another is named `a`")):
        await specs.apply(documents)


async def test_two_documents_cannot_have_one_id(specs: Specs) -> None:
    text = "- {kind: debug.log, id: x, name: a}"
    with pytest.raises(DocumentError, match="is there twice"):
        await specs.apply([*read(text), *read(text.replace("name: a", "name: b"))])


async def test_a_name_of_another_id_is_taken(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a, id: one}"))

    found = await refused(specs, "- {kind: debug.log, name: a, id: two}")
    assert "the name `a` is taken by the id `one`" in found


async def test_an_id_belongs_to_its_namespace(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a, id: one}"), namespace="here")

    found = await refused(specs, "- {kind: debug.log, name: a, id: one}", namespace="there")
    assert "the id `one` belongs to the namespace `here`" in found


async def test_a_document_of_another_namespace_is_refused(specs: Specs) -> None:
    found = await refused(specs, "- {kind: debug.log, name: a, namespace: one}", namespace="two")

    assert "graph.yaml:1:41: [0].namespace: this is of the namespace `one`" in found


async def test_a_link_to_nothing_may_come_true_later(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a, links: {out: later}}"))

    assert await names(specs) == ["a"]


async def test_a_value_may_come_later(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a, env: {T: {name: v}}, level: '{{ T }}'}"))

    found = await refused(specs, "- {kind: debug.log, name: a, env: {T: {name: v}}, lvl: '{{ T }}'}")
    assert "has no field `lvl`" in found


@pytest.mark.parametrize(
    "inner",
    [
        '{kind: debug.log, prefix: "{{ .P }}", env: {P: {name: later}}}',
        "{kind: call, flow: later}",
        "{kind: block, specs: [{kind: call, flow: later}]}",
    ],
)
async def test_what_a_block_inside_of_a_flow_needs_may_come_later(specs: Specs, inner: str) -> None:
    flow = f"{{flow: f, nodes: [{{kind: block, name: b, specs: [{inner}]}}]}}"
    (change,) = await specs.apply(read(flow))
    assert change.action is Action.CREATED
    with pytest.raises(DocumentError, match="has no field `colour`"):
        await specs.apply(read(flow.replace("specs: [{", "specs: [{colour: red, ")))


async def test_a_called_flow_may_come_later_and_is_checked_when_it_is_there(specs: Specs) -> None:
    caller = "flow: all\nnodes:\n- {kind: call, name: c, flow: one, links: {nope: c}}"
    await specs.apply(read(caller.replace(", links: {nope: c}", "")))
    await specs.apply(read("flow: one\nnodes: [{kind: debug.log}]"))

    assert "nope" in await refused(specs, caller)


async def test_flows_that_call_each_other_in_a_circle_are_refused(specs: Specs) -> None:
    await specs.apply(read("flow: a\nnodes: [{kind: call, flow: b}]"))

    assert "circle" in await refused(specs, "flow: b\nnodes: [{kind: call, flow: a}]")
