"""Graphs that random testing found, or that reading the rules suggested, one by one."""

from pathlib import Path
from typing import Any

from penstock import Action, Emit, Inputs, Outputs, Port, Runtime, Scheme, load_flow
from penstock.store.memory import MemoryStore


class Give(Action, kind="t.give", pure=True):
    """Sends each of `packets` on its port; a list on `many` as so many packets."""

    packets: dict[str, Any]
    in_ports = {"in": Port(default=None)}
    out_ports = {"x": Port(), "y": Port(), "many": Port(many=True)}

    def run(self, inputs: Inputs) -> Outputs:
        return {port: Emit(sent) if port == "many" else sent for port, sent in self.packets.items()}


class Show(Action, kind="t.show", pure=True):
    """Answers with what arrived."""

    b: int = 5
    in_ports = {"a": Port(default=1), "b": Port(default=2), "c": Port(default=3)}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": [inputs["a"], inputs["b"], inputs["c"]]}


async def result_of(text: str, folder: Path) -> Any:
    scheme = Scheme()
    scheme.add(Give, Show)
    (folder / "flow.yaml").write_text(text)
    flow = load_flow(folder / "flow.yaml", scheme=scheme)
    async with Runtime(MemoryStore(), scheme=scheme) as runtime:
        return await (await runtime.start(flow)).result()


async def test_a_join_that_goes_on_without_a_port_gets_its_default(tmp_path: Path) -> None:
    text = """
flow: f
nodes:
  - {kind: t.give, name: give, packets: {x: 10}, links: {x: show.c, y: [show.a, show.b]}}
  - {kind: t.show, name: show, join: any, b: 7}
"""
    assert await result_of(text, tmp_path) == [1, 7, 10]


async def test_a_firing_whose_linked_port_emits_no_packet_is_a_leaf(tmp_path: Path) -> None:
    text = """
flow: f
nodes:
  - {kind: t.give, name: give, packets: {x: 10, many: []}, links: {many: show.a}}
  - {kind: t.show, name: show}
"""
    assert await result_of(text, tmp_path) == 10


async def test_a_named_output_of_several_packets_is_a_list(tmp_path: Path) -> None:
    text = """
flow: f
outputs: {all: give.many, one: give.x}
nodes:
  - {kind: t.give, name: give, packets: {x: 10, many: [1, 2]}}
"""
    result = await result_of(text, tmp_path)
    assert result == {"all": [1, 2], "one": 10}
    assert type(result["all"]) is list
