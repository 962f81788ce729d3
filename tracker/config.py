"""What ``configure`` was told, on top of the environment; the settings of this process.

Knows settings only. Trackers and the bus ask here, so that a wrong setting is found in one place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from tracker import redact as redaction
from tracker import results
from tracker.bus import event_bus
from tracker.errors import SettingsError, TrackerError

if TYPE_CHECKING:
    from tracker.settings import Settings

DISPLAYS = ("auto", "live", "plain", "json", "quiet")
"""How an operation is drawn in its own process."""

_overrides: dict[str, str] = {}
_app: Callable[[], Mapping[str, str]] = dict
"""What the application says that this process belongs to, as variables."""
_display = "auto"


def configure(
    *,
    redis_url: str | None = None,
    namespace: str | None = None,
    display: str | None = None,
    redact: Callable[[str], str] | None = None,
) -> None:
    """Set for this process what otherwise comes from ``TRACKER_*`` variables; what is not named stays as it is.

    ``redis_url=""`` keeps all events inside the process. ``display`` (``auto``, ``live``, ``plain``, ``json``,
    ``quiet``) is the default of every ``StepTracker``. ``redact(text)`` gives every text that leaves the tracker as it
    may be seen, after passwords and tokens have been masked; if it fails, the text is masked whole. ``str`` takes such
    a function back. Raises ``SettingsError`` for a value that cannot be used.

    >>> configure(display="quiet", redact=lambda text: text.replace("ACME", "customer"))
    >>> configure(display="auto", redact=str)
    """
    global _display
    given = {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace}
    wanted = _overrides | {key: value for key, value in given.items() if value is not None}
    if redact is not None and not callable(redact):
        raise SettingsError(f"redact is a {type(redact).__name__}; give a function that takes a text and returns one")
    _checked(wanted)
    if redact is not None:
        redaction.use(None if redact is str else redact)
    if display is not None:
        _display = checked_display(display, SettingsError)
    if wanted != _overrides:
        _overrides.update(wanted)
        settings.cache_clear()
        event_bus.reconnect()


def _checked(wanted: dict[str, str]) -> Settings:
    # Loaded when asked for: paths, URLs and addresses are nothing that an import of the package should pay for.
    from tracker.settings import Settings

    return Settings.from_env(wanted)


@contextmanager
def isolated() -> Iterator[None]:
    """For the length of a block nothing leaves this process, and a tracker draws only if its ``display`` says so.

    ``resume=True`` finds no kept results, and needs no Redis. What the block has ``configure`` do ends with it.
    """
    global _display
    display, overrides, rule, loader = _display, dict(_overrides), redaction._rule, results._loader
    configure(redis_url="", display="quiet")
    results.connect(lambda: lambda operation: {})
    try:
        yield
    finally:
        _display = display
        _overrides.clear()
        _overrides.update(overrides)
        redaction.use(rule)
        results.connect(loader)
        settings.cache_clear()
        event_bus.reconnect()


def read_app(variables: Callable[[], Mapping[str, str]]) -> None:
    """Have an application say, by ``TRACKER_*`` variables, what the environment does not; asked at the first need."""
    global _app
    _app = variables
    settings.cache_clear()
    event_bus.reconnect()


@cache
def settings() -> Settings:
    """The application's values, the environment's, then ``configure``'s; raises ``SettingsError``. Read once."""
    return _checked({**_app(), **os.environ, **_overrides})


def release() -> str:
    """Version of the tracked code, safe to show; empty if not set, or if the settings cannot be read now."""
    try:
        return redaction.line(settings().release)
    except (SettingsError, ImportError):  # A signal handler may come while the settings are being imported.
        return ""


def default_display() -> str:
    """What ``display="auto"`` stands for unless more is known."""
    return _display


def checked_display(display: str, error: type[TrackerError] = TrackerError) -> str:
    """``display``, if it is one of ``DISPLAYS``."""
    if display not in DISPLAYS:
        raise error(f"display is {display!r}; use one of {', '.join(DISPLAYS)}")
    return display
