"""``tracker demo``: a real batch over real files, queued over HTTP and watched in this terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from tracker.cli.claim import Claim, Running, claim_or_join
from tracker.cli.demo_batch import Plan, run_batch
from tracker.cli.demo_files import Files, default_folder, find_files
from tracker.cli.options import output_options
from tracker.cli.output import Output
from tracker.cli.source.local import settings as complete_settings
from tracker.cli.stopping import Stop, Stopped, stopping
from tracker.cli.verb import Verb
from tracker.errors import TrackerError
from tracker.render.words import clean
from tracker.settings import Settings


@click.command(cls=Verb)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--exit", "leave", is_flag=True, help="End with the batch, and with its outcome as exit code.")
@click.option("--limit", type=click.IntRange(1, 10_000), metavar="N", help="Take the first N files only.")
@output_options
def demo(path: Path | None, leave: bool, limit: int | None, output: Output) -> int:
    """Process real text files as one batch, and watch it.

    Starts what `tracker up` starts, or joins one that runs. PATH is a file or a folder with
    text files; default: TRACKER_DATA_ROOT, else this Python's own library. Reads only; results go to the state folder.

    Example:  tracker demo ~/texts --exit
    """
    settings = Settings.from_env()
    files = _files(settings, path, limit)
    settings = replace(settings, data_root=files.root)
    with stopping() as stop:
        try:
            claim = claim_or_join(settings.state_dir, stop)
            if isinstance(claim, Running):
                return _join(claim, files, stop, output)
            return _start(
                claim, Plan(settings, files, output, stop.check, stop.wait), stop, stay=output.terminal and not leave
            )
        except Stopped:
            return stop.exit_code


def _files(settings: Settings, path: Path | None, limit: int | None) -> Files:
    """What to process: below ``TRACKER_DATA_ROOT`` where that is set, for jobs read nothing else then."""
    root = settings.data_root
    if root == Path("."):
        return find_files(path or default_folder(), limit)
    found = find_files(path or root, limit).below(root)
    if found is None:
        raise click.UsageError(
            f"{str(path)!r} lies outside TRACKER_DATA_ROOT ({root}); unset it, or give a PATH in there"
        )
    return found


def _join(running: Running, files: Files, stop: Stop, output: Output) -> int:
    """Use the system that runs: its worker reads files below its own folder only."""
    found = files.below(Path(running.data_root))
    if found is None:
        raise TrackerError(
            f"already running at {running.url}, where jobs read files below {running.data_root} only; "
            f"stop it (pid {running.pid}), or give a PATH in there"
        )
    output.say(f"already running at {running.url} (pid {running.pid})")
    return run_batch(Plan(complete_settings(), found, output, stop.check, stop.wait), running)


def _start(claim: Claim, plan: Plan, stop: Stop, *, stay: bool) -> int:
    """Start a system for this demo, and end it afterwards."""
    from tracker.cli.supervise import System

    with LogFile(plan.settings.state_dir / "up.log") as log:
        system = System(plan.settings, stop, log)
        try:
            system.start(concurrency=2)
            claim.publish(system.running)
            plan.output.say(f"Dashboard: {system.running.url}   (log: {log.path})")
            code = run_batch(replace(plan, settings=system.settings, check=system.check), system.running)
            if stay:
                plan.output.say(f"The dashboard stays at {system.running.url} until Ctrl-C.")
                system.run()
            return code
        finally:
            system.shut_down()
            claim.release()


class LogFile:
    """Keeps what the parts write out of the way of the live view; begun anew by each demo."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()

    def __call__(self, part: str, line: str) -> None:
        """Keep one line."""
        if not self._stream.closed:
            self._stream.write(f"{part:<6} | {clean(line)}\n")
