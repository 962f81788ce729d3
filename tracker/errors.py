"""Every exception this package raises on purpose; the tree is the documentation.

    TrackerError                 misuse of the API, or the root of what follows
    ├── SettingsError            a TRACKER_* variable or option cannot be used
    ├── StoreUnavailable         Redis did not answer
    ├── ArchiveUnavailable       the database of finished operations cannot be used
    ├── BrokerUnavailable        the message could not be handed to the broker
    ├── ServerUnavailable        the web server did not answer, or what answered is none of ours
    ├── NotAllowed               the web server wants a token, or another one
    ├── NotFound                 no such operation
    ├── Unreadable               what is stored of one operation makes no sense
    ├── NotEnded                 the operation still waits or runs, or something below it does
    ├── EventsGone               the feed no longer holds what was asked for
    ├── UnknownJob               no worker has ever published a job of that name
    ├── NoWorker                 the job is known, but no live worker runs it
    ├── InvalidArguments         the arguments do not fit the job's schema
    ├── DispatchDied             whatever hands a batch's children to the broker dies each time
    ├── CannotRunAgain           an operation cannot be resumed or rerun, at least not now
    └── AlreadyEnded             there is nothing left to cancel
    OperationCancelled           raised inside a cancelled operation (a BaseException)

This module imports nothing.
"""

from __future__ import annotations


class TrackerError(Exception):
    """The tracker was used in a way it cannot follow, for example a step after the block has ended.

    >>> from tracker import StepTracker
    >>> StepTracker("Import").step("Read")
    Traceback (most recent call last):
        ...
    tracker.errors.TrackerError: StepTracker('Import') has not been entered; use it inside its `with` block
    """


class SettingsError(TrackerError):
    """A setting cannot be used; the message names it, its value and what would be accepted."""


class StoreUnavailable(TrackerError):
    """Redis did not answer within its time limit; the message says which address was tried."""


class ArchiveUnavailable(TrackerError):
    """The archive cannot be opened, read or written; the message says which file, why, and what to do."""


class BrokerUnavailable(TrackerError):
    """The message could not be handed to Celery's broker; nothing was queued."""


class ServerUnavailable(TrackerError):
    """The web server did not answer as one does; the message says which address was tried, and what to check."""


class NotAllowed(TrackerError):
    """The web server, or what stands before it, does not let this client in, or not do this."""


class NotFound(TrackerError):
    """There is no operation of that id in this namespace."""

    @classmethod
    def operation(cls, id: str, hint: str = "") -> NotFound:
        """In the words that are the same wherever it was looked for; ``hint`` says where else it may be."""
        return cls(f"there is no operation {id[:128]!r}; {hint or '`tracker ls` lists those there are'}")


class Unreadable(TrackerError):
    """What Redis holds of one operation makes no sense, or not to this version; the message names it, and what to do.

    ``operation`` is its id, ``field`` what of it could not be read first.
    """

    def __init__(self, message: str, operation: str = "", field: str = "") -> None:
        super().__init__(message)
        self.operation = operation
        self.field = field


class NotEnded(TrackerError):
    """The operation, or something below it, still waits or runs; end it first."""


class EventsGone(TrackerError):
    """The feed no longer holds all that came after a cursor; read the operation, and go on from now."""


class UnknownJob(TrackerError):
    """Nobody has published a job of this name.

    ``pointer`` is the JSON pointer (RFC 6901) of its field inside the request body.
    """

    def __init__(self, message: str, pointer: str = "/job") -> None:
        super().__init__(message)
        self.pointer = pointer


class NoWorker(TrackerError):
    """The job is known, but no live worker runs it at the moment."""


class InvalidArguments(TrackerError):
    """Arguments do not fit a job's schema.

    ``pointer`` is the JSON pointer (RFC 6901) of the offending field inside the request body.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class DispatchDied(TrackerError):
    """The process that handed a batch's children to the broker has died too often without coming further."""


class CannotRunAgain(TrackerError):
    """The operation cannot be resumed or rerun, at least not now; the message says why. Nothing was changed."""


class AlreadyEnded(TrackerError):
    """The operation has ended, and nothing below it is open: there is nothing left to cancel."""


class OperationCancelled(BaseException):
    """The operation was cancelled from outside; the message says by whom.

    Raised by ``step()``, ``run()`` and the calls that tell of progress, and by each of them again until the block has
    ended; never by those that end a step, nor by log lines. In a job the task ends with it, and its process goes on.
    Best effort: who calls often hears of it within a second, who does not at the next call.

    Not an ``Exception``, so that ``except Exception`` in the tracked code does not swallow it.

    >>> from tracker import StepTracker
    >>> try:
    ...     with StepTracker("Import", display="quiet") as tracker, tracker.step("Read") as step:
    ...         raise OperationCancelled
    ... except OperationCancelled:
    ...     print(step.status)
    cancelled
    """


KINDS: dict[type[TrackerError], str] = {
    NotFound: "not-found",
    Unreadable: "unreadable",
    NotEnded: "not-ended",
    AlreadyEnded: "already-ended",
    CannotRunAgain: "cannot-run-again",
    UnknownJob: "unknown-job",
    NoWorker: "no-worker",
    InvalidArguments: "invalid-arguments",
    BrokerUnavailable: "broker-unavailable",
    ArchiveUnavailable: "archive-unavailable",
    EventsGone: "events-gone",
    StoreUnavailable: "store-unavailable",
}
"""What each is called over HTTP, where it becomes a problem and from a problem the same error again."""
