"""Results of steps that are kept, so that a later attempt of the same operation need not run them again.

What is kept is JSON, found again by the step's name, the function's arguments and the release of the code.
Knows no Redis: whoever has a store says with ``connect`` how kept results are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import isfinite
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from tracker.bus import event_bus, logger
from tracker.errors import StoreUnavailable, TrackerError
from tracker.model import RESULT_LIMIT
from tracker.redact import line

if TYPE_CHECKING:
    from tracker.step import Step

Loader = Callable[[str], Mapping[str, bytes]]

NO_STORE = (
    "resume=True needs a store that keeps results; set TRACKER_REDIS_URL, or call "
    'tracker.configure(redis_url="redis://localhost:6379/0"), or leave resume out to run every step'
)

_loader: Callable[[], Loader | None] = lambda: None  # noqa: E731


def connect(loader: Callable[[], Loader | None]) -> None:
    """Where kept results are read: ``loader`` gives a function of an operation's id, or ``None`` without a store."""
    global _loader
    _loader = loader


class Results:
    """The results of one run's steps: those found of earlier attempts, and the keys of its own."""

    def __init__(self, release: str, found: Mapping[str, bytes] | None = None, trouble: str = "") -> None:
        self._release = release
        self._found = found
        self._seen: Counter[str] = Counter()
        self.trouble = trouble
        """Why nothing could be read; empty if that went well."""

    @classmethod
    def load(cls, operation: str, release: str) -> Results:
        """What earlier attempts of ``operation`` have kept; raises ``TrackerError`` where nothing can be kept."""
        loader = _loader()
        if loader is None:
            raise TrackerError(NO_STORE)
        try:
            return cls(release, loader(operation))
        except StoreUnavailable as error:
            logger().warning("tracker: kept results cannot be read, so every step runs: %s", error)
            return cls(release, {}, f"kept results cannot be read, so every step runs: {error}")

    def key(self, name: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """Under what the result of this call is kept; ``None`` if its arguments cannot be compared."""
        fingerprint = _fingerprint(args, kwargs)
        if fingerprint is None:
            return None
        key = f"{line(name)}\n{fingerprint}"
        self._seen[key] += 1
        return f"{key}\n{self._seen[key]}"

    def reuse(self, step: Step, key: str | None) -> tuple[bool, Any]:
        """End ``step`` with the result kept under ``key``, if there is one to reuse; else log why it runs again."""
        kept = self._found.get(key) if self._found and key is not None else None
        release, result = _opened(kept) if kept is not None else ("", None)
        if kept is None or release != self._release:
            why = self._why_not(step.name, key, release if kept is not None else None)
            if why:
                step.log(f"runs again: {why}")
            return False, None
        step.reused = True
        step.complete("kept result of an earlier attempt")
        return True, result

    def _why_not(self, name: str, key: str | None, release: str | None) -> str:
        if not self._found:
            return ""
        if release is not None:
            return f"its result was kept by release {release!r}, and this is {self._release!r}"
        if not any(known.startswith(f"{name}\n") for known in self._found):
            return ""
        if key is None:
            return "its arguments cannot be compared with those of the kept result"
        return "its arguments differ from those of the kept result"

    def keep(self, step: Step, key: str | None, result: object) -> None:
        """Have ``result`` stored with the end of ``step``; raises ``TrackerError`` if it would not come back the same.

        A step whose arguments cannot be compared (``key`` is ``None``) keeps nothing.
        """
        if isinstance(result, CoroutineType):
            result.close()
            raise TrackerError(
                f"run({step.name!r}, …) got a coroutine; give it the async function itself, "
                f"or write `with tracker.step({step.name!r}): await …`"
            )
        packed = b"%s\n%s" % (_json(self._release), plain_json(step.name, result))
        if key is not None and event_bus.publishes:
            step.kept = (key, packed)


def plain_json(name: str, result: object) -> bytes:
    """JSON of a result; raises ``TrackerError`` unless it is plain JSON of at most 64 KiB."""
    if not _is_plain(result):
        raise TrackerError(
            f"run({name!r}) keeps its result for resuming, and a {type(result).__name__} does not survive JSON; return "
            f"None, bool, int, float, str, list or dict with str keys, or write `with tracker.step({name!r}):`"
        )
    try:
        text = _json(result)
    except ValueError as error:  # Half of a surrogate pair, for example.
        raise TrackerError(f"run({name!r}) keeps its result for resuming, and it is no JSON: {error}") from None
    if len(text) > RESULT_LIMIT:
        raise TrackerError(
            f"run({name!r}) keeps its result for resuming, and {len(text):,} bytes are more than {RESULT_LIMIT:,}; "
            f"return where the data is instead, or write `with tracker.step({name!r}):`"
        )
    return text


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether ``value`` comes back from JSON as exactly what it was."""
    kind = type(value)
    if kind in (type(None), bool, int, str):
        return True
    if kind is float:
        return isfinite(value)  # type: ignore[arg-type]
    if depth > 100:
        return False
    if kind is list:
        return all(_is_plain(item, depth + 1) for item in value)  # type: ignore[attr-defined]
    return kind is dict and all(
        type(key) is str and _is_plain(item, depth + 1)
        for key, item in value.items()  # type: ignore[attr-defined]
    )


def _json(value: object, default: Callable[[Any], Any] | None = None) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=False, sort_keys=default is not None, default=default).encode()


def _opened(kept: bytes) -> tuple[str, Any]:
    import json

    release, _, result = kept.partition(b"\n")
    return json.loads(release), json.loads(result)


def _fingerprint(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    import hashlib

    try:
        text = _json([args, kwargs], _comparable)
    except (TypeError, ValueError, RecursionError):
        return None
    return hashlib.sha256(text).hexdigest()[:32]


def _comparable(value: Any) -> list[str]:
    """Arguments that are not JSON, but say by their text all that they are."""
    from datetime import date, time, timedelta
    from decimal import Decimal
    from enum import Enum
    from pathlib import PurePath
    from uuid import UUID

    if isinstance(value, PurePath | date | time | timedelta | Decimal | Enum | UUID | bytes):
        return [type(value).__qualname__, repr(value) if isinstance(value, bytes) else str(value)]
    raise TypeError(type(value).__name__)
