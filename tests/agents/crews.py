"""Crews and flows of CrewAI as people write them, against the model whose address the tests set."""

from __future__ import annotations

import os
from typing import Any

from crewai import LLM, Agent, Crew, Flow, Process, Task
from crewai.flow.flow import and_, listen, or_, router, start
from crewai.flow.human_feedback import human_feedback
from crewai.project import CrewBase, agent, crew, task
from crewai.tools import tool
from pydantic import BaseModel

__author__ = "Ada"


def llm(**more: Any) -> LLM:
    return LLM(
        model="openai/test", base_url=os.environ["TEST_MODEL_URL"], api_key="sk-in-the-code-42", **more
    )


@tool("look_up")
def look_up(city: str) -> str:
    """Look up a city."""
    print(f"looking up {city}")  # noqa: T201 - what it prints is to be seen
    return f"{city} is wet"


@tool("broken")
def broken(city: str) -> str:
    """Break."""
    raise ValueError(f"nothing is known of {city}")


class Verdict(BaseModel):
    """What came of it."""

    good: bool
    reason: str


def _agent(role: str, **more: Any) -> Agent:
    return Agent(role=role, goal="Do it", backstory="Brief", llm=llm(), max_retry_limit=0, **more)


def search() -> Crew:
    """A crew of two, one after the other."""
    researcher, writer = _agent("Researcher", tools=[look_up]), _agent("Writer")
    research = Task(
        name="research", description="Research {topic}", expected_output="facts", agent=researcher
    )
    write = Task(name="write", description="Write about {topic}", expected_output="text", agent=writer)
    return Crew(agents=[researcher, writer], tasks=[research, write])


def judged() -> Crew:
    """A crew whose answer is data."""
    judge = _agent("Judge")
    task = Task(
        name="judge",
        description="Judge {work}",
        expected_output="a verdict",
        agent=judge,
        output_pydantic=Verdict,
    )
    return Crew(agents=[judge], tasks=[task])


def reviewed() -> Crew:
    """A crew whose first answer is looked over by a person."""
    writer, printer = _agent("Writer"), _agent("Printer")
    draft = Task(
        name="draft", description="Draft it", expected_output="text", agent=writer, human_input=True
    )
    last = Task(name="print", description="Print it", expected_output="text", agent=printer)
    return Crew(agents=[writer, printer], tasks=[draft, last])


def writing() -> Crew:
    """A crew that leaves a file."""
    writer = _agent("Writer")
    report = Task(
        name="report",
        description="Report on {topic}",
        expected_output="text",
        agent=writer,
        output_file="{topic}/report.md",
    )
    return Crew(agents=[writer], tasks=[report])


def breaking() -> Crew:
    """A crew whose tool raises."""
    breaker = _agent("Breaker", tools=[broken])
    task = Task(name="break", description="Break it", expected_output="x", agent=breaker)
    return Crew(agents=[breaker], tasks=[task])


def beside() -> Crew:
    """A crew two of whose tasks are done at the same time."""
    first, second, third = _agent("First"), _agent("Second"), _agent("Third")
    one = Task(name="one", description="Do one", expected_output="x", agent=first, async_execution=True)
    two = Task(name="two", description="Do two", expected_output="x", agent=second, async_execution=True)
    both = Task(name="both", description="Do both", expected_output="x", agent=third, context=[one, two])
    return Crew(agents=[first, second, third], tasks=[one, two, both])


def managed() -> Crew:
    """A crew with a manager."""
    worker = _agent("Worker")
    job = Task(name="job", description="Do the job", expected_output="x")
    return Crew(agents=[worker], tasks=[job], process=Process.hierarchical, manager_llm=llm())


def wanting(topic: str) -> Crew:
    raise NotImplementedError(topic)


@CrewBase
class Classy:
    """A crew that is put together by decorators."""

    agents_config = {"one": {"role": "One", "goal": "g", "backstory": "b"}}
    tasks_config = {"only": {"description": "Only {thing}", "expected_output": "x", "agent": "one"}}

    @agent
    def one(self) -> Agent:
        return Agent(config=self.agents_config["one"], llm=llm())

    @task
    def only(self) -> Task:
        return Task(config=self.tasks_config["only"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)


class State(BaseModel):
    topic: str = "rain"
    words: list[str] = []
    count: int = 0


CALLS: list[str] = []


class Plan(Flow[State]):
    """Plan what to write about a topic."""

    @start()
    def gather(self) -> str:
        CALLS.append("gather")
        print(f"gathering {self.state.topic}")  # noqa: T201 - what it prints is to be seen
        self.state.words.append(self.state.topic)
        return f"facts of {self.state.topic}"

    @listen(gather)
    async def left(self, facts: str) -> str:
        CALLS.append("left")
        self.state.words.append("left")
        return f"left of {facts}"

    @listen(gather)
    def right(self, facts: str) -> str:
        CALLS.append("right")
        self.state.count += 1
        return f"right of {facts}"

    @router(and_(left, right))
    def decide(self) -> str:
        CALLS.append("decide")
        return "short" if self.state.count == 1 else "long"

    @listen("short")
    def write_short(self) -> dict[str, Any]:
        CALLS.append("write_short")
        return {"words": sorted(self.state.words), "count": self.state.count}

    @listen("long")
    def write_long(self) -> str:
        return "long"


class Talking(Flow[dict[str, Any]]):
    """Ask a model directly, and a crew."""

    @start()
    def begin(self) -> str:
        return _agent("Talker").kickoff(f"Talk about {self.state['topic']}").raw

    @listen(begin)
    def crewed(self, words: str) -> str:
        self.state["words"] = words
        return search().kickoff({"topic": self.state["topic"]}).raw


class Held(Flow[State]):
    """Stop in the second method until the model answers."""

    @start()
    def first(self) -> Verdict:
        CALLS.append("first")
        self.state.count = 7
        return Verdict(good=True, reason="because")

    @listen(first)
    def second(self, verdict: Verdict) -> str:
        CALLS.append("second")
        said = _agent("Talker").kickoff("Talk slowly").raw
        return f"{said} {verdict.reason} {self.state.count}"


class Odd(Flow[State]):
    """Pass on what JSON cannot say."""

    @start()
    def some(self) -> set[int]:
        CALLS.append("some")
        self.state.count += 1
        return {1, 2}

    @listen(some)
    def talk(self, numbers: set[int]) -> str:
        CALLS.append("talk")
        said = _agent("Talker").kickoff("Talk slowly").raw
        return f"{said} {sum(numbers)} {self.state.count}"


class Asking(Flow[State]):
    """Ask people."""

    @start()
    def question(self) -> str:
        return f"they said {self.ask('What now?')}"

    @human_feedback(message="Is this right?", emit=["right", "wrong"], llm="gpt-4o-mini")
    @listen(question)
    def draft(self, said: str) -> str:
        return f"draft: {said}"

    @listen("right")
    def publish(self) -> str:
        return "published"

    @listen(or_("wrong"))
    def scrap(self) -> str:
        return f"scrapped: {self.last_human_feedback.feedback}"


plan = Plan()
"""A flow as an object rather than a class."""
