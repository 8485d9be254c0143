"""`cron`: a process at the times that a cron expression names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from penstock.core.problems import nearest
from penstock.engine.kind import FieldError, field
from penstock.kinds.schedule.scheduled import Scheduled

NAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""Schedules that have a name."""

_FORMS: Final = (
    "write `minute hour day month weekday`, with the second before them if there are six, "
    "as in `30 8 * * MON-FRI`; or a name: " + ", ".join(NAMES)
)


class Cron(Scheduled, kind="cron", aliases=("time.cron",)):
    """Start a process at the times that a cron expression names.

    Each tick is recorded as a run, exactly once, however many runtimes share the store: the
    first to come records it, and goes on with it after a crash.

    Config: schedule, or cron, which is the same: five fields, `minute hour day month weekday`,
    or six with the second first. A field is `*`, a number, a range `1-5`, a list `1,15`, or steps
    `*/10`; months and weekdays may be names (`JAN`, `MON`), `L` is the last day of the month,
    `LW` its last working day, `FRI#2` the second Friday and `FRIL` the last one. `@hourly`,
    `@daily`, `@weekly`, `@monthly` and `@yearly` are names of schedules. If day and weekday are
    both given, either is enough.

    - timezone (UTC): `Europe/Berlin` and the like.
    - missed: what becomes of ticks that no runtime was there for. `skip` (the default) leaves
      them out, `once` makes up for the latest one, `all` for each, up to missed_limit (100).
      A tick that is less than 5 s late is not missed.
    - overlap: `allow` (the default), or `skip` to leave a tick out while the process of an
      earlier one still runs in this runtime.
    - immediate: true begins with the latest tick, unless something was started for it.
    - durable: false records nothing: every runtime starts a process of its own for each tick
      that it is there for. drain (10s) is how long such processes may take when they have to end.

    When clocks change: five fields with a fixed minute and hour happen once a day, as in Debian's
    cron. A time that is left out happens at the end of the gap, one that comes twice happens the
    first time. What has a `*` in its minute or hour, or six fields, follows the clock on the wall:
    what is left out does not happen, and what comes twice happens twice.

    After a change of the schedule, the ticks that it would have had since the last one count as
    missed.

    Ports: out, called with a mapping: `time` (the tick, as ISO 8601 text), `timestamp` (the
    same in epoch seconds), `missed` (whether it was made up for).

    Errors: a process that fails goes to what hangs from `error`, or else to the log.

    Example:
        - {kind: cron, name: nightly, schedule: 30 3 * * *, timezone: Europe/Rome, links: {out: report}}
        - {kind: snippet, name: report, language: cel, code: "'the report of ' + self.time"}
    """

    schedule: str | None = None
    cron: str | None = None
    timezone: str = "UTC"
    zone_info: tzinfo = field(init=False, default=None)
    expression: str = field(init=False, default="")

    @property
    def zone(self) -> tzinfo:
        return self.zone_info

    def check(self) -> None:
        self.zone_info = _zone(self.timezone)
        if self.schedule is not None and self.cron is not None:
            raise FieldError("cron", "`schedule` and `cron` say the same; keep one")
        name, text = ("schedule", self.schedule) if self.cron is None else ("cron", self.cron)
        if text is None:
            raise FieldError("schedule", f"it has no schedule: {_FORMS}")
        self.expression = NAMES.get(text.strip().lower(), text)
        try:
            never = next(self.after(0.0), None) is None
        except CronSimError as error:
            raise FieldError(
                name, f"`{text}` is no schedule: {_reason(text, error)}; {_FORMS}"
            ) from error
        if never:
            raise FieldError(name, f"`{text}` never comes: no such day in 50 years")

    def describe(self) -> str:
        return f"{self.schedule or self.cron} ({self.timezone})"

    def after(self, moment: float) -> Iterator[float]:
        ticks = CronSim(self.expression, self._second(moment))
        # In an hour that comes twice, the library may begin with what was in the first one.
        return (tick for tick in map(datetime.timestamp, ticks) if tick > moment)

    def until(self, moment: float) -> Iterator[float]:
        # With a fraction of a second, the library begins with the whole second itself.
        start = self._second(moment).replace(microsecond=1)
        ticks = CronSim(self.expression, start, reverse=True)
        return (tick for tick in map(datetime.timestamp, ticks) if tick <= moment)

    def _second(self, moment: float) -> datetime:
        """The second that a moment is in: rounding could lead to the next one."""
        return datetime.fromtimestamp(math.floor(moment), self.zone)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # no such zone, a folder of zones, no path at all
        close = nearest(name, available_timezones())
        hint = f"did you mean `{close}`?" if close else "write one such as `Europe/Berlin` or `UTC`"
        raise FieldError("timezone", f"there is no time zone `{name}`: {hint}") from error


def _reason(text: str, error: CronSimError) -> str:
    if text.startswith("@"):
        return "there is no such name"
    count = len(text.split())
    return str(error).lower() if count in (5, 6) else f"it has {count} fields"
