"""The command line: ``main`` is the entry point of ``tracker``; one module per group of verbs.

Imports nothing heavy: a verb's module is loaded when it is called for, and celery, flask and redis
only inside the verbs that use them. Nothing outside this package imports it.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (``tracker.cli.exit_codes``); never a traceback for a user's mistake."""
    from tracker.cli.entry import run

    return run(argv)
