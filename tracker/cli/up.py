"""``tracker up``: a whole system on this machine with one command, until Ctrl-C."""

from __future__ import annotations

import sys

import click

from tracker.cli import exit_codes
from tracker.cli.claim import Claim, Running, claim_or_join
from tracker.cli.options import output_options
from tracker.cli.output import Output
from tracker.cli.stopping import Stop, Stopped, stopping
from tracker.cli.verb import Verb
from tracker.render.words import clean
from tracker.settings import Settings


@click.command(cls=Verb)
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Worker processes."
)
@output_options
def up(concurrency: int, output: Output) -> int:
    """Start Redis, a worker and the dashboard; Ctrl-C stops all.

    Redis is started only if TRACKER_REDIS_URL is not set.

    A second call with the same state folder finds the first one and says where it is.

    Example:  TRACKER_DATA_ROOT=~/texts tracker up
    """
    settings = Settings.from_env()
    with stopping() as stop:
        try:
            return _claim_and_run(settings, stop, concurrency, output)
        except Stopped:
            return stop.exit_code


def _claim_and_run(settings: Settings, stop: Stop, concurrency: int, output: Output) -> int:
    claim = claim_or_join(settings.state_dir, stop)
    if isinstance(claim, Running):
        say_running(claim, output)
        return exit_codes.COMPLETE
    _run(settings, claim, stop, concurrency, output)
    return exit_codes.COMPLETE


def _run(settings: Settings, claim: Claim, stop: Stop, concurrency: int, output: Output) -> None:
    from tracker.cli.supervise import System

    system = System(settings, stop, log_to_stderr)
    try:
        system.start(concurrency)
        claim.publish(system.running)
        _say_ready(system.running, output)
        system.run()
    finally:
        system.shut_down()
        claim.release()


def _say_ready(running: Running, output: Output) -> None:
    if output.json:
        output.object(running)
    else:
        output.line(f"Dashboard: {running.url}   (Ctrl-C stops everything)")


def say_running(running: Running, output: Output) -> None:
    """Where the system is that somebody else has started."""
    if output.json:
        output.object(running)
    else:
        output.line(f"already running at {running.url} (pid {running.pid})")


def log_to_stderr(part: str, line: str) -> None:
    """One line of a part, named and cleaned; empty ones are left out."""
    if line:
        sys.stderr.write(f"{part:<6} | {clean(line)}\n")
        sys.stderr.flush()
