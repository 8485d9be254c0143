"""`penstock test`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Penstock = Callable[..., Any]

GRAPH = """
- {kind: cron, name: hourly, schedule: "@hourly", links: {out: fetch.url}}
- {kind: http.request, name: fetch, method: GET, links: {body: price, status: log.message}}
- {kind: snippet, name: price, language: cel, code: self.price * 2}
- {kind: log, name: log}
"""


@pytest.fixture
def graph(tmp_path: Path) -> Callable[[str], str]:
    """Write a graph with these tests to a file."""

    def write(tests: str, around: str = GRAPH) -> str:
        (tmp_path / "graph.yaml").write_text(around + textwrap.dedent(tests))
        return "graph.yaml"

    return write


def told(out: str) -> list[tuple[str, str]]:
    """The mark and the name of each test, as printed."""
    lines = (line.split() for line in out.splitlines() if line[:1] in "✓✗")
    return [(mark, name) for mark, name, *_ in lines]


def test_a_test_passes_with_its_mock_in_the_place_of_a_node(
    penstock: Penstock, graph: Callable[[str], str]
) -> None:
    file = graph(
        "- {kind: test, name: doubles, expect: 6, mock: {fetch.body: {price: 3}}, links: {out: fetch}}"
    )
    done = penstock("test", "-f", file)
    assert (done.code, told(done.out)) == (0, [("✓", "doubles")]), done.err
    assert done.out.endswith("1 test, all passed\n")


def test_a_test_that_fails_shows_the_difference(penstock: Penstock, graph: Callable[[str], str]) -> None:
    file = graph(
        """
        - {kind: test, name: right, input: {price: 2}, expect: 4, links: {out: price}}
        - {kind: test, name: wrong, input: {price: 2}, expect: 5, links: {out: price}}
        """
    )
    done = penstock("test", "-f", file)
    assert (done.code, told(done.out)) == (1, [("✓", "right"), ("✗", "wrong")])
    assert "    the answer is not what was expected\n      the answer: expected 5, found 4\n" in done.out
    assert done.out.endswith("2 tests, 1 failed\n")


def test_a_pattern_chooses_among_the_tests(penstock: Penstock, graph: Callable[[str], str]) -> None:
    names = ("small-one", "large-one", "large-other")
    file = graph(
        "\n".join(
            f"- {{kind: test, name: {name}, input: {{price: 1}}, links: {{out: price}}}}"
            for name in names
        )
    )
    assert told(penstock("test", "^large", "-f", file).out) == [("✓", "large-one"), ("✓", "large-other")]
    none = penstock("test", "medium", "-f", file)
    assert none.code == 2
    assert "there is no test whose name matches `medium` in graph.yaml" in none.err
    broken = penstock("test", "(", "-f", file)
    assert broken.code == 2
    assert "`(` is no regular expression" in broken.err


def test_programs_get_json(penstock: Penstock, graph: Callable[[str], str]) -> None:
    file = graph("- {kind: test, name: wrong, input: {price: 2}, expect: 5, links: {out: price}}")
    done = penstock("test", "-f", file, "--json")
    (found,) = json.loads(done.out)
    assert done.code == 1
    assert found.pop("duration_ms") >= 0
    assert found == {
        "test": "wrong",
        "namespace": "default",
        "passed": False,
        "error": {
            "code": "assertion",
            "message": "the answer is not what was expected\n  the answer: expected 5, found 4",
            "node": "wrong",
            "details": {"differences": ["the answer: expected 5, found 4"], "found": 4},
        },
    }


def test_a_failure_inside_the_graph_is_told_with_its_place(
    penstock: Penstock, graph: Callable[[str], str]
) -> None:
    file = graph("- {kind: test, name: empty, input: {}, links: {out: price}}")
    done = penstock("test", "-f", file)
    assert done.code == 1
    assert "there is no field `price`" in done.out
    assert "in empty[0]/price" in done.out


def test_a_mock_can_fail_in_the_place_of_a_node(penstock: Penstock, graph: Callable[[str], str]) -> None:
    file = graph(
        """
        - kind: test
          name: tells-of-a-failure
          fails: http.status
          that: self.error() == "502 Bad Gateway"
          mock: {fetch.error: {code: http.status, message: 502 Bad Gateway}}
          links: {out: fetch.url}
        """
    )
    done = penstock("test", "-f", file)
    assert (done.code, told(done.out)) == (0, [("✓", "tells-of-a-failure")]), done.out


@pytest.mark.parametrize(
    ("mock", "message"),
    [
        ("{fetsch: 1}", "did you mean `fetch`?"),
        ("{hourly: 1}", "its mock `hourly` is for `hourly`, which it does not reach"),
        ("{fetch: 1}", "does not say which port answers"),
        ("{fetch.error: late}", "write a mapping of code, details, message"),
    ],
)
def test_a_mock_that_cannot_be_fails_its_test(
    penstock: Penstock, graph: Callable[[str], str], mock: str, message: str
) -> None:
    file = graph(f"- {{kind: test, name: broken, mock: {mock}, links: {{out: fetch}}}}")
    done = penstock("test", "-f", file)
    assert (done.code, told(done.out)) == (1, [("✗", "broken")])
    assert message in done.out


def test_mocks_of_one_test_are_not_seen_by_another(
    penstock: Penstock, graph: Callable[[str], str]
) -> None:
    file = graph(
        """
        - {kind: test, name: mocked, expect: 1, mock: {price: 1}, links: {out: price}}
        - {kind: test, name: real, input: {price: 4}, expect: 8, links: {out: price}}
        """
    )
    assert told(penstock("test", "-f", file).out) == [("✓", "mocked"), ("✓", "real")]


def test_a_join_gets_what_its_mocks_answer(penstock: Penstock, graph: Callable[[str], str]) -> None:
    around = """
