"""How a number of durations are spread: counted in buckets, each about 4 % wider than the one before.

So however many there are take a few hundred bytes, spreads of several days add up to that of all of them, and a
percentile is at most 2.2 % off.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from tracker.model import Value

if TYPE_CHECKING:
    from tracker.archive.codec import Number

KEPT = 1_000
"""Successful runs of a name whose durations are kept; a few more may be."""

PER_DOUBLING = 16
"""Buckets between a duration and twice that."""

SHORTEST = 1e-6
"""Seconds of the first bucket's duration; whatever is shorter counts as that."""

Spread = Mapping[int, int]
"""How many durations are in each bucket."""


class Percentiles(Value, frozen=True):
    """Seconds within which half, 90, 95 and 99 % of ``count`` durations lie."""

    count: int
    p50: float
    p90: float
    p95: float
    p99: float


def bucket_of(seconds: float) -> int:
    """The bucket that a duration belongs into.

    >>> bucket_of(1.0), bucket_of(1.02), bucket_of(2.0)
    (0, 0, 16)
    """
    return round(PER_DOUBLING * math.log2(max(seconds, SHORTEST)))


def percentiles(spread: Spread) -> Percentiles | None:
    """Percentiles by the nearest rank, each the middle of its bucket; ``None`` of nothing.

    >>> percentiles({0: 9, 16: 1})
    Percentiles(count=10, p50=1.0, p90=1.0, p95=2.0, p99=2.0)
    """
    count = sum(spread.values())
    if not count:
        return None
    buckets = sorted(spread)
    upto = list(accumulate(spread[bucket] for bucket in buckets))
    places = [bisect_left(upto, math.ceil(count * share)) for share in (0.5, 0.9, 0.95, 0.99)]
    return Percentiles(count, *(2.0 ** (buckets[place] / PER_DOUBLING) for place in places))


@dataclass(slots=True)
class DayRuns:
    """Spread of the seconds that successful runs took, and how many others failed at which step."""

    took: Counter[int] = field(default_factory=Counter)
    failed: Counter[Number] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.took or self.failed)
