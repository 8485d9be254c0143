"""Documents of crews for the tests."""

from __future__ import annotations

from pathlib import Path

TOOLS = '''
from crewai.tools import tool


@tool("look_up")
def look_up(city: str) -> str:
    """Look up a city."""
    print(f"looking up {city}")
    return f"{city} is wet"
'''

SEARCH = """
crew: search
description: Look something up and write about it
author: Ada
tags: [demo]
llm: {{model: openai/test, base_url: "{url}", api_key_env: TEST_MODEL_KEY, {more}}}
agents:
  researcher:
    role: Researcher
    goal: Find facts
    backstory: Thorough
    tools: ["crew_tools.py:look_up"]
  writer: {{role: Writer, goal: Write, backstory: Brief, max_retry_limit: 0}}
tasks:
  research:
    description: Research {{topic}}
    expected_output: facts
    agent: researcher
  write:
    description: Write about {{topic}}
    expected_output: a text
    agent: writer
"""


def search(folder: Path, url: str, *, more: str = "temperature: 0") -> Path:
    """The document of a crew of two, with the tool of one of them beside it."""
    (folder / "crew_tools.py").write_text(TOOLS)
    path = folder / "search.yaml"
    path.write_text(SEARCH.format(url=url, more=more))
    return path
