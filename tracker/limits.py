"""How large what is stored may be; whatever makes it keeps to that."""

from __future__ import annotations

NAME_LIMIT = 200
"""Longest name, title, label or detail, in characters."""

LABELS_LIMIT = 32
"""Most labels of an operation."""

BATCH_LIMIT = 10_000
"""Most items of a batch."""

ERROR_LIMIT = 8 * 1024
"""Longest error message or traceback, in characters."""

LINE_LIMIT = 2 * 1024
"""Longest log line, in characters."""

RESULT_LIMIT = 64 * 1024
"""Longest result of a step that is kept for resuming, in bytes of JSON."""
