"""What callers may give to a ``StepTracker``; anything else raises ``TrackerError`` and says what would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracker.errors import TrackerError
from tracker.ids import ID
from tracker.redact import line


def checked_id(id: str | None) -> str | None:
    """``id``, if it may be an operation's."""
    if id is not None and not (isinstance(id, str) and ID.fullmatch(id)):
        raise TrackerError(f"id is {line(repr(id))}; use 1 to 128 letters, digits, or any of . _ : -")
    return id


def checked_plan(steps: Sequence[str] | None) -> list[str]:
    """The names of a declared plan; a text would be taken apart into its letters."""
    if isinstance(steps, str):
        raise TrackerError(f"steps is the text {line(repr(steps))}; give a list of step names")
    try:
        return [] if steps is None else list(steps)
    except TypeError:
        raise TrackerError(f"steps is a {type(steps).__name__}; give a list of step names") from None


def checked_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """Labels are texts by name."""
    if labels is not None and not isinstance(labels, Mapping):
        raise TrackerError(f'labels is a {type(labels).__name__}; give texts by name, as in {{"tenant": "acme"}}')
    return dict(labels or {})


def check_seconds(warn_after: float) -> None:
    """A time limit has to be a number of seconds."""
    if isinstance(warn_after, bool) or not isinstance(warn_after, int | float) or not warn_after > 0:
        raise TrackerError(f"warn_after is {line(repr(warn_after))}; give seconds, more than 0")
