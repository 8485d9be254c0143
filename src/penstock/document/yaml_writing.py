"""Plain data as YAML text that reads back as the same data."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from penstock.document.yaml_text import is_text

_WIDTH: Final = 100
_ODD: Final = re.compile("[^\\n\x20-\x7e\xa0-\u2027\u202a-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_TEXT: Final = "tag:yaml.org,2002:str"


def to_yaml(data: Any) -> str:
    """The YAML of plain data, in block style; long texts stand in lines of their own."""
    text: str = yaml.dump(
        data, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=False
    )
    return text


class _Writer(yaml.SafeDumper):
    """Quotes what YAML 1.2 would read as something else; PyYAML knows version 1.1 alone."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature of the base
        return True  # what is shared in memory is written out, wherever it stands

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)  # the entries of a list stand below its key, indented


def _represent(writer: _Writer, text: str) -> yaml.ScalarNode:
    if _ODD.search(text):
        style = '"'  # the one style with escapes
    elif "\n" in text.rstrip("\n"):
        style = "|"
    else:
        style = "" if is_text(text) else "'"
    return writer.represent_scalar(_TEXT, text, style=style or None)


_Writer.add_representer(str, _represent)
