"""``tracker worker``, ``tracker web`` and ``tracker recorder``: the long-running parts, in the foreground."""

from __future__ import annotations

from dataclasses import replace

import click

from tracker.cli import exit_codes
from tracker.cli.source.local import open_store, settings
from tracker.cli.stopping import stopping
from tracker.cli.verb import Verb
from tracker.settings import Settings


@click.command(cls=Verb)
@click.option("--concurrency", "-c", type=click.IntRange(min=1), metavar="N", help="Processes; default: one per core.")
@click.option("--pool", type=click.Choice(["prefork", "solo", "threads"]), help="How jobs run side by side.")
@click.option("--hostname", "-n", metavar="NAME", help="Name of this worker; default: the machine's.")
def worker(concurrency: int | None, pool: str | None, hostname: str | None) -> int:
    """Run jobs on this machine until stopped.

    On another machine, set TRACKER_REDIS_URL to the same Redis.

    Example:  tracker worker --concurrency 4
    """
    found = settings()
    open_store(found)
    from tracker.celery.worker import run

    return run(found, concurrency, pool, hostname)


@click.command(cls=Verb)
@click.option("--bind", metavar="HOST:PORT", help="Where to listen; default: TRACKER_BIND or 127.0.0.1:8420.")
def web(bind: str | None) -> int:
    """Serve the dashboard and the HTTP API until stopped.

    Example:  tracker web --bind 127.0.0.1:9000
    """
    found = settings()
    if bind:
        found = replace(found, bind=Settings.from_env({"TRACKER_BIND": bind}).bind)
    from web.server import run

    return run(found, ready=lambda url: print(f"serving {url}", flush=True))


@click.command(cls=Verb)
def recorder() -> int:
    """Keep Redis within its retention until stopped.

    One is active per namespace, others stand by. `tracker web` runs one as well.

    Example:  TRACKER_LIVE_DAYS=3 tracker recorder
    """
    found = settings()
    from tracker.history.recorder import Recorder
    from tracker.process import settle_in
    from tracker.store import Store

    settle_in()
    store = Store.of(found)  # It need not answer yet: a recorder stands by until it does.
    with stopping() as stop:
        Recorder.of(found, store, lambda line: print(line, flush=True)).run(stop.wait)
    return exit_codes.COMPLETE
