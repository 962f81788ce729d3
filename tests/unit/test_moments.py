"""Moments as people type them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tracker.cli.when import moment

AT = 1_800_000_000.0
TODAY = datetime.fromtimestamp(AT).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    ("text", "before"),
    [("90s", 90), ("5m", 300), ("5min", 300), ("2h", 7_200), ("1.5h", 5_400), ("3d", 259_200), ("1w", 604_800),
     ("2h ago", 7_200), (" 2H ", 7_200), ("now", 0)],
)  # fmt: skip
def test_how_long_ago(text: str, before: float) -> None:
    """Counted back from now."""
    assert moment(text, AT) == AT - before


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("today", TODAY),
        ("yesterday", TODAY - timedelta(days=1)),
        ("2026-11-28", datetime(2026, 11, 28)),
        ("2026-11-28T09:30", datetime(2026, 11, 28, 9, 30)),
        ("2026-11-28 09:30:15", datetime(2026, 11, 28, 9, 30, 15)),
    ],
)
def test_days_and_times_are_those_of_this_machine(text: str, meant: datetime) -> None:
    """A day is its beginning."""
    assert moment(text, AT) == meant.timestamp()


@pytest.mark.parametrize("text", ["", "soon", "2 parsecs", "2026-13-01", "-3h", "99999999999d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Not guessed at."""
    with pytest.raises((ValueError, OverflowError)):
        moment(text, AT)
