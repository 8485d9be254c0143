"""The reference of settings and of exit codes, from `cli/settings.py` and `cli/exits.py`."""

from __future__ import annotations

from members import member_docs
from penstock.cli.exits import Exit
from penstock.cli.settings import PREFIX, SETTINGS

SETTINGS_HEAD = """# Settings

Each setting is looked up in this order, and the first that has it wins:

1. the flag of the command line, `--store …`
2. the environment variable, `PENSTOCK_STORE`
3. `penstock.toml`, the nearest upwards from the current folder
4. `[tool.penstock]` in the nearest `pyproject.toml`
5. the default

`penstock config` shows every setting with its value and where that comes from.

"""

SETTINGS_TAIL = """
The default store is `.penstock/penstock.db` beside the nearest `penstock.toml`; without one it is
`penstock.db` in your user's data folder. A relative path in a settings file counts from that file.
A name that does not exist is an error that says which one was probably meant.

```toml title="penstock.toml"
store = "sqlite:///runs.db"
progress = "plain"
```

```console
$ penstock config
…
```
"""

EXITS_HEAD = """# Exit codes

`penstock` tells by its exit code how things went, so a script need not read its output.

"""


def settings() -> str:
    """The page of settings, as Markdown."""
    rows = ["| setting | variable | | allowed |", "|---|---|---|---|"]
    for setting in SETTINGS:
        allowed = ", ".join(f"`{choice}`" for choice in setting.choices)
        rows.append(
            f"| `{setting.name}` | `{PREFIX}{setting.name.upper()}` | {setting.doc} | {allowed} |"
        )
    return SETTINGS_HEAD + "\n".join(rows) + "\n" + SETTINGS_TAIL


def exit_codes() -> str:
    """The page of exit codes, as Markdown."""
    docs = member_docs(Exit)
    rows = [
        "| code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {docs[code.name]} |" for code in Exit),
    ]
    return EXITS_HEAD + "\n".join(rows) + "\n"
