"""Ids: what one may look like, and how fresh ones are made."""

from __future__ import annotations

import os
import re
import time

ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""What an id chosen by a user may look like."""


def new_id() -> str:
    """A fresh operation id: a UUID version 7 (RFC 9562), so ids sort by the time they were made."""
    stamp, chance = time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big")
    value = (stamp << 80) | chance & ~(0xF << 76) & ~(0b11 << 62) | 0x7 << 76 | 0b10 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_run() -> str:
    """A fresh run id: 12 random characters, made by the run's writer and never reused."""
    return os.urandom(6).hex()
