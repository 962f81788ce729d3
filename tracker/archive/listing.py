"""Pages of lists, in the order that the lists of the store have: by score, and by id where scores are equal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Float, bindparam, select, union_all

from tracker.archive import Place
from tracker.archive.codec import STATUSES
from tracker.archive.packing import pack_id
from tracker.archive.reading import Reader
from tracker.archive.tables import operations
from tracker.ids import ID
from tracker.model import Parts, Status

_columns = operations.c


class List:
    """The statements of a kind of list, each built once."""

    def __init__(self, *conditions: ColumnElement[bool], newest_first: bool) -> None:
        self.newest_first = newest_first
        self._scores = select(_columns.op, _columns.score).where(
            _columns.namespace == bindparam("namespace"), *conditions
        )
        self.walks = {status: self._walk([number]) for number, status in enumerate(STATUSES)}
        self.walk = self._walk(range(len(STATUSES)))
        self.at = self._scores.where(
            _columns.status.in_(bindparam("statuses", expanding=True)),
            _columns.score.in_(bindparam("scores", expanding=True)),
        )

    def _walk(self, statuses: Sequence[int]) -> Any:
        """One short walk along the index for each status: together what an index without a status would give."""
        bound = bindparam("bound", type_=Float)
        beyond = _columns.score < bound if self.newest_first else _columns.score > bound
        order = _columns.score.desc() if self.newest_first else _columns.score
        walk = self._scores.where(beyond).order_by(order).limit(bindparam("limit"))
        return union_all(*(select(walk.where(_columns.status == status).subquery()) for status in statuses))


TOP_LEVEL = List(_columns.parent.is_(None), newest_first=True)
NAMED = List(_columns.parent.is_(None), _columns.name == bindparam("name"), newest_first=True)
CHILDREN = List(_columns.parent == bindparam("parent"), newest_first=False)


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
    bound = after[0] if after else math.inf if kind.newest_first else -math.inf
    walk = kind.walk if status is None else kind.walks[Status(status)]
    rows = reader.connection.execute(walk, which | {"bound": bound, "limit": limit})
    beyond = sorted(((score, op) for op, score in rows), reverse=kind.newest_first)[:limit]
    found = {op: score for score, op in beyond}
    edges = [score for score, _ in beyond[-1:] if len(beyond) == limit] + ([bound] if after else [])
    if edges:
        statuses = [number for number, known in enumerate(STATUSES) if status is None or known == status]
        rows = reader.connection.execute(kind.at, which | {"statuses": statuses, "scores": edges})
        found |= {row.op: row.score for row in rows}
    return found


def _is_after(place: Place, after: Place, kind: List) -> bool:
    return place < after if kind.newest_first else place > after


def _name_of(parts: Parts) -> str:
    """The name of an operation, as ``compose`` has it."""
    return parts.queue.name if parts.queue else parts.run.name if parts.run else ""
