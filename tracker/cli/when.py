"""Moments as people type them: how long ago, a day, or a time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import click

from tracker.clock import now

AGE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|m|min|h|d|w)")

SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}

FORMS = "write it as 2h or 3d (ago), today, yesterday, 2026-11-28 or 2026-11-28T09:30"


def moment(text: str, at: float) -> float:
    """What ``text``, said at ``at``, stands for; both UTC seconds. A day is its beginning, by this machine's clock.

    Raises ``ValueError``.

    >>> moment("2h", 10_000.0), moment("1970-01-01T01:00Z", 0.0)
    (2800.0, 3600.0)
    """
    said = text.strip().lower()
    if found := AGE.fullmatch(said.removesuffix("ago").rstrip()):
        return at - float(found[1]) * SECONDS[found[2]]
    if said in ("today", "yesterday"):
        day = datetime.fromtimestamp(at).replace(hour=0, minute=0, second=0, microsecond=0)
        return (day - timedelta(days=said == "yesterday")).timestamp()
    return at if said == "now" else datetime.fromisoformat(text.strip()).timestamp()


class When(click.ParamType[float]):
    """A moment as the value of an option: UTC seconds."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return moment(value, now())
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is no moment; {FORMS}", param, ctx)
