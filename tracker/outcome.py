"""What an exception means: the outcome it stands for, and how it is told to people.

Knows no operation and no step; never raises, whatever the exception does when it is looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from tracker.errors import OperationCancelled
from tracker.interrupts import pass_on
from tracker.limits import ERROR_LIMIT
from tracker.model import Error, Status, StepStatus
from tracker.redact import block, line, tail

MESSAGE_LIMIT = ERROR_LIMIT // 4
"""Longest error message, in characters; the traceback gets the rest of what an error may take."""

LEAVES = 3
"""Exceptions of a group that its message tells."""

LEAF_LIMIT = 300
"""Longest message of each, in characters."""

_CANCELLING = (KeyboardInterrupt, GeneratorExit, OperationCancelled)
# By name: importing asyncio only to ask would cost every program its start-up time.
_CANCELLING_NAMES = frozenset({"CancelledError", "Cancelled"})

STEP_OUTCOME = {
    Status.COMPLETE: StepStatus.COMPLETE,
    Status.ERROR: StepStatus.ERROR,
    Status.CANCELLED: StepStatus.CANCELLED,
    Status.QUEUED: StepStatus.CANCELLED,
    Status.LOST: StepStatus.CANCELLED,
}
"""How an operation that ends so ends the step that was open."""


def instance_of(kind: type[BaseException] | None, exc: BaseException | None) -> BaseException | None:
    """The exception a block was left by; code that calls ``__exit__`` by hand may give its class only."""
    if kind is None or exc is not None:
        return exc
    try:
        return kind()
    except Exception as error:
        pass_on(error)
        return RuntimeError(kind.__name__)


def outcome(exc: BaseException | None) -> Status:
    """The outcome of a block left by ``exc`` (``None``: left normally)."""
    if exc is None:
        return Status.COMPLETE
    if isinstance(exc, SystemExit):
        # As the interpreter has it: any other object, also an empty text, ends the process with 1.
        good = exc.code is None or (isinstance(exc.code, int) and exc.code == 0)
        return Status.COMPLETE if good else Status.ERROR
    if isinstance(exc, _CANCELLING) or _is_cancellation(type(exc)):
        return Status.CANCELLED
    if isinstance(exc, BaseExceptionGroup) and not isinstance(exc, Exception):
        leaves = {outcome(leaf) for leaf in exc.exceptions}
        return Status.CANCELLED if leaves == {Status.CANCELLED} else Status.ERROR
    return Status.ERROR


def _is_cancellation(kind: type[BaseException]) -> bool:
    return not issubclass(kind, Exception) and any(base.__name__ in _CANCELLING_NAMES for base in kind.__mro__)


def message_of(exc: BaseException) -> str:
    """What the exception says; empty if it says nothing. A group says little, so what it holds is told as well."""
    if isinstance(exc, SystemExit) and isinstance(exc.code, int):
        return f"exit code {exc.code}"
    message = block(exc, MESSAGE_LIMIT).strip()
    return f"{message}: {_leaves_of(exc)}" if isinstance(exc, BaseExceptionGroup) else message


def _leaves_of(group: BaseExceptionGroup[BaseException]) -> str:
    """The first exceptions of a group that are no groups themselves: ``no such shard (KeyError); and 7 more``."""
    leaves: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        here = waiting.pop()
        if isinstance(here, BaseExceptionGroup):
            waiting += reversed(here.exceptions)
        else:
            leaves.append(here)
    said = [f"{line(leaf, LEAF_LIMIT)} ({type(leaf).__name__})".strip() for leaf in leaves[:LEAVES]]
    more = [f"and {len(leaves) - LEAVES} more"] if len(leaves) > LEAVES else []
    return "; ".join([*said, *more])


def describe(exc: BaseException) -> str:
    """Type and message on one line: ``KeyError: 'model_id'``."""
    message = message_of(exc)
    kind = type(exc).__name__
    return line(f"{kind}: {message}" if message else kind, MESSAGE_LIMIT)


def error_of(exc: BaseException, path: list[str], step: int = 0, log: Iterable[str] = ()) -> Error:
    """The exception as stored: type, message, the path to where it happened, traceback with causes and notes."""
    return Error(line(type(exc).__name__), message_of(exc), path, _traceback(exc), step, list(log))


def _traceback(exc: BaseException) -> str:
    import traceback

    try:
        text = "".join(traceback.format_exception(exc))
    except Exception as error:
        pass_on(error)
        return ""
    return tail(text, ERROR_LIMIT - MESSAGE_LIMIT).strip("\n")


def add_note(exc: BaseException | None, text: str) -> None:
    """Attach ``text`` to what Python prints for the exception; some exceptions refuse, which does not matter."""
    try:
        if exc is not None:
            exc.add_note(text)
    except Exception as error:
        pass_on(error)


def lineage(exc: BaseException | None) -> Iterator[BaseException]:
    """``exc``, those it groups and those it was raised because of, the closest first."""
    seen: set[int] = set()
    waiting = deque([exc])
    while waiting:
        here = waiting.popleft()
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        yield here
        if isinstance(here, BaseExceptionGroup):
            waiting += here.exceptions
        waiting += [here.__cause__, here.__context__]
