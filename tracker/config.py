"""What ``configure`` was told, on top of the environment; the settings of this process.

Knows settings only. Trackers and the bus ask here, so that a wrong setting is found in one place.
"""

from __future__ import annotations

import os
from functools import cache

from tracker.bus import event_bus
from tracker.errors import SettingsError, TrackerError
from tracker.settings import Settings

DISPLAYS = ("auto", "live", "plain", "quiet")
"""How an operation is drawn in its own process."""

_overrides: dict[str, str] = {}
_display = "auto"


def configure(*, redis_url: str | None = None, namespace: str | None = None, display: str | None = None) -> None:
    """Set for this process what otherwise comes from ``TRACKER_*`` variables; what is not named stays as it is.

    ``redis_url=""`` keeps all events inside the process. ``display`` (``auto``, ``live``, ``plain``, ``quiet``)
    is the default of every ``StepTracker``. Raises ``SettingsError`` for a value that cannot be used.

    >>> configure(display="quiet")
    >>> configure(display="auto")
    """
    global _display
    given = {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace}
    wanted = _overrides | {key: value for key, value in given.items() if value is not None}
    Settings.from_env(wanted)
    if display is not None:
        _display = checked_display(display, SettingsError)
    if wanted != _overrides:
        _overrides.update(wanted)
        settings.cache_clear()
        event_bus.reconnect()


@cache
def settings() -> Settings:
    """The environment with ``configure``'s values; raises ``SettingsError``. Read once per process."""
    return Settings.from_env({**os.environ, **_overrides})


def release() -> str:
    """Version of the tracked code; empty if not set, or if the settings cannot be read."""
    try:
        return settings().release
    except SettingsError:
        return ""


def default_display() -> str:
    """What ``display="auto"`` stands for unless more is known."""
    return _display


def checked_display(display: str, error: type[TrackerError] = TrackerError) -> str:
    """``display``, if it is one of ``DISPLAYS``."""
    if display not in DISPLAYS:
        raise error(f"display is {display!r}; use one of {', '.join(DISPLAYS)}")
    return display
