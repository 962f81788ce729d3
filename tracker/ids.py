"""Ids: what one may look like, and how fresh ones are made."""

from __future__ import annotations

import os
import random
import re
import time

ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""What an id chosen by a user may look like."""

# Its own, so that a program's seed makes no two processes choose alike. Asking the kernel each time would let go of the
# interpreter's lock, which the tracked code then has to wait for.
_chance = random.Random(os.urandom(32))


def new_id() -> str:
    """A fresh operation id: a UUID version 7 (RFC 9562), so ids sort by the time they were made."""
    stamp, chance = time.time_ns() // 1_000_000, _chance.getrandbits(80)
    value = (stamp << 80) | chance & ~(0xF << 76) & ~(0b11 << 62) | 0x7 << 76 | 0b10 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_run() -> str:
    """A fresh run id: 12 random characters, made by the run's writer and never reused."""
    return f"{_chance.getrandbits(48):012x}"


def _after_fork() -> None:
    _chance.seed(os.urandom(32))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
