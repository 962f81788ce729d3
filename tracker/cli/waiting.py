"""``--wait`` and what belongs to it: watching what was queued until it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import click

from tracker.cli import exit_codes
from tracker.cli.options import with_options
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.clock import elapsed

Command = TypeVar("Command", bound=Callable[..., Any])


class Waiting(NamedTuple):
    """``exit_status``: the exit code is the outcome. ``timeout``: seconds after which nobody waits any more."""

    exit_status: bool
    timeout: float | None

    def run(self, source: Source, ids: Sequence[str], output: Output) -> int:
        """Watch operations one after the other; the exit code is that of the first one that is not complete."""
        from tracker.cli.watch import View, watch_one

        ends = elapsed() + self.timeout if self.timeout is not None else None
        codes = []
        for id in ids:
            left = max(0.0, ends - elapsed()) if ends is not None else None
            codes.append(exit_codes.BY_STATUS[watch_one(source, id, output, View(timeout=left)).status])
        return next(filter(None, codes), exit_codes.COMPLETE) if self.exit_status else exit_codes.COMPLETE


def wait_options(command: Command) -> Command:
    """Add ``--wait``, ``--exit-status`` and ``--timeout``, handed to the command as ``waiting``, ``None`` without."""

    def turn(values: dict[str, Any]) -> None:
        wait, exit_status, timeout = (values.pop(name) for name in ("wait", "exit_status", "timeout"))
        if not wait and (exit_status or timeout is not None):
            raise click.UsageError("--exit-status and --timeout need --wait")
        values["waiting"] = Waiting(exit_status, timeout) if wait else None

    options = (
        click.option("--wait", is_flag=True, help="Watch it until it has ended."),
        click.option("--exit-status", is_flag=True, help="With --wait: exit with 0, 1, 3 or 4."),
        click.option(
            "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="With --wait: stop then, exit 124."
        ),
    )
    return with_options(command, options, turn)
