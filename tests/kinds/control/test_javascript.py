from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.errors import NodeError
from penstock.core.payload import Error
from penstock.kinds.languages import Options, Program, find_language


def program(code: str, **options: Any) -> Program:
    return find_language("javascript")(code, Options(**options))


def js(code: str, payload: Any = None, **options: Any) -> Any:
    return program(code, **options)(payload)


@pytest.mark.parametrize(
    "code",
    [
        "export default function (args) { return args.n + 1 }",
        "\nconst one = 1;\nexport default (args) => args.n + one;",
        "export default async function (args) { return args.n + 1 }",
        "function main(args) { return args.n + 1 }",
        "const main = (args) => args.n + 1",
        "async function main(args) { await null; return args.n + 1 }",
        "args.n + 1",
        "args.n + 1 // done",
        "(args) => args.n + 1",
        "async ({ n }) => n + 1;\n",
    ],
)
def test_code_may_be_a_module_a_function_or_an_expression(code: str) -> None:
    assert js(code, {"n": 1}) == 2


FAILURE = Error(
    code="invalid argument", message="n must be positive", node="check", details={"n": b"\x00"}
)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (
            "({ body: { error: args.error() }, status: 400 })",
            {"body": {"error": "n must be positive"}, "status": 400},
        ),
        ("[args.code, args.message, args.node]", ["invalid argument", "n must be positive", "check"]),
        ("args.details.n", b"\x00"),
        ("args instanceof Error", True),
        ("args", FAILURE),
        ("[args]", [FAILURE]),
    ],
)
def test_an_error_keeps_its_fields(code: str, answer: Any) -> None:
    assert js(code, FAILURE) == answer


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("undefined", None),
        ("({ a: undefined, b: null })", {"b": None}),
        ("NaN", None),
        ("2 ** 53", 2**53),
        ("10n ** 30n", 10**30),
        ("new Uint8Array([1, 255])", b"\x01\xff"),
        ("new Uint8Array([]).buffer", b""),
        ("new Map([['a', 1]])", {"a": 1}),
        ("new Set([1, 2])", [1, 2]),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("new TypeError('returned')", Error(code="TypeError", message="returned")),
        ("Promise.resolve([1])", [1]),
    ],
)
def test_values_beyond_json_become_payloads(code: str, answer: Any) -> None:
    assert js(code) == answer


PAYLOADS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)
SAME = find_language("javascript")("args", Options())


@settings(deadline=None)
@given(payload=PAYLOADS)
def test_every_payload_passes_through_unchanged(payload: Any) -> None:
    assert SAME({"value": payload}) == {"value": payload}


@pytest.mark.parametrize(
    ("code", "error", "complaint"),
    [
        ("nope.x", "ReferenceError", r"nope is not defined\nlook at line 1, column 1 of the code"),
        ("\n  args.a.b", "TypeError", "line 2, column 3"),
        ("(() => { throw { code: 'two', message: 'bad', details: [1] } })()", "two", "bad"),
        ("(() => { throw 'text' })()", "thrown", "text"),
        ("(() => { throw new RangeError('far') })()", "RangeError", "^far\nlook at line 1"),
        ("Promise.reject(new Error('later'))", "Error", "later"),
        ("({ a: [() => 1] })", "snippet.result", "a function at `0` has no JSON form"),
        ("Symbol('x')", "snippet.result", "a symbol has no JSON form"),
        ("(() => { const a = {}; a.a = a; return a })()", "snippet.result", "circular"),
        ("'\\ud800'", "snippet.result", "not valid text"),
        ("new Promise(() => 0)", "snippet.result", "never settled"),
    ],
)
def test_a_failure_has_a_code_and_a_place(code: str, error: str, complaint: str) -> None:
    with pytest.raises(NodeError, match=complaint) as caught:
        js(code)
    assert caught.value.code == error


def test_an_error_that_is_thrown_again_stays_what_it_was() -> None:
    with pytest.raises(NodeError) as caught:
        js("(() => { throw args })()", FAILURE)
    assert Error.from_exception(caught.value) == FAILURE


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("(() => { for (;;); })()", "time"),
        ("(() => { for (;;) { try { for (;;); } catch {} } })()", "time"),
        ("/^(a+)+$/.test('a'.repeat(40) + 'b')", "time"),
        ("({ toJSON() { for (;;); } })", "time"),
        ("(async () => { for (;;) await 0 })()", "time"),
        ("(() => { const f = () => f() + 1; return f() })()", "stack"),
        ("(() => { const a = []; for (;;) a.push('x'.repeat(1000) + a.length) })()", "memory"),
        ("(() => { const m = new Map(); for (let i = 0; ; i++) m.set(i, i) })()", "memory"),
        ("'x'.repeat(2 ** 28)", "memory"),
    ],
)
def test_code_that_knows_no_end_meets_a_limit_and_the_next_call_works(code: str, limit: str) -> None:
    # Time enough to use up the memory, even on a machine that is busy with other things.
    run = program(f"args ? {code} : 'fine'", limit_ms=100 if limit == "time" else 5000, memory_mb=8)
    began = time.monotonic()
    with pytest.raises(NodeError) as caught:
        run(True)
    assert time.monotonic() - began < 20
    assert (caught.value.code, caught.value.details) == ("snippet.limit", {"limit": limit})
    assert caught.value.remedy
    assert run(False) == "fine"


def test_a_busy_neighbour_does_not_use_up_the_time_of_a_snippet() -> None:
    stop = threading.Event()

    def burn() -> None:
        import hashlib

        block = b"x" * (1 << 20)
        while not stop.is_set():
            hashlib.sha256(block).digest()

    neighbours = [threading.Thread(target=burn) for _ in range(4)]
    for neighbour in neighbours:
        neighbour.start()
    try:
        assert (
            js(
                "(() => { let n = 0; for (let i = 0; i < 1e6; i++) n += i % 7; return n })()",
                limit_ms=250,
            )
            > 0
        )
    finally:
        stop.set()
        for neighbour in neighbours:
            neighbour.join()


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("args +", "at its end: something is missing"),
        ("args ? 1 ; 2", "line 1, column 10"),
        ("export default function (args) {\n  return );\n}", r"line 2, column 10"),
        ("return 1", "write an expression over `args`, or `export default function"),
        ("export default 3", "not a function"),
        ("let main = 3", "not a function"),
        ("import x from '/etc/passwd'\nexport default () => x", "could not load module '/etc/passwd'"),
        ("export default (() => { throw new Error('early') })()", "failed while it was loaded: early"),
        ("let x = (() => { for (;;); })();\nexport default () => x", "ran for more than"),
    ],
)
def test_a_mistake_is_found_before_anything_runs(code: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        program(code, limit_ms=100)


@pytest.mark.parametrize(
    "name", ["std", "os", "require", "process", "fetch", "print", "scriptArgs", "Deno", "window"]
)
def test_code_sees_nothing_of_the_host(name: str) -> None:
    assert js(f"typeof {name}") == "undefined"


def test_code_cannot_import() -> None:
    with pytest.raises(NodeError, match="could not load module"):
        js("import('/etc/passwd')")


def test_two_programs_share_nothing() -> None:
    js("(() => { globalThis.secret = 1; Array.prototype.map = null })()")
    assert js("[typeof secret, [1].map((x) => x + 1)]") == ["undefined", [2]]


def test_calls_from_several_threads_take_turns() -> None:
    run = program("args.map((n) => n * 2)")
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(run, [[number] * 100 for number in range(200)]))
    assert found == [[number * 2] * 100 for number in range(200)]
