"""What is asked of a source in several pieces: an operation by the beginning of its id, all children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracker.cli.source import Source, Wanted
from tracker.errors import NotFound, TrackerError
from tracker.ids import ID
from tracker.model import Operation, Status

PAGE = 200
"""Operations that are asked for at once."""


def find(source: Source, text: str) -> str:
    """The id that ``text`` stands for.

    It may be an id itself, the beginning of that of one of the newest top-level operations, or the id of the Celery
    task that runs one again. Raises ``NotFound``, or ``TrackerError`` when several are meant.
    """
    from tracker.history.search import Search

    try:
        return source.operation(text).id
    except NotFound:
        if not ID.fullmatch(text):
            raise
        found = source.operations(Wanted(search=Search(text=text)), limit=PAGE).items
        # What has the text neither in its name nor in its title has it in an id.
        meant = [one.id for one in found if one.id.startswith(text) or not _names(one, text)]
        if len(meant) > 1:
            raise TrackerError(f"{text!r} is the beginning of {len(meant)} operations; give more of the id") from None
        if not meant:
            raise
    return meant[0]


def found(source: Source, texts: Iterable[str]) -> list[Operation]:
    """The operation of each, once; raises as ``find`` does, before anything is done to any of them."""
    return [source.operation(id) for id in dict.fromkeys(find(source, text) for text in texts)]


def _names(operation: Operation, text: str) -> bool:
    words = (operation.id, operation.name, operation.title)
    return any(text.casefold() in word.casefold() for word in words)


def failed_children(source: Source, operation: Operation) -> Iterator[Operation]:
    """The children of an operation that have ended otherwise than complete: failed ones, lost ones, cancelled ones."""
    for status in (Status.ERROR, Status.LOST, Status.CANCELLED):
        if getattr(operation.children, status):
            yield from all_children(source, operation.id, status)


def all_children(source: Source, id: str, status: str | None = None) -> Iterator[Operation]:
    """The children of an operation, in the order they were queued."""
    page = source.children(id, status=status, limit=PAGE)
    yield from page.items
    while page.next is not None:
        page = source.children(id, status=status, page=page.next, limit=PAGE)
        yield from page.items
