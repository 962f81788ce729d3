"""A symbol and a word for every status, in three sets: the tracker's own emoji, single cells, ASCII.

The word always stands beside the symbol; a symbol or a colour alone says nothing to some readers.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

NOT_RUN, UNFINISHED = "not run", "unfinished"
"""What a pending and what a running step of an ended operation are called."""

STYLES: Mapping[str, str] = {
    "queued": "dim",
    "pending": "dim",
    "running": "cyan",
    "complete": "green",
    "error": "red",
    "skipped": "yellow",
    "cancelled": "yellow",
    "lost": "red",
    NOT_RUN: "dim",
    UNFINISHED: "red",
}
"""Rich styles by status; semantic colours only."""


class Symbols(msgspec.Struct, frozen=True):
    """One set of symbols.

    ``full`` and ``empty`` make progress bars, ``ellipsis`` stands for what is left out, ``margin`` is before log lines,
    ``branch`` before what is nested in the step above; ``folded`` and ``unfolded`` are before what can be opened.
    """

    marks: Mapping[str, str]
    full: str
    empty: str
    ellipsis: str
    margin: str
    branch: str
    folded: str
    unfolded: str

    def mark(self, status: str) -> str:
        """The symbol of a status; a question mark for one this version does not know."""
        return self.marks.get(status, "?")


EMOJI = Symbols(
    {
        "queued": "⏸", "pending": "⏸", "running": "⏳", "complete": "✅",
        "error": "❌", "skipped": "⏭", "cancelled": "⏹", "lost": "❌",
        NOT_RUN: "⏸", UNFINISHED: "❌",
    },
    full="━",
    empty="─",
    ellipsis="…",
    margin="│",
    branch="└ ",
    folded="▸",
    unfolded="▾",
)  # fmt: skip
"""The set of the tracker's own display; one code point each, for terminals differ on longer sequences."""

UNICODE = Symbols(
    {
        "queued": "◌", "pending": "○", "running": "◐", "complete": "✓",
        "error": "✗", "skipped": "↷", "cancelled": "⊘", "lost": "‽",
        NOT_RUN: "○", UNFINISHED: "‽",
    },
    full="━",
    empty="─",
    ellipsis="…",
    margin="│",
    branch="└ ",
    folded="▸",
    unfolded="▾",
)  # fmt: skip
"""One terminal cell each; for lists."""

ASCII = Symbols(
    {
        "queued": ".", "pending": ".", "running": ">", "complete": "+",
        "error": "x", "skipped": "-", "cancelled": "/", "lost": "!",
        NOT_RUN: ".", UNFINISHED: "!",
    },
    full="#",
    empty=".",
    ellipsis="...",
    margin="|",
    branch="`-",
    folded="+",
    unfolded="-",
)  # fmt: skip
"""For terminals and files that cannot hold more."""


def fitting(encoding: str | None, wanted: Symbols) -> Symbols:
    """``wanted``, or ``ASCII`` if text in ``encoding`` cannot hold it."""
    try:
        others = (
            wanted.full,
            wanted.empty,
            wanted.ellipsis,
            wanted.margin,
            wanted.branch,
            wanted.folded,
            wanted.unfolded,
        )
        "".join((*wanted.marks.values(), *others)).encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return wanted
