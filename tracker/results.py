"""Results of steps that are kept, so that a later attempt of the same operation need not run them again.

What is kept is JSON, found again by the step's name, the function's arguments and the release of the code.
Knows no Redis: whoever has a store says with ``connect`` how kept results are read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from math import isfinite
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from tracker.bus import event_bus, logger
from tracker.errors import StoreUnavailable, TrackerError
from tracker.interrupts import pass_on
from tracker.limits import RESULT_LIMIT
from tracker.redact import line

if TYPE_CHECKING:
    from tracker.run import RunWriter
    from tracker.step import Step

Loader = Callable[[str], Mapping[str, bytes]]

NO_STORE = (
    "resume=True needs a store that keeps results; set TRACKER_REDIS_URL, or call "
    'tracker.configure(redis_url="redis://localhost:6379/0"), or leave resume out to run every step'
)

ARGUMENTS_LIMIT = 50_000
"""Values inside arguments that are looked at, which takes some 50 ms; a call with more keeps no result."""

FLUSH_WAIT = 1.0
"""Seconds that a resuming run waits for what this process has still to store."""

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
        self._seen: dict[str, Iterator[int]] = {}
        """How often each key came; threads may draw numbers at the same moment."""
        self.trouble = trouble
        """Why nothing could be read; empty if that went well."""

    @classmethod
    def of_block(cls, adopted: RunWriter | None, resumed: str | None, release: str) -> Results:
        """Those of a block: it fills the run of a job, which may resume, or resumes an operation by its id, or neither.

        Raises ``TrackerError`` where a block resumes and nothing can be kept; a job runs then.
        """
        if adopted is not None and adopted.resumes and _loader() is not None:
            resumed = adopted.operation
        return cls.load(resumed, release) if resumed is not None else cls(release)

    @classmethod
    def load(cls, operation: str, release: str) -> Results:
        """What earlier attempts of ``operation`` have kept; raises ``TrackerError`` where nothing can be kept."""
        loader = _loader()
        if loader is None:
            raise TrackerError(NO_STORE)
        event_bus.flush(FLUSH_WAIT)  # The earlier attempt may have been a moment ago, in this process.
        try:
            return cls(release, loader(operation))
        except StoreUnavailable as error:
            logger().warning("tracker: kept results cannot be read, so every step runs: %s", error)
            return cls(release, {}, f"kept results cannot be read, so every step runs: {error}")

    def call(
        self,
        begin: Callable[[], Step],
        name: object,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """``fn(*args, **kwargs)`` as the step that ``begin`` starts, or the result kept of an earlier attempt."""
        key = self._key(name, args, kwargs)
        with begin() as step:
            reused, result = self._reuse(step, key)
            if not reused:
                result = fn(*args, **kwargs)
                self._keep(step, key, result)
            return result

    async def call_async(
        self,
        begin: Callable[[], Step],
        name: object,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """As ``call``, for an ``async`` function."""
        key = self._key(name, args, kwargs)
        with begin() as step:
            reused, result = self._reuse(step, key)
            if not reused:
                result = await fn(*args, **kwargs)
                self._keep(step, key, result)
            return result

    def _key(self, name: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """Under what the result of this call is kept; ``None`` if it cannot be, or nobody would ever read it."""
        if not (self._found or event_bus.publishes):
            return None
        found = fingerprint(args, kwargs)
        if found is None:
            return None
        key = f"{line(name)}\n{found}"
        return f"{key}\n{next(self._seen.setdefault(key, count(1)))}"

    def _reuse(self, step: Step, key: str | None) -> tuple[bool, Any]:
        """End ``step`` with the result kept under ``key``, if there is one to reuse; else log why it runs again."""
        if not self._found:
            return False, None
        kept = self._found.get(key) if key is not None else None
        if kept is None:
            why = self._why_nothing_fits(step.name, key)
        else:
            release, result = _opened(kept)
            if release == self._release:
                step.reused = True
                step.complete("kept result of an earlier attempt")
                return True, result
            why = f"its result was kept by release {release!r}, and this is {self._release!r}"
        if why:
            step.log(f"runs again: {why}")
        return False, None

    def _why_nothing_fits(self, name: str, key: str | None) -> str:
        if not any(known.startswith(f"{name}\n") for known in self._found or ()):
            return ""
        if key is None:
            return "its arguments cannot be compared with those of the kept result"
        return "its arguments differ from those of the kept result"

    def _keep(self, step: Step, key: str | None, result: object) -> None:
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
        if key is None:
            return
        if step.duration is None:
            step.kept = (key, packed)
        else:
            step.log("its result is not kept: the function ended the step itself")


def plain_json(name: str, result: object) -> bytes:
    """JSON of a result; raises ``TrackerError`` unless it is plain JSON of at most 64 KiB."""
    stranger = _stranger(result)
    if stranger is not None:
        raise TrackerError(
            f"run({name!r}) keeps its result for resuming, and {stranger} does not survive JSON; return "
            f"None, bool, int, float, str, list or dict with str keys, or write `with tracker.step({name!r}):`"
        )
    try:
        text = _json(result)
    except (ValueError, RecursionError) as error:  # Half of a surrogate pair, or lists in lists in lists.
        raise TrackerError(f"run({name!r}) keeps its result for resuming, and it is no JSON: {error}") from None
    if len(text) > RESULT_LIMIT:
        raise TrackerError(
            f"run({name!r}) keeps its result for resuming, and {len(text):,} bytes are more than {RESULT_LIMIT:,}; "
            f"return where the data is instead, or write `with tracker.step({name!r}):`"
        )
    return text


def _stranger(result: object) -> str | None:
    """What in ``result`` would not come back from JSON as exactly what it was; ``None`` if all of it would."""
    waiting, seen = [result], 0
    while waiting:
        here = waiting.pop()
        seen += 1
        if seen > RESULT_LIMIT:  # Every value takes a byte of JSON or more; one that holds itself never ends.
            return f"a {type(result).__name__} of more than {RESULT_LIMIT:,} values"
        kind = type(here)
        if kind is list:
            waiting += here  # type: ignore[arg-type]
        elif kind is dict:
            waiting += here.values()  # type: ignore[attr-defined]
            if any(type(key) is not str for key in here):  # type: ignore[attr-defined]
                return "a dict with keys that are no str"
        elif kind not in (type(None), bool, int, str) and not (kind is float and isfinite(here)):  # type: ignore[arg-type]
            return f"a {kind.__name__}" if kind is not float else "a float that is not finite"
    return None


def _json(value: object) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=False).encode()


def release_of(kept: bytes) -> str:
    """The release of the code that a kept result is of."""
    return _opened(kept)[0]


def _opened(kept: bytes) -> tuple[str, Any]:
    """Release and result; of what cannot be read, a release that there is not."""
    import json

    release, _, result = kept.partition(b"\n")
    try:
        return json.loads(release), json.loads(result)
    except (ValueError, RecursionError):
        return "(unreadable)", None


def fingerprint(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """The same text for the same arguments, in any process; ``None`` if they cannot be compared."""
    import hashlib

    digest = hashlib.sha256()
    try:
        for count, part in enumerate(_parts([*args, kwargs])):
            if count > ARGUMENTS_LIMIT:
                return None
            digest.update(part.encode("utf-8", "surrogatepass"))
    except Exception as error:  # Whatever an object does when it is looked at; the work must not hear of it.
        pass_on(error)
        return None
    return digest.hexdigest()[:32]


def _parts(value: Any) -> Iterator[str]:
    """Texts that say all that a value is, its types included, and never run into each other."""
    kind = type(value)
    if kind in (list, tuple):
        yield f"{kind.__name__} {len(value)}:"
        for held in value:
            yield from _parts(held)
    elif isinstance(value, Mapping):
        yield f"mapping {len(value)}:"
        for key in sorted(value):
            yield from _parts(key)
            yield from _parts(value[key])
    else:
        text = repr(value) if kind in (bool, int, float, type(None), bytes) else _text(value)
        yield f"{kind.__qualname__} {len(text)}:{text}"


def _text(value: Any) -> str:
    """The text of what says by it all that it is."""
    from datetime import date, time, timedelta
    from decimal import Decimal
    from enum import Enum
    from pathlib import PurePath
    from uuid import UUID

    if isinstance(value, str | PurePath | date | time | timedelta | Decimal | Enum | UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def is_async(fn: Callable[..., object]) -> bool:
    """Whether a call of ``fn`` has to be awaited."""
    # Whoever can await has loaded inspect: every event loop needs it.
    inspect = sys.modules.get("inspect")
    return inspect is not None and inspect.iscoroutinefunction(fn)
