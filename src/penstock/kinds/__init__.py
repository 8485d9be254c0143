"""The built-in kinds, one family per file.

A kind is imported when a document first names it: the table below is all that start-up pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.engine.scheme import Scheme

KINDS: Final[dict[str, str]] = {
    "control.if": "penstock.kinds.branching:If",
    "if": "penstock.kinds.branching:If",
    "control.merge": "penstock.kinds.branching:Merge",
    "merge": "penstock.kinds.branching:Merge",
    "control.nop": "penstock.kinds.branching:Nop",
    "nop": "penstock.kinds.branching:Nop",
    "control.switch": "penstock.kinds.branching:Switch",
    "switch": "penstock.kinds.branching:Switch",
    "cache": "penstock.kinds.cache:Cache",
    "control.cache": "penstock.kinds.cache:Cache",
    "call": "penstock.kinds.call:Call",
    "flow": "penstock.kinds.call:FlowNode",
    "control.fork": "penstock.kinds.composing:Fork",
    "fork": "penstock.kinds.composing:Fork",
    "control.pipe": "penstock.kinds.composing:Pipe",
    "pipe": "penstock.kinds.composing:Pipe",
    "debug.inspect": "penstock.kinds.debug:Inspect",
    "inspect": "penstock.kinds.debug:Inspect",
    "debug.log": "penstock.kinds.debug:Log",
    "log": "penstock.kinds.debug:Log",
    "control.retry": "penstock.kinds.errors:RetryBranch",
    "retry": "penstock.kinds.errors:RetryBranch",
    "control.throw": "penstock.kinds.errors:Throw",
    "throw": "penstock.kinds.errors:Throw",
    "control.try": "penstock.kinds.errors:Try",
    "try": "penstock.kinds.errors:Try",
    "file.read": "penstock.kinds.files:FileRead",
    "file.write": "penstock.kinds.files:FileWrite",
    "http.listener": "penstock.kinds.http.listener:Listener",
    "listener": "penstock.kinds.http.listener:Listener",
    "http": "penstock.kinds.http.request:HttpRequest",
    "http.request": "penstock.kinds.http.request:HttpRequest",
    "http.router": "penstock.kinds.http.router:Router",
    "router": "penstock.kinds.http.router:Router",
    "http.webhook": "penstock.kinds.http.webhook:Webhook",
    "webhook": "penstock.kinds.http.webhook:Webhook",
    "control.lock": "penstock.kinds.lock:Lock",
    "lock": "penstock.kinds.lock:Lock",
    "control.for": "penstock.kinds.looping:Loop",
    "control.loop": "penstock.kinds.looping:Loop",
    "for": "penstock.kinds.looping:Loop",
    "loop": "penstock.kinds.looping:Loop",
    "control.split": "penstock.kinds.looping:Split",
    "split": "penstock.kinds.looping:Split",
    "block": "penstock.kinds.nesting:Block",
    "control.block": "penstock.kinds.nesting:Block",
    "control.step": "penstock.kinds.nesting:Step",
    "step": "penstock.kinds.nesting:Step",
    "python": "penstock.kinds.python:Python",
    "control.rate_limit": "penstock.kinds.rate_limit:RateLimit",
    "rate_limit": "penstock.kinds.rate_limit:RateLimit",
    "throttle": "penstock.kinds.rate_limit:RateLimit",
    "cron": "penstock.kinds.schedule.cron:Cron",
    "time.cron": "penstock.kinds.schedule.cron:Cron",
    "interval": "penstock.kinds.schedule.interval:Interval",
    "time.interval": "penstock.kinds.schedule.interval:Interval",
    "shell": "penstock.kinds.shell.exec:ShellExec",
    "shell.exec": "penstock.kinds.shell.exec:ShellExec",
    "snippet": "penstock.kinds.snippet:Snippet",
    "sql": "penstock.kinds.sql.query:Sql",
    "assert": "penstock.kinds.testing.assertion:Assert",
    "control.assert": "penstock.kinds.testing.assertion:Assert",
    "mock": "penstock.kinds.testing.mock:Mock",
    "test": "penstock.kinds.testing.trial:Trial",
    "delay": "penstock.kinds.time:Delay",
    "sleep": "penstock.kinds.time:Delay",
    "time.delay": "penstock.kinds.time:Delay",
    "syscall": "penstock.kinds.syscall:Syscall",
    "transform.json_parse": "penstock.kinds.transform:JsonParse",
    "transform.json_stringify": "penstock.kinds.transform:JsonStringify",
    "file.watch": "penstock.kinds.watch.trigger:Watch",
    "watch": "penstock.kinds.watch.trigger:Watch",
}
"""Kind name or alias → `module:class`."""


def standard_scheme(*modules: str) -> Scheme:
    """The built-in kinds, those of plugins, and those of further modules or files.

    Raises SettingsError when one of `modules` cannot be imported or defines no kinds.
    """
    from penstock.engine.scheme import Scheme

    scheme = Scheme(KINDS, plugins=True)
    for module in modules:
        scheme.add_module(module)
    return scheme
