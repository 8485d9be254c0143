"""Blocks: how what arrives reaches the nodes inside, and how it leaves."""

from tests.resident.world import World, bell


async def test_specs_without_links_run_one_after_the_other(home: World) -> None:
    specs = [
        {"kind": "snippet", "language": "cel", "code": "self + 1"},
        {"kind": "snippet", "language": "cel", "code": "self * 10"},
    ]
    await home.apply(bell("b"), {"kind": "block", "name": "b", "specs": specs})
    assert await home.ring(2) == 30


async def test_specs_that_bounds_reach_are_not_chained(home: World) -> None:
    specs = [
        {"kind": "snippet", "name": "l", "language": "cel", "code": "self + 1"},
        {"kind": "snippet", "name": "r", "language": "cel", "code": "self + 2"},
    ]
    block = {
        "kind": "block", "name": "b", "specs": specs,
        "inbounds": {"in": ["l", "r"]}, "outbounds": {"out[0]": "l", "out[1]": "r"},
        "links": {"out[0]": "t0", "out[1]": "t1"},
    }  # fmt: skip
    await home.apply(
        bell("b"),
        block,
        {"kind": "snippet", "name": "t0", "language": "cel", "code": "self * 10"},
        {"kind": "snippet", "name": "t1", "language": "cel", "code": "self * 100"},
    )
    assert await home.ring(1) == [20, 300]
