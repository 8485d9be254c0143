"""When nodes become active, in which order they come and go, and what is said of the others."""

from typing import ClassVar

from tests.resident.world import Teller, World, bell, tag, until, world

from penstock.engine.kind import Inputs, Outputs
from penstock.engine.resident.symbol import Status
from penstock.testing.clock import FakeClock


class Contested(Teller, kind="contested"):
    """Only one can have it: a port, say."""

    owner: ClassVar[str] = ""

    async def load(self) -> None:
        await super().load()
        if self.owner:
            raise RuntimeError(f"{self.owner} has it")
        type(self).owner = self.tag

    async def unload(self) -> None:
        await super().unload()
        type(self).owner = ""

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": inputs["in"]}


CHAIN = (bell("a"), tag("a", "b"), tag("b", "c"))


async def test_nothing_is_loaded_while_something_that_can_be_reached_is_missing(home: World) -> None:
    await home.apply(*CHAIN)
    assert home.told() == []
    assert (home.report("b").status, home.report("b").reason) == (Status.WAITING, "`c` is missing")
    assert (home.report("a").status, home.report("a").reason) == (Status.WAITING, "waits for `b`")


async def test_the_life_of_a_chain_whose_end_comes_goes_breaks_and_is_repaired(home: World) -> None:
    hooks = home.hooks()

    await home.apply(*CHAIN)
    assert home.told() == []
    await home.apply(tag("c"))  # added
    assert home.told() == ["load c", "load b", "load a", "load bell", "open bell"]
    assert await home.ring() == ["a", "b", "c"]
    await home.delete("c")
    assert home.told() == ["close bell", "unload bell", "unload a", "unload b", "unload c"]
    await home.apply(tag("c"))  # again
    assert home.told() == ["load c", "load b", "load a", "load bell", "open bell"]
    await home.broken({"kind": "tag", "name": "c", "tga": "c"})
    assert home.told() == []
    assert home.report("c").status is Status.BROKEN
    assert "`tag` has no field `tga`" in home.report("c").reason
    assert "(revision 1 serves on)" in home.report("c").reason
    assert await home.ring() == ["a", "b", "c"]
    await home.apply(tag("c", tag="c2"))  # repaired
    assert home.told() == ["load c2", "unload c"]
    assert home.report("c").status is Status.ACTIVE
    assert await home.ring() == ["a", "b", "c2"]
    up, down = ["+c", "+b", "+a", "+bell"], ["-bell", "-a", "-b", "-c"]
    assert hooks == [*up, *down, *up, "+c", "-c"]


async def test_the_end_of_a_runtime_unloads_everything_dependents_first() -> None:
    async with world() as home:
        await home.apply(*CHAIN, tag("c"))
        home.told()
    assert home.told() == ["close bell", "unload bell", "unload a", "unload b", "unload c"]


async def test_what_is_broken_from_the_start_leaves_the_others_alone(home: World) -> None:
    await home.broken({"kind": "nonsense", "name": "c"})
    await home.apply(*CHAIN, bell("x", name="other"), tag("x"))
    assert home.told() == ["load x", "load other", "open other"]
    assert home.report("c").status is Status.BROKEN
    assert "unknown kind `nonsense`" in home.report("c").reason
    assert home.report("b").reason == "waits for `c`"


async def test_a_change_makes_only_what_changed_anew(home: World) -> None:
    await home.apply(*CHAIN, tag("c"))
    home.told()
    await home.apply(tag("b", "c", tag="B"))
    assert home.told() == ["load B", "unload b"]
    assert await home.ring() == ["a", "B", "c"]


async def test_a_trigger_that_changed_leaves_before_its_successor_comes(home: World) -> None:
    await home.apply(*CHAIN, tag("c"))
    home.told()
    await home.apply(bell("b"))
    assert home.told() == ["close bell", "unload bell", "load bell", "open bell"]
    assert await home.ring() == ["b", "c"]


async def test_a_node_that_does_not_load_is_broken_and_tried_again_when_it_changes(home: World) -> None:
    await home.apply(bell("s"), tag("s", kind="stubborn", reason="no licence"))
    assert home.told() == ["load s"]
    assert home.report("s").status is Status.BROKEN
    assert home.report("s").reason == "no licence"
    assert home.report("bell").reason == "waits for `s`"
    await home.apply(bell("x", name="other"), tag("x"))
    assert home.told() == ["load x", "load other", "open other"]
    await home.apply(tag("s", kind="stubborn"))
    assert home.told() == ["load s", "load bell", "open bell"]


async def test_a_new_revision_that_does_not_load_leaves_the_old_one_at_work(home: World) -> None:
    await home.apply(bell("s"), tag("s", kind="stubborn"))
    home.told()
    await home.apply(tag("s", kind="stubborn", tag="s2", reason="no licence"))
    assert home.told() == ["load s2"]
    assert home.report("s").reason == "no licence (revision 1 serves on)"
    assert await home.ring() == ["s"]


async def test_a_trigger_that_does_not_load_anew_is_put_back_as_it_was(home: World) -> None:
    await home.apply(*CHAIN, tag("c"))
    home.told()
    await home.apply(bell("a", refuses="the port is taken"))
    assert home.told() == [
        *("close bell", "unload bell"),
        "load bell",
        *("load bell", "open bell"),
    ]
    assert "the port is taken (revision 1 serves on)" in home.report("bell").reason
    assert await home.ring() == ["a", "b", "c"]


