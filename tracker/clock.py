"""The two clocks: ``now`` for people and storage, ``elapsed`` for durations.

Wall time may jump; it is shown and stored, never subtracted within one process.
"""

from __future__ import annotations

import time
from collections.abc import Callable

now: Callable[[], float] = time.time
"""UTC seconds since the epoch; for stamps that people read."""

elapsed: Callable[[], float] = time.monotonic
"""Seconds on a clock that never goes back; for durations within one process."""
