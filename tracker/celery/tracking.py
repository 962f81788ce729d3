"""Which tasks of this process are tracked, and how: what ``install`` was told, and the tasks that opted in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from weakref import WeakKeyDictionary

from celery import Celery, Task

QUIET = frozenset({
    "celery.backend_cleanup", "celery.chain", "celery.chord", "celery.chord_unlock", "celery.chunks", "celery.group",
})  # fmt: skip
"""Celery's own tasks that do nobody's work; ``map`` and ``starmap`` run a task many times, ``accumulate`` ends one."""


@dataclass(slots=True)
class Tracking:
    """How the tasks of one app are tracked; patterns as those of a shell, matched with the names of tasks."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep_short: bool = False
    keep_args: bool = False
    _known: dict[str, bool] = field(default_factory=dict)

    def covers(self, name: str) -> bool:
        """Whether the task of that name becomes an operation."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = name not in QUIET and _any(self.include, name) and not _any(self.exclude, name)
        return known


_apps: WeakKeyDictionary[Celery, Tracking] = WeakKeyDictionary()


class TrackedTask(Task):  # type: ignore[type-arg]  # generic for type checkers only
    """Base of a task that becomes an operation by itself, whether or not its app tracks all of them.

    >>> from celery import Celery
    >>> app = Celery("shop")
    >>> @app.task(base=TrackedTask)
    ... def bill(order: int) -> None: ...

    With ``keep_short`` an execution that has no steps and ends well within two seconds is kept as well.
    """

    abstract = True
    keep_short: bool | None = None

    @classmethod
    def on_bound(cls, app: Celery) -> None:
        """Celery's hook: the task has found its app."""
        from tracker.celery.listening import listen

        _opted.add(str(cls.name))
        listen()


_opted: set[str] = set()
"""Names of tasks that opted in."""


def use(app: Celery, tracking: Tracking) -> None:
    """Track the tasks of ``app`` so from now on."""
    _apps[app] = tracking


def patterns(given: str | Iterable[str]) -> tuple[str, ...]:
    """One pattern or several, as a tuple."""
    return (given,) if isinstance(given, str) else tuple(given)


def of_task(task: Task) -> Tracking | None:  # type: ignore[type-arg]
    """How ``task`` is tracked, if it is."""
    tracking = _apps.get(task.app)
    if tracking is not None and tracking.covers(task.name):
        return tracking
    return (tracking or _BY_ITSELF) if isinstance(task, TrackedTask) else None


def of_name(name: str) -> Tracking | None:
    """How tasks of that name are tracked in this process, if they are; whoever sends one may not have it."""
    for tracking in _apps.values():
        if tracking.covers(name):
            return tracking
    return _BY_ITSELF if name in _opted else None


_BY_ITSELF = Tracking()


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
