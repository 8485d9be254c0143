"""Node-RED with `http in → function → http response`, if `NODE_RED` names the folder of its package.

npm install --prefix /tmp/node-red node-red
NODE_RED=/tmp/node-red python -m benchmarks http_server
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.http_load import Served, free_port, program

_PLACE: Final = {"z": "tab", "x": 0, "y": 0}  # what has no place is taken for a setting
_FLOW: Final = [
    {"id": "tab", "type": "tab", "label": "bench"},
    {"id": "in", "type": "http in", "url": "/", "method": "get", "wires": [["function"]], **_PLACE},
    {
        "id": "function",
        "type": "function",
        "func": "msg.payload = {hello: 'world'}; return msg;",
        "outputs": 1,
        "wires": [["response"]],
        **_PLACE,
    },
    {"id": "response", "type": "http response", "wires": [], **_PLACE},
]

_SETTINGS: Final = """module.exports = {
  uiPort: %d, uiHost: '127.0.0.1', flowFile: 'flows.json', httpAdminRoot: false, credentialSecret: false,
  diagnostics: {enabled: false, ui: false}, telemetry: {enabled: false},
  logging: {console: {level: 'off', metrics: false, audit: false}}
};
"""


def entry() -> str:
    """The program of Node-RED, or "" when it is not there."""
    folder = os.environ.get("NODE_RED", "")
    path = Path(folder) / "node_modules" / "node-red" / "red.js"
    return str(path) if folder and path.is_file() and shutil.which("node") else ""


@asynccontextmanager
async def node_red() -> AsyncIterator[Served]:
    """It, while it runs in a folder of its own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "flows.json").write_text(json.dumps(_FLOW))
        (home / "settings.js").write_text(_SETTINGS % port)
        argv = ["node", entry(), "--userDir", folder, "--settings", str(home / "settings.js")]
        async with program(argv, port=port, cwd=folder) as served:
            yield served
