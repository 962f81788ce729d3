"""What every exit code of ``tracker`` means, and which one an outcome or an error gets; the only such place."""

from __future__ import annotations

from tracker.errors import (
    ArchiveUnavailable,
    BrokerUnavailable,
    InvalidArguments,
    NotAllowed,
    ServerUnavailable,
    SettingsError,
    StoreUnavailable,
    TrackerError,
    UnknownJob,
)
from tracker.model import Status

COMPLETE = 0
ERROR = 1
USAGE = 2
CANCELLED = 3
LOST = 4
UNREACHABLE = 5
NOT_ALLOWED = 6
TIMED_OUT = 124
INTERRUPTED = 130

SIGNALLED = 128
"""Added to the number of the signal that ended the command, as shells do."""

BY_STATUS = {
    Status.COMPLETE: COMPLETE,
    Status.ERROR: ERROR,
    Status.CANCELLED: CANCELLED,
    Status.LOST: LOST,
}
"""The exit code of an operation's outcome, for ``--exit-status``."""


class TimedOut(TrackerError):
    """``--timeout`` has passed and the operation has not ended."""


BY_ERROR: tuple[tuple[type[Exception], int], ...] = (
    (SettingsError, USAGE),
    (InvalidArguments, USAGE),
    (UnknownJob, USAGE),
    (StoreUnavailable, UNREACHABLE),
    (ArchiveUnavailable, UNREACHABLE),
    (BrokerUnavailable, UNREACHABLE),
    (ServerUnavailable, UNREACHABLE),
    (NotAllowed, NOT_ALLOWED),
    (TimedOut, TIMED_OUT),
)


def of_error(error: Exception) -> int:
    """The exit code for an error that ended a command.

    >>> of_error(StoreUnavailable("no answer"))
    5
    """
    return next((code for kind, code in BY_ERROR if isinstance(error, kind)), ERROR)
