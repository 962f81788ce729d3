"""What somebody may have meant who has mistyped a word."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question with the known words that look like ``word``; empty if none does.

    >>> did_you_mean("wacht", ["watch", "ls"])
    ' Did you mean watch?'
    """
    from difflib import get_close_matches

    return "".join(f" Did you mean {' or '.join(close)}?" for close in [get_close_matches(word, known, n=2)] if close)
