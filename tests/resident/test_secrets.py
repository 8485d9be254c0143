"""What a resident runtime tells shows no secret, not even one that is about to go."""

from typing import Any

import msgspec
from tests.resident.world import World, bell, tag, world

from penstock.core.payload import Error
from penstock.engine.observer import Observer, Outcome, Subject

ENV = {"TOKEN": {"name": "token"}}
SAY = {"kind": "debug.log", "name": "say", "prefix": "with {{ .TOKEN }}", "env": ENV}


class Told(Observer):
    """Everything that an observer hears of nodes and of their ends, as one text."""

    def __init__(self) -> None:
        self.text = ""

    def said(self, subject: Subject, node: str, type: str, data: dict[str, Any], redactor: Any) -> None:  # noqa: A002
        said = str(data)
        self.text += said if redactor is None else redactor.text(said)

    def process_ended(
        self, process: Subject, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        self.text += f"{outcome} {error}"


async def test_a_revision_that_serves_on_while_the_newest_is_broken_shows_no_secret() -> None:
    told = Told()
    async with world(observer=told) as home:
        await home.value("token", "hunter2-and-more")
        await home.apply(bell("say"), SAY)
        await home.broken({"kind": "nonsense", "name": "say"})
        await home.ring("x")
        assert "with •••" in told.text
        assert "hunter2" not in told.text


async def test_system_calls_show_no_secret_of_a_node_that_did_not_load(home: World) -> None:
    await home.value("token", "hunter2-and-more")
    await home.apply(
        tag("a", kind="stubborn", reason="{{ .TOKEN }} is refused", env=ENV),
        bell("symbols"),
        {"kind": "syscall", "name": "symbols", "opcode": "symbols.read"},
    )
    symbols = msgspec.json.encode(await home.ring()).decode()
    assert "••• is refused" in symbols
    assert "hunter2" not in symbols
