"""Two kinds of one's own, by decorator and by class, and a flow that uses them.

python examples/custom_kind.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from penstock import Action, NodeContext, Port, Runtime, load_flow, node


@node("text.shout", pure=True)
def shout(text: str, *, marks: int = 1) -> str:
    """Write a text in capitals."""
    return text.upper() + "!" * marks


class Counter(Action, kind="demo.count"):
    """Count what passes, across all runs of this node.

    Ports: in → out, number.
    """

    start: int = 0

    out_ports = {"out": Port(), "number": Port(int, doc="how many have passed")}

    async def load(self) -> None:
        self.passed = self.start

    async def run(self, inputs: dict[str, object], ctx: NodeContext) -> dict[str, object]:
        self.passed += 1
        ctx.message(f"number {self.passed}")
        return {"out": inputs["in"], "number": self.passed}


async def main() -> None:
    """Run `custom_kind.yaml` twice; the counter remembers the first time."""
    flow = load_flow(Path(__file__).with_suffix(".yaml"), kinds=[__file__])
    async with Runtime("memory:", kinds=[__file__]) as runtime:
        for text in ("water", "light"):
            run = await runtime.start(flow, text=text)
            print(await run.result())


if __name__ == "__main__":
    asyncio.run(main())
