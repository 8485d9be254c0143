"""Documents of crews: what they may say, and what is said where they are wrong."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.agents import documents

from penstock import Runtime
from penstock.agents import standard_readers
from penstock.core.errors import DocumentError, InputError, RunFailed, SettingsError
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme
from penstock.runtime import flows_of, load_flow

if TYPE_CHECKING:
    from tests.agents.model_server import Model

pytestmark = pytest.mark.filterwarnings("ignore")

LEAST = """
agents:
  one: {role: One, goal: g, backstory: b}
tasks:
  first: {description: "Do it for {who}", expected_output: x, agent: one}
"""


def written(folder: Path, text: str, name: str = "crew.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_crew_shows_what_its_document_says(tmp_path: Path) -> None:
    flow = load_flow(documents.search(tmp_path, "http://nowhere"))
    assert (flow.name, flow.source, flow.author, flow.tags) == ("search", "crew", "Ada", ("demo",))
    assert flow.description == "Look something up and write about it"
    assert flow.input_schema == {
        "type": "object",
        "properties": {"topic": {"type": "string"}},
        "required": ["topic"],
    }
    assert flow.output_schema == {"type": "string", "description": "a text"}


def test_a_crew_without_a_name_is_called_as_its_file(tmp_path: Path) -> None:
    assert load_flow(written(tmp_path, LEAST, "my crew.yaml")).name == "my-crew"
    assert [flow.name for flow in flows_of(tmp_path)] == ["my-crew"]


def test_inputs_may_be_declared(tmp_path: Path) -> None:
    text = f"inputs: {{who: {{type: string, default: Ada}}, how: {{type: integer}}}}\n{LEAST}"
    flow = load_flow(written(tmp_path, text))
    assert flow.accept({}) == {"who": "Ada"}
    with pytest.raises(InputError, match="how"):
        flow.accept({"how": "much"})


def test_agents_and_tasks_may_be_lists(tmp_path: Path) -> None:
    text = """
    crew: listed
    agents: [{name: one, role: One, goal: g, backstory: b}]
    tasks: [{name: first, description: Do it, expected_output: x, agent: one}]
    """
    assert load_flow(written(tmp_path, text)).name == "listed"


def test_a_changed_document_is_another_revision(tmp_path: Path) -> None:
    one = load_flow(written(tmp_path, LEAST))
    same = load_flow(written(tmp_path, f"# said with it\n{LEAST}"))
    other = load_flow(written(tmp_path, LEAST.replace("role: One", "role: Two")))
    assert one.revision == same.revision != other.revision


@pytest.mark.parametrize(
    ("change", "place", "message", "hint"),
    [
        (("role: One, ", ""), "3", "agents.one: `role` is missing", ""),
        (("goal: g", "gaol: g"), "3", "unknown field `gaol`", "did you mean `goal`?"),
        (("agent: one", "agent: two"), "5", "tasks.first.agent: no agent is named `two`", "one"),
        ((", agent: one", ""), "5", "`agent` is missing", "hierarchical"),
        (("agent: one", "agent: one, context: [zero]"), "5", "no task is named `zero`", "first"),
        (("agent: one", "agent: one, context: [first]"), "5", "`first` comes later", "before"),
        (("agent: one", "agent: one, human_input: maybe"), "5", "expected `true` or `false`", ""),
        (("agent: one", "agent: one, output: {type: text}"), "5", "is an object", "properties"),
        (("agent: one", "agent: one, tools: [no_such_tools:x]"), "5", "cannot import", "install"),
        (("agent: one", "agent: one, tools: [json:dumps]"), "5", "`json:dumps` is no tool", "@tool"),
        (("agents:", "process: sideways\nagents:"), "2", "which is not allowed", "sequential"),
        (("agents:", "process: hierarchical\nagents:"), "2", "needs a manager", "manager_llm"),
        (
            ("agents:", "llm: {model: m, api_key: sk-1}\nagents:"),
            "2",
            "cannot hold a key",
            "api_key_env",
        ),
        (("agents:", "llm: {modle: m}\nagents:"), "2", "unknown field `modle`", "did you mean `model`?"),
        (("agents:", "inputs: {whom: {}}\nagents:"), "6", "no input is named `who`", "whom"),
        (("agents:", "settings: {timeout: soon}\nagents:"), "2", "expected a duration", "30s"),
        (("agents:", "agentes:"), "", "`agents` is missing", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, change: tuple[str, str], place: str, message: str, hint: str
) -> None:
    path = written(tmp_path, f"crew: c{LEAST}".replace(*change, 1))
    with pytest.raises(DocumentError) as raised:
        load_flow(path)
    problem = next(each for each in raised.value.problems if message in str(each))
    assert problem.place is not None
    assert problem.place.file == str(path)
    assert not place or problem.place.line == int(place)
    assert hint in problem.hint


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = LEAST.replace("role: One", "rôle: One").replace("agent: one", "agnt: one")
    with pytest.raises(DocumentError) as raised:
        load_flow(written(tmp_path, text))
    assert len(raised.value.problems) >= 3


def test_a_crew_without_the_framework_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name == "crewai" else found(name, package)

    monkeypatch.setattr("penstock.agents.crewai.framework.find_spec", find_spec)
    with pytest.raises(SettingsError, match=r"pip install 'penstock\[crewai\]'"):
        load_flow(written(tmp_path, LEAST))


def test_validation_knows_crews(tmp_path: Path) -> None:
    loader = Loader(standard_scheme(), readers=standard_readers())
    assert loader.check(written(tmp_path, LEAST)).source == "crew"  # type: ignore[union-attr]


async def test_a_run_finds_the_crew_of_its_document_again(
    tmp_path: Path, url: str, model: Model
) -> None:
    model.answer("Research", "facts")
    model.answer("Write about", "the text")
    flow = load_flow(documents.search(tmp_path, model.url))
    async with Runtime(url) as runtime:
        run = await runtime.start(flow, topic="rain")
        assert await run.result() == "the text"
    async with Runtime(url) as runtime:
        again = await runtime.revisions.of(await runtime.get(run.fid).row())
        assert (again.name, again.revision) == (flow.name, flow.revision)
        assert again.document() == flow.document()
        retried = await runtime.retry(run.fid, from_start=True)
        assert await retried.result() == "the text"
    assert set(model.keys) == {"sk-of-the-environment-43"}


async def test_an_answer_may_be_data_by_a_schema(tmp_path: Path, runtime: Runtime, model: Model) -> None:
    model.answer("Do it for Ada", '{"good": true}')
    text = LEAST.replace(
        "agent: one",
        "agent: one, output: {type: object, properties: {good: {type: boolean}}, required: [good]}",
    )
    path = written(tmp_path, f'llm: {{model: openai/test, base_url: "{model.url}"}}\n{text}')
    run = await runtime.start(load_flow(path), who="Ada")
    assert await run.result() == {"good": True}


async def test_a_manager_may_be_a_model_or_an_agent(
    tmp_path: Path, runtime: Runtime, model: Model
) -> None:
    model.answer("Do it for Ada", "done")
    head = f'process: hierarchical\nllm: {{model: openai/test, base_url: "{model.url}"}}\n'
    boss = "manager: boss\n" + LEAST.replace(
        "agents:\n", "agents:\n  boss: {role: Boss, goal: g, backstory: b}\n"
    )
    for text in (LEAST.replace(", agent: one", ""), boss.replace(", agent: one", "")):
        run = await runtime.start(load_flow(written(tmp_path, head + text)), who="Ada")
        assert await run.result() == "done"
    assert "Boss" in model.asked[-1]


def test_a_node_with_a_field_of_that_name_is_no_crew(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="unknown field `crew`"):
        load_flow(written(tmp_path, "flow: f\ncrew: x\nnodes: [{kind: debug.log, name: a}]\n"))


async def test_a_key_that_is_not_there_is_named(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_MODEL_KEY", raising=False)
    run = await runtime.start(load_flow(documents.search(tmp_path, "http://x")), topic="rain")
    with pytest.raises(RunFailed, match="the environment has no `TEST_MODEL_KEY`"):
        await run.result()
