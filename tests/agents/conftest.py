"""What tests of agents may ask for. CrewAI is imported once, by whoever needs it first."""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.agents.model_server import Model, serving

from penstock.agents.crewai import framework
from penstock.runtime import Runtime


@pytest.fixture(scope="session", autouse=True)
def _apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The framework keeps its files in a folder of the tests, and the log as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("crewai")))
        framework.load()
        yield


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Some parts of the framework give the root of the log a handler."""
    before = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = before


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """Models that a test wrote in Python keep their connections until they are collected."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """A model that answers by the test's script."""
    with serving(Model()) as model:
        monkeypatch.setenv("TEST_MODEL_URL", model.url)
        monkeypatch.setenv("TEST_MODEL_KEY", "sk-of-the-environment-43")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-never-used")
        yield model


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with Runtime("memory:") as runtime:
        yield runtime


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/runs.db"