async def test_links_that_go_round_in_a_circle_are_reported_on_each_of_them(home: World) -> None:
    await home.broken(tag("a", "b"), tag("b", "c"), tag("c", "a"), tag("d"))
    assert home.told() == ["load d"]
    for key in "abc":
        assert "round in a circle" in home.report(key).reason


async def test_a_link_to_a_port_that_is_not_there_breaks_its_node_alone(home: World) -> None:
    await home.broken(bell("a"), tag("a", {"name": "b", "port": "nowhere"}), tag("b"))
    assert home.report("a").status is Status.BROKEN
    assert "`tag` has no in-port `nowhere`" in home.report("a").reason
    assert home.report("b").status is Status.ACTIVE


async def test_a_wrong_link_does_not_touch_what_it_leads_to(home: World) -> None:
    await home.apply(bell("say"), {"kind": "debug.log", "name": "say"})
    home.told()
    await home.broken(tag("a", {"name": "say", "port": "nowhere"}))
    assert home.report("a").status is Status.BROKEN
    assert home.report("say").status is Status.ACTIVE
    assert home.told() == []
    await home.apply({"kind": "debug.log", "name": "alone"})
    await home.broken(tag("b", {"name": "alone", "port": "nowhere"}))
    assert home.report("alone").status is Status.ACTIVE


async def test_a_node_waits_for_its_value_and_goes_with_it(home: World) -> None:
    env = {"NAME": {"name": "person", "data": "{{ .first }}"}}
    await home.apply(bell("a"), tag("a", tag="{{ .NAME }}", env=env))
    assert home.report("a").reason == "the value `person` is missing"
    await home.value("person", {"first": "Ada"})
    assert home.told() == ["load Ada", "load bell", "open bell"]
    await home.value("person", {"first": "Bob"})
    assert home.told() == ["load Bob", "unload Ada"]
    assert await home.ring() == ["Bob"]
    await home.drop_value("person")
    assert home.told() == ["close bell", "unload bell", "unload Bob"]
    assert home.report("a").reason == "the value `person` is missing"


async def test_a_value_that_a_node_does_not_use_leaves_it_alone(home: World) -> None:
    await home.apply(*CHAIN, tag("c"))
    home.told()
    await home.value("person", {"first": "Ada"})
    assert home.told() == []


async def test_variables_of_the_command_line_reach_every_spec() -> None:
    async with world(env={"STAGE": "test"}) as home:
        await home.apply(bell("a"), tag("a", tag="{{ .STAGE }}"))
        assert await home.ring() == ["test"]


async def test_a_name_that_moves_to_another_node_is_followed(home: World) -> None:
    await home.apply(bell("a"), tag("a"))
    await home.delete("a")
    home.told()
    await home.apply(tag("a", tag="second"))
    assert home.told() == ["load second", "load bell", "open bell"]


async def test_what_hangs_from_init_and_term_runs_once_in_a_life(home: World) -> None:
    links = {"init": "hello", "term": "goodbye"}
    await home.apply(
        {"kind": "tag", "name": "a", "tag": "a", "links": links},
        {"kind": "note", "name": "hello"},
        {"kind": "note", "name": "goodbye"},
    )
    assert home.told() == ["load a", "note {'name': 'a', 'kind': 'tag', 'revision': 1}"]
    await home.delete("a")
    assert home.told() == ["note {'name': 'a', 'kind': 'tag', 'revision': 1}", "unload a"]


async def test_a_node_whose_init_fails_is_not_active(home: World) -> None:
    await home.apply(
        {"kind": "tag", "name": "a", "tag": "a", "links": {"init": "hello"}},
        {"kind": "note", "name": "hello", "fails": "nobody there"},
    )
    assert home.told() == ["load a", "note {'name': 'a', 'kind': 'tag', 'revision': 1}", "unload a"]
    assert home.report("a").status is Status.BROKEN
    assert home.report("a").reason == "RuntimeError: nobody there"


async def test_init_and_term_wait_for_what_hangs_from_them(home: World) -> None:
    await home.apply({"kind": "tag", "name": "a", "tag": "a", "links": {"init": "hello"}})
    assert home.report("a").reason == "`hello` is missing"
    assert home.told() == []


async def test_what_would_not_load_is_tried_again_later_and_later() -> None:
    clock = FakeClock()
    async with world(clock=clock) as home:
        home.runtime.loader.scheme.add(Contested)
        Contested.owner = "somebody else"
        await home.apply(bell("a"), tag("a"), tag("c", kind="contested"))
        assert home.report("c").reason == "somebody else has it"
        home.told()
        for seconds in (1.0, 2.0, 4.0):
            clock.advance(seconds - 0.1)
            assert home.told() == []
            clock.advance(0.2)
            await until(lambda: "load c" in home.told())
            await home.resident.refresh()  # after which that attempt is over
        Contested.owner = ""
        clock.advance(8.1)
        await until(lambda: home.report("c").status is Status.ACTIVE)
        assert await home.ring() == ["a"]


async def test_what_would_not_load_is_tried_again_when_something_goes(home: World) -> None:
    home.runtime.loader.scheme.add(Contested)
    Contested.owner = ""
    await home.apply(tag("c", kind="contested"))
    await home.apply(tag("d", kind="contested"))
    assert home.report("d").reason == "c has it"
    await home.delete("c")
    assert home.told() == ["load c", "load d", "unload c", "load d"]
    assert home.report("d").status is Status.ACTIVE