- {kind: fork, name: both, links: {"out[0]": left, "out[1]": right}}
- {kind: http.request, name: left, url: "http://127.0.0.1:1/", links: {body: sum}}
- {kind: http.request, name: right, url: "http://127.0.0.1:1/", links: {body: sum}}
- {kind: snippet, name: sum, language: cel, code: self + 1}
"""
    tests = "- {kind: test, name: adds, expect: [2, 3], mock: {left: 1, right: 2}, links: {out: both}}"
    assert told(penstock("test", "-f", graph(tests, around)).out) == [("✓", "adds")]


def test_a_test_that_takes_too_long_fails(penstock: Penstock, graph: Callable[[str], str]) -> None:
    around = "- {kind: delay, name: nap, duration: 1h}\n"
    file = graph("- {kind: test, name: sleeps, links: {out: nap}}", around)
    done = penstock("test", "-f", file, "--timeout", "50ms")
    assert done.code == 1
    assert "it took longer than 50ms" in done.out


def test_a_test_that_lacks_something_says_what(penstock: Penstock, graph: Callable[[str], str]) -> None:
    around = (
        "- {kind: snippet, name: key, language: text, code: '{{ .KEY }}', env: {KEY: {name: api}}}\n"
    )
    file = graph("- {kind: test, name: keyed, expect: s3cret, links: {out: key}}", around)
    done = penstock("test", "-f", file)
    assert done.code == 1
    assert "it cannot be run" in done.out
    assert "the value `api` is missing" in done.out
    Path("values.yaml").write_text("api: s3cret\n")
    done = penstock("test", "-f", file, "--values", "values.yaml")
    assert (done.code, told(done.out)) == (0, [("✓", "keyed")]), done.out


def test_variables_are_there_for_tests_as_well(penstock: Penstock, graph: Callable[[str], str]) -> None:
    around = "- {kind: snippet, name: stage, language: text, code: '{{ .STAGE }}'}\n"
    file = graph("- {kind: test, name: staged, expect: dev, links: {out: stage}}", around)
    assert penstock("test", "-f", file, "-e", "STAGE=dev").code == 0


def test_the_tests_of_a_namespace_of_the_store_are_run(
    penstock: Penstock, graph: Callable[[str], str]
) -> None:
    file = graph("- {kind: test, name: stored, input: {price: 1}, expect: 2, links: {out: price}}")
    assert penstock("apply", "specs", "-n", "shop", "-f", file).code == 0
    done = penstock("test", "-n", "shop")
    assert (done.code, told(done.out)) == (0, [("✓", "stored")]), done.err
    nothing = penstock("test", "-n", "elsewhere")
    assert nothing.code == 2
    assert "there is no test in the namespace `elsewhere`" in nothing.err


def test_tests_in_files_leave_the_store_alone(penstock: Penstock, graph: Callable[[str], str]) -> None:
    penstock("test", "-f", graph("- {kind: test, name: alone, input: {price: 1}, links: {out: price}}"))
    assert not Path("runs.db").exists()


def test_a_document_that_is_broken_is_refused_as_a_whole(
    penstock: Penstock, graph: Callable[[str], str]
) -> None:
    done = penstock(
        "test", "-f", graph("- {kind: test, name: broken, that: 'self =', links: {out: price}}")
    )
    assert done.code == 2
    assert "`self =` is not a condition" in done.err
    assert "graph.yaml:6" in done.err


def test_a_flow_of_the_same_namespace_can_be_tested(
    penstock: Penstock, graph: Callable[[str], str]
) -> None:
    around = """
- flow: greet
  inputs: {name: {type: string}}
  nodes: [{kind: snippet, name: say, language: jinja, code: "hello {{ name }}"}]
"""
    file = graph(
        "- {kind: test, name: greets, input: {name: Ada}, expect: hello Ada, links: {out: greet}}",
        around,
    )
    done = penstock("test", "-f", file)
    assert (done.code, told(done.out)) == (0, [("✓", "greets")]), done.out + done.err
