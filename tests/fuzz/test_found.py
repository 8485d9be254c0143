"""What fuzzing has found, each as the smallest document that shows it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.resident.world import World, world

from penstock.core.errors import DocumentError
from penstock.core.graph import dependencies_first
from penstock.document import fields, findings
from penstock.document.reader import examine_data
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.values import Values
from penstock.engine.decoding import FAULT
from penstock.engine.kind import Action, FieldError
from penstock.engine.loading import Loader
from penstock.engine.resident.symbol import Status
from penstock.engine.templates import fill
from penstock.kinds import standard_scheme
from penstock.kinds.languages.cel import LONGEST
from penstock.store.memory import MemoryStore


def refusal(folder: Path, *documents: Any, kinds: tuple[type[Action], ...] = ()) -> str:
    """What `validate` says of these documents, which it refuses."""
    path = folder / "document.json"
    path.write_text(json.dumps(documents[0] if len(documents) == 1 else documents))
    scheme = standard_scheme()
    scheme.add(*kinds)
    with pytest.raises(DocumentError) as refused:
        Loader(scheme).check(path)
    assert FAULT not in str(refused.value) or kinds
    return str(refused.value)


def snippet(language: str, code: str, **more: Any) -> dict[str, Any]:
    return {"kind": "snippet", "name": "a", "language": language, "code": code, **more}


@pytest.fixture
async def home() -> AsyncIterator[World]:
    async with world() as found:
        yield found


# --- documents ------------------------------------------------------------------------


def test_a_block_is_refused_for_a_node_inside_that_could_not_be_read(tmp_path: Path) -> None:
    text = '[{"kind": "block", "name": "b", "specs": [{"kind": Infinity}, {"kind": "nop"}]}]'
    path = tmp_path / "document.json"
    path.write_text(text)

    with pytest.raises(DocumentError, match="no finite number"):
        Loader(standard_scheme()).check(path)


def test_a_step_in_a_flow_is_refused_for_what_is_inside(tmp_path: Path) -> None:
    step = {"kind": "step", "name": "s", "specs": [{"kind": "nop", "name": "x"}, 5]}

    assert "nodes[0].specs[1]: expected a mapping" in refusal(tmp_path, {"flow": "f", "nodes": [step]})


def test_the_name_of_a_trigger_is_a_name(tmp_path: Path) -> None:
    flow = {"flow": "f", "nodes": [{"kind": "nop"}], "triggers": [{"kind": "cron", "name": 5}]}

    assert "triggers[0].name: expected text" in refusal(tmp_path, flow)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"pattern": "("}, 'inputs.x.pattern: this is no JSON Schema: "(" is not a "regex"'),
        ({"type": []}, "inputs.x.type: this is no JSON Schema"),
        ({"minimum": "1"}, "inputs.x.minimum: this is no JSON Schema"),
        ({"$ref": "#/nowhere"}, "Pointer '/nowhere' does not exist"),
        ({"$ref": "http://192.0.2.1/schema"}, "Resource 'http://192.0.2.1/schema' is not present"),
    ],
)
def test_the_schema_of_an_input_is_one_and_is_fetched_from_nowhere(
    tmp_path: Path, schema: dict[str, Any], told: str
) -> None:
    assert told in refusal(tmp_path, {"flow": "f", "inputs": {"x": schema}, "nodes": [{"kind": "nop"}]})


@pytest.mark.parametrize("ident", ["a\0b", "a\nb", "é" * 201, "\x7f"])
def test_an_id_is_one_line_that_a_database_can_index(tmp_path: Path, ident: str) -> None:
    assert "is not an id" in refusal(tmp_path, [{"kind": "nop", "id": ident}])


def test_a_name_is_no_longer_than_a_database_can_index(tmp_path: Path) -> None:
    assert "is not a name" in refusal(tmp_path, [{"kind": "nop", "name": "a" * 201}])


def test_of_a_great_many_unknown_fields_only_those_that_are_told_have_hints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(fields, "suggest", lambda name, _: asked.append(name) or "")
    monkeypatch.setattr("penstock.engine.decoding.suggest", lambda name, _: asked.append(name) or "")
    unknown = {f"field{number}": 1 for number in range(5000)}

    refusal(tmp_path, [{"kind": "nop", **unknown}])
    refusal(tmp_path, {"flow": "f", "nodes": [{"kind": "nop"}], **unknown})
    assert 0 < len(asked) <= 2 * findings.MOST


def test_a_flow_that_calls_one_with_a_node_without_a_kind_is_refused_with_it() -> None:
    specs = Specs(MemoryStore(), scheme=standard_scheme())
    caller = {"kind": "call", "name": "again", "flow": "tell"}
    examination = examine_data([caller, {"flow": "tell", "nodes": [{"name": "log"}]}])

    with pytest.raises(DocumentError) as refused:
        asyncio.run(specs.apply([examination]))
    assert "`kind` is missing" in str(refused.value)
    assert FAULT not in str(refused.value)


@pytest.mark.parametrize("key", [None, 1.5, (1,), b"x"])
def test_data_below_a_key_that_is_no_text_is_refused_with_a_path(key: Any) -> None:
    with pytest.raises(DocumentError, match="is no text"):
        examine_data([{"kind": "nop", "message": {key: [float("nan")]}}])


# --- kinds ----------------------------------------------------------------------------


class Unruly(Action, kind="unruly"):
    """Raises in its check whatever it is told to."""

    how: str = ""

    def check(self) -> None:
        match self.how:
            case "key":
                raise KeyError("nowhere")
            case "group":
                raise ExceptionGroup("two", [FieldError("how", "this is wrong"), OSError("and that")])


def test_a_kind_that_fails_in_its_check_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    told = refusal(tmp_path, [{"kind": "unruly", "how": "key"}], kinds=(Unruly,))

    assert "`unruly`: KeyError: 'nowhere'" in told
    assert FAULT in told


def test_what_is_wrong_with_fields_is_told_beside_what_a_kind_has_wrong(tmp_path: Path) -> None:
    told = refusal(tmp_path, [{"kind": "unruly", "how": "group"}], kinds=(Unruly,))

    assert "this is wrong" in told
    assert "OSError: and that" in told


@pytest.mark.parametrize("rate", ["9" * 4000 + "/s", "9" * 5000 + "/s", "1" * 13 + "/s"])
def test_a_rate_that_no_number_holds_is_refused(tmp_path: Path, rate: str) -> None:
    assert "is no rate" in refusal(tmp_path, [{"kind": "rate_limit", "name": "a", "rate": rate}])


def test_a_called_flow_whose_name_no_file_can_have_is_not_found(tmp_path: Path) -> None:
    for reference in ("a" * 5000 + ":b", "a" * 5000, "a" * 5000 + ".py", "a\0b", ":"):
        call = {"flow": "f", "nodes": [{"kind": "call", "name": "c", "flow": reference}]}
        assert "nodes[0]" in refusal(tmp_path, call)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name is needed")
def test_a_called_flow_is_not_read_from_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    call = {"flow": "f", "nodes": [{"kind": "call", "name": "c", "flow": "pipe.yaml"}]}

    assert "`pipe.yaml` is not a file" in refusal(tmp_path, call)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(3)", "ends the program"),
        ("1 / 0", "ZeroDivisionError"),
        ("this is no Python", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_is_a_problem_of_who_calls_it(
    tmp_path: Path, code: str, told: str
) -> None:
    (tmp_path / "callee.py").write_text(code)
    call = {"flow": "f", "nodes": [{"kind": "call", "name": "c", "flow": "callee.py"}]}

    assert told in refusal(tmp_path, call)


# --- code -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{% macro m(n) %}{{ m(n - 1) }}{{ m(n - 1) }}{% endmacro %}{{ m(60) }}",
        "{% set a = 'x' %}",
        "{{ 9 ** 99999999 }}",
        "{{ [0] * 10 ** 10 }}",
        "{{ '%99999999s' % 1 }}",
        "{{ 'x'.center(10 ** 10) }}",
        "{{ 'x' | center(9999999999) }}",
        "{{ 'x' | map('center', 9999999999) | list }}",
        "{{ {'a': 1} | tojson(indent=9999999999) }}",
        "{{ 1.5 | round(9999999999, 'ceil') }}",
        "{{ 'x'" + " | list | string" * 40 + " }}",
        "{{ 'xxxxxxxxxx'" + " | replace('x', 'xxxxxxxxxx')" * 20 + " }}",
        "{{ 'xxxxxxxxxx'" + " | join('xxxxxxxxxx')" * 20 + " }}",
        "{{ " + "(" * 5000 + " }}",
        "{{ 1" + " + 1" * 5000 + " }}",
    ],
)
def test_a_template_cannot_take_long_or_much(template: str) -> None:
    began = time.thread_time()
    with pytest.raises(ValueError, match="template"):
        fill(template, {})
    assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ host | upper }}:{{ port + 1 }}", "DB:6"),
        ("{{ missing | default('none') }}", "none"),
        ("{% if port > 4 %}high{% elif port %}low{% else %}none{% endif %}", "high"),
        ("{{ hosts | join(', ') }} {{ hosts[0] ~ '/' ~ hosts[-1] }}", "a, b a/b"),
        ("{{ all | tojson(indent=2) }}", '{\n  "a": 1\n}'),
        ("{{ 99999999 | tojson }} {{ 123456789.126 | round(2) }}", "99999999 123456789.13"),
        ("{{ host if host is defined and not none else 'x' }}", "db"),
    ],
)
def test_a_template_can_do_what_variables_need(template: str, text: str) -> None:
    variables = {"host": "db", "port": 5, "hosts": ["a", "b"], "all": {"a": 1}}

    assert fill(template, variables) == fill(template, variables, strict=True) == text


@pytest.mark.parametrize(
    "code", ["{{ " + "(" * 5000, "{% if 1 %}" * 300 + "{% endif %}" * 300, "{{ 1" + "+1" * 5000 + " }}"]
)
def test_a_jinja_snippet_that_is_nested_too_deeply_is_refused(tmp_path: Path, code: str) -> None:
    assert "nested too deeply" in refusal(tmp_path, [snippet("jinja", code)])


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("code", ["{{ 9 ** 99999999 }}", "{{ 'x' | center(9999999999) }}"])
def test_a_jinja_snippet_computes_nothing_when_it_is_read(
    tmp_path: Path, code: str, *, native: bool
) -> None:
    path = tmp_path / "document.json"
    path.write_text(json.dumps([snippet("jinja", code, native=native)]))
    began = time.thread_time()

    assert Loader(standard_scheme()).check(path).nodes
    assert time.thread_time() - began < 10


@pytest.mark.parametrize("code", ["self" + ".a" * 100_000, "1" + "+1" * 100_000, "(" * 100_000])
def test_a_cel_expression_cannot_exhaust_the_stack(tmp_path: Path, code: str) -> None:
    assert "more than 12,000 characters" in refusal(tmp_path, [snippet("cel", code)])


def test_the_longest_cel_expression_works() -> None:
    from penstock.kinds.languages.cel import Expression

    code = "1" + "+1" * ((LONGEST - 1) // 2)
    assert Expression(code)({}) == len(code) // 2 + 1


def test_javascript_has_half_a_second_to_be_loaded(tmp_path: Path) -> None:
    code = "export default (() => { while (true); })()"

    assert "more than 0.5 s" in refusal(tmp_path, [snippet("javascript", code, limit_ms=600_000)])


@pytest.mark.parametrize(
    "code",
    ["-" * 100_000 + "1", "1" + "+1" * 100_000, "not " * 50_000 + "1", "lambda: " * 50_000 + "1"],
    ids=["minus", "plus", "not", "lambda"],
)
def test_python_that_is_nested_too_deeply_is_refused(tmp_path: Path, code: str) -> None:
    assert "nested too deeply" in refusal(tmp_path, [snippet("python", code)])


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(3)\ndef main(input): pass", "SystemExit: 3"),
        ("def main(input): pass\ndel main", "KeyError: 'main'"),
        ("1\0", "null bytes"),
    ],
)
def test_python_that_does_not_load_is_refused(tmp_path: Path, code: str, told: str) -> None:
    assert told in refusal(tmp_path, [snippet("python", code)])


# --- a namespace ----------------------------------------------------------------------


def test_the_order_of_a_circle_is_found_all_the_same() -> None:
    edges = {"a": ["b"], "b": ["c", "a"], "c": []}

    assert dependencies_first(edges, ["a", "b", "c"]) == ["c", "b", "a"]


async def test_a_link_means_a_name_before_the_id_of_another(home: World) -> None:
    await home.apply(
        {"kind": "bell", "name": "bell", "id": "last", "tag": "bell", "links": {"out": "first"}},
        {"kind": "tag", "name": "first", "tag": "first", "links": {"out": "second"}},
        {"kind": "tag", "name": "second", "tag": "second"},
    )
    # The id of the bell becomes the name of another node: no circle comes of that.
    await home.apply(
        {"kind": "tag", "name": "last", "tag": "last"},
        {"kind": "tag", "name": "second", "tag": "second", "links": {"out": "last"}},
    )

    assert await home.ring() == ["first", "second", "last"]


async def test_a_name_that_is_the_id_of_another_document_is_refused() -> None:
    specs = Specs(MemoryStore(), scheme=standard_scheme())
    await specs.create([{"kind": "nop", "id": "x"}])

    with pytest.raises(DocumentError, match="`x` is the name of one document and the id of another"):
        await specs.create([{"kind": "nop", "name": "x", "id": "y"}])
    with pytest.raises(DocumentError, match="`z` is the name of one document and the id of another"):
        await specs.apply([examine_data([{"kind": "nop", "name": "z"}, {"kind": "nop", "id": "z"}])])
    # A document may be called by its own id, and may take a name that is free again.
    await specs.apply(
        [examine_data([{"kind": "nop", "id": "x", "name": "w"}, {"kind": "nop", "name": "x"}])]
    )
    assert {(spec.id == "x", spec.name) for spec in await specs.read()} == {(True, "w"), (False, "x")}


async def test_a_trigger_that_is_named_like_another_node_is_broken_and_nothing_else(home: World) -> None:
    flow = {
        "flow": "tell",
        "nodes": [{"kind": "tag", "name": "inner", "tag": "inner"}],
        "triggers": [
            {"kind": "bell", "name": "tell", "tag": "lost"},
            {"kind": "bell", "name": "bell", "tag": "bell"},
            {"kind": "bell", "name": "bell", "tag": "second"},
        ],
    }
    await home.apply(flow)

    statuses = sorted((report.status, report.reason) for report in home.resident.reports)
    assert [status for status, _ in statuses] == [Status.ACTIVE] * 2 + [Status.BROKEN] * 2
    assert {reason.partition(": ")[2].partition("  ")[0] for _, reason in statuses[2:]} == {
        "another node is named `tell`",
        "another node is named `bell`",
    }
    assert await home.ring() == ["inner"]


async def test_a_trigger_with_an_odd_name_in_the_store_does_not_stop_the_loader(home: World) -> None:
    await home.broken(
        {
            "flow": "tell",
            "name": "tell",
            "nodes": [{"kind": "nop"}],
            "triggers": [{"kind": "bell", "name": 5}],
        }
    )
    await home.apply(
        {"kind": "bell", "name": "bell", "links": {"out": "a"}}, {"kind": "tag", "name": "a", "tag": "a"}
    )

    assert await home.ring() == ["a"]


async def test_the_id_of_a_value_is_one_line_too() -> None:
    class Open:
        def seal(self, content: bytes) -> bytes:
            return content

        def open(self, sealed: bytes) -> bytes:
            return sealed

    values = Values(MemoryStore(), vault=Open())
    with pytest.raises(DocumentError, match="this is not an id"):
        await values.create([{"id": "a\0b", "data": 1}])


@pytest.mark.parametrize("port", ["init", "term"])
async def test_what_never_ends_when_a_node_comes_or_goes_holds_up_nothing_else(port: str) -> None:
    waiting = {"kind": "delay", "name": "wait", "duration": "3d"}
    async with asyncio.timeout(30), world(drain_seconds=0.1) as home:
        await home.apply(waiting, {"kind": "nop", "name": "a", "links": {port: "wait"}})
        await home.apply(
            {"kind": "bell", "name": "bell", "links": {"out": "b"}},
            {"kind": "tag", "name": "b", "tag": "b"},
        )
        await home.delete("a")

        assert await home.ring() == ["b"]


async def test_an_init_that_never_ends_is_told() -> None:
    async with world(drain_seconds=0.1) as home:
        waiting = {"kind": "delay", "name": "wait", "duration": "3d"}
        await home.apply(waiting, {"kind": "nop", "name": "a", "links": {"init": "wait"}})

        assert home.report("a").status is Status.BROKEN
        assert "what hangs from `init` took more than 0.1 s" in home.report("a").reason
