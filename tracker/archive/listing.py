"""Pages of lists, in the order that the lists of the store have: by score, and by id where scores are equal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tracker.archive.codec import STATUSES
from tracker.archive.packing import pack_id
from tracker.archive.reading import Reader
from tracker.ids import ID
from tracker.model import Parts, Status

Place = tuple[float, str]
"""Where an operation stands in a list: its score and its id."""


class List:
    """The statements of a kind of list."""

    def __init__(self, which: str, *, newest_first: bool) -> None:
        self.newest_first = newest_first
        self._which = f"namespace = :namespace AND {which}"
        self._walks = [self._walk_of(number) for number in range(len(STATUSES))]

    def _walk_of(self, status: int) -> str:
        beyond, order = ("<", "DESC") if self.newest_first else (">", "ASC")
        return (
            f"SELECT * FROM (SELECT op, score FROM operations WHERE {self._which} AND status = {status} "
            f"AND score {beyond} :bound ORDER BY score {order} LIMIT :limit)"
        )

    def walk(self, statuses: Sequence[int]) -> str:
        """One short walk along the index for each status: together what an index without a status would give."""
        return " UNION ALL ".join(self._walks[status] for status in statuses)

    def at(self, statuses: Sequence[int]) -> str:
        """All that have one of two scores."""
        some = ", ".join(map(str, statuses))
        return (
            f"SELECT op, score FROM operations WHERE {self._which} AND status IN ({some}) AND score IN (:one, :other)"
        )


TOP_LEVEL = List("parent IS NULL", newest_first=True)
NAMED = List("parent IS NULL AND name = :name", newest_first=True)
CHILDREN = List("parent = :parent", newest_first=False)


def top_level(
    reader: Reader, after: Place | None, limit: int, status: str | None = None, name: str | None = None
) -> list[Parts]:
    """Operations without a parent, newest first."""
    if name is None:
        return _page(reader, TOP_LEVEL, {}, status, after, limit)
    found = _page(reader, NAMED, {"name": reader.number_of_name(name)}, status, after, limit)
    # A number may stand for two names.
    return [parts for parts in found if _name_of(parts) == name]


def children(reader: Reader, parent: str, after: Place | None, limit: int, status: str | None = None) -> list[Parts]:
    """Children of an operation in the order they were queued."""
    if not ID.fullmatch(parent):
        return []
    return _page(reader, CHILDREN, {"parent": pack_id(parent)}, status, after, limit)


def _page(
    reader: Reader, kind: List, which: dict[str, Any], status: str | None, after: Place | None, limit: int
) -> list[Parts]:
    """Candidates are found by score in the index alone, then read, and then put in order by score and id."""
    if status is not None and status not in STATUSES:
        return []
    scores = _scores(reader, kind, which | {"namespace": reader.namespace}, status, after, limit)
    placed = [((scores[op], parts.id), parts) for op, parts in reader.heads(list(scores)).items()]
    placed.sort(key=lambda item: item[0], reverse=kind.newest_first)
    return [parts for place, parts in placed if after is None or _is_after(place, after, kind)][:limit]


def _scores(
    reader: Reader, kind: List, which: dict[str, Any], status: str | None, after: Place | None, limit: int
) -> dict[int, float]:
    """Scores of all operations that the page could hold, by number.

    Among equal scores packed ids have another order than ids, so those at either end of the page come all.
    """
    statuses = [STATUSES.index(Status(status))] if status is not None else range(len(STATUSES))
    bound = after[0] if after else math.inf if kind.newest_first else -math.inf
    rows = reader.connection.execute(kind.walk(statuses), which | {"bound": bound, "limit": limit})
    beyond = sorted(((score, op) for op, score in rows), reverse=kind.newest_first)[:limit]
    found = {op: score for score, op in beyond}
    edges = [score for score, _ in beyond[-1:] if len(beyond) == limit] + ([bound] if after else [])
    if edges:
        found.update(reader.connection.execute(kind.at(statuses), which | {"one": edges[0], "other": edges[-1]}))
    return found


def _is_after(place: Place, after: Place, kind: List) -> bool:
    return place < after if kind.newest_first else place > after


def _name_of(parts: Parts) -> str:
    """The name of an operation, as ``compose`` has it."""
    return parts.queue.name if parts.queue else parts.run.name if parts.run else ""
