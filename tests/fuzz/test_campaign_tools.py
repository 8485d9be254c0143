"""The tools of the campaigns notice what they are there to notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.campaigns import ROOT, Failed, read_report, run
from tests.fuzz.corpus import seeds
from tests.fuzz.data import changed, places
from tests.fuzz.mutations import Mutations
from tests.fuzz.report import Report
from tests.fuzz.validating import check
from tests.fuzz.watchdog import LAST_INPUT, Watchdog

from penstock.core.errors import DocumentError
from penstock.engine.kind import Action
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme


class Faulty(Action, kind="faulty"):
    """Fails as no kind should."""

    def check(self) -> None:
        raise KeyError("oops")


class Crashing(Action, kind="crashing"):
    """Raises what is no error of a document, and is caught by nobody."""

    def check(self) -> None:
        raise KeyboardInterrupt


def loader() -> Loader:
    scheme = standard_scheme()
    scheme.add(Faulty, Crashing)
    return Loader(scheme)


def written(folder: Path, text: str) -> Path:
    path = folder / "document.yaml"
    path.write_text(text)
    return path


def test_a_right_document_and_a_wrong_one_are_told_apart(tmp_path: Path) -> None:
    assert check(loader(), written(tmp_path, "- {kind: nop}"))
    assert not check(loader(), written(tmp_path, "- {kind: nopp}"))


def test_a_kind_that_fails_is_a_finding_and_not_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="a kind failed"):
        check(loader(), written(tmp_path, "- {kind: faulty}"))
    with pytest.raises(DocumentError, match="KeyError: 'oops'"):
        loader().check(tmp_path / "document.yaml")


def test_what_nobody_catches_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        check(loader(), written(tmp_path, "- {kind: crashing}"))


def test_an_input_that_takes_too_long_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dog = Watchdog(tmp_path)
    times = iter([0.0, 99.0])
    monkeypatch.setattr("tests.fuzz.watchdog.time.process_time", lambda: next(times))

    with pytest.raises(AssertionError, match=r"3 bytes took 99\.0 s"), dog.over(b"abc"):
        pass
    assert (tmp_path / LAST_INPUT).read_bytes() == b"abc"


def test_a_campaign_that_dies_shows_what_it_died_of() -> None:
    with pytest.raises(Failed, match="invalid choice"):
        run("nonsense", megabytes=1, seed=1)


@pytest.mark.parametrize(
    "act",
    [
        "import os; os.system('true')",
        "import subprocess; subprocess.run(['true'])",
        "import pathlib; pathlib.Path('/tmp/beyond').write_text('x')",
        "import os; os.remove('/tmp/beyond')",
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import socket; socket.socket().bind(('0.0.0.0', 0))",
        "exec(compile('x = 1', '<snippet>', 'exec'))",
    ],
)
def test_nothing_reaches_beyond_the_fence(act: str, tmp_path: Path) -> None:
    code = f"import pathlib; from tests.fuzz.fence import fence; fence(pathlib.Path('.'))\n{act}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "PermissionError" in done.stderr


def test_what_stays_in_its_folder_is_allowed(tmp_path: Path) -> None:
    code = (
        "import pathlib, socket; from tests.fuzz.fence import fence; fence(pathlib.Path('.'))\n"
        "pathlib.Path('inside').write_text('x'); socket.socket().bind(('127.0.0.1', 0))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)

    assert (tmp_path / "inside").read_text() == "x"


def test_one_seed_makes_one_stream_of_documents() -> None:
    one, same, other = Mutations(1), Mutations(1), Mutations(2)

    first = [one.text() for _ in range(50)]
    assert first == [same.text() for _ in range(50)]
    assert first != [other.text() for _ in range(50)]
    assert len(set(first)) > 40


def test_the_corpus_has_examples_snippets_and_kinds() -> None:
    found = seeds()

    assert len(found) > 100
    assert any("kind: listener" in text for text in found)
    assert any("connections" in text for text in found)


def test_a_document_is_changed_in_a_copy() -> None:
    mutations = Mutations(3)
    document = [{"kind": "nop", "links": {"out": ["a"]}}]
    for _ in range(200):
        changed(mutations.chance, document, [document])

    assert document == [{"kind": "nop", "links": {"out": ["a"]}}]
    assert len(list(places(document))) == 5


def test_a_report_crosses_to_another_process() -> None:
    report = Report(campaign="x", inputs=2, size_bytes=10, accepted=1, slowest_seconds=0.5)

    assert read_report(f"noise\n{report.line()}\n") == report
    assert str(report) == "x: 2 inputs, 0.0 MB; 1 were right, the slowest took 0.50 s"
