"""The batch of a demo: queued over HTTP, watched here, and at its end what failed, where, and how to run that again."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tracker.cli import exit_codes
from tracker.cli.claim import Running
from tracker.cli.demo_files import Files
from tracker.cli.local_api import Api
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.source.direct import Direct
from tracker.cli.source.paging import all_children
from tracker.cli.source.remote import Remote
from tracker.cli.watch import View, watch_one
from tracker.clock import elapsed
from tracker.model import Operation, Status
from tracker.settings import Settings

JOB = "files.process"

FIRST_PAGE_WAIT = 5.0
"""How long the batch waits for somebody to open the dashboard, in seconds."""

FAILED = (Status.ERROR, Status.LOST, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one demo works with; ``check`` raises when it has to end, ``pause`` waits or is cut short by that."""

    settings: Settings
    files: Files
    output: Output
    check: Callable[[], None]
    pause: Callable[[float], object]


def run_batch(plan: Plan, running: Running) -> int:
    """Queue, watch and report; answers the exit code of the batch's outcome."""
    if plan.output.terminal:
        _wait_for_first_page(Api(running.url), plan)
    number = len(plan.files.paths)
    items: list[dict[str, Any]] = [{"path": path} for path in plan.files.paths]
    id = Remote(running.url, plan.settings.token).batch(
        JOB, items, {}, f"Process {number} file{'s' if number != 1 else ''}"
    )
    source = Direct(plan.settings)
    outcome = watch_one(source, id, plan.output, View(check=plan.check, hint=Hint(), keys=False))
    if outcome.status is not Status.COMPLETE:
        _report(source, outcome, plan)
    return exit_codes.BY_STATUS[outcome.status]


class Hint:
    """Something to try while the batch runs, with the id of the process that was last seen at work."""

    def __init__(self) -> None:
        self._pid = 0

    def __call__(self, operation: Operation | None, children: list[Operation]) -> str:
        working = [child.worker.pid for child in children if child.status is Status.RUNNING and child.worker]
        if working and self._pid not in working:
            self._pid = working[0]
        return f"Try this in another terminal: kill -9 {self._pid}   (a process of the worker)" if self._pid else ""


def _wait_for_first_page(api: Api, plan: Plan) -> None:
    """So that somebody who opens the dashboard sees the batch from its beginning."""
    plan.output.say(f"Open it now: the batch starts with the first look, or in {FIRST_PAGE_WAIT:.0f} s.")
    deadline = elapsed() + FIRST_PAGE_WAIT
    while elapsed() < deadline and not api.watching():
        plan.check()
        plan.pause(0.1)


def _report(source: Source, outcome: Operation, plan: Plan) -> None:
    """How to look at a failure, and how to run what failed again."""
    failed = [child for status in FAILED for child in all_children(source, outcome.id, status)]
    if not failed:
        return
    file = plan.settings.state_dir.resolve() / f"failed-{outcome.id}.ndjson"
    file.write_bytes(b"".join(msgspec.json.encode(child.args) + b"\n" for child in failed if child.args))
    plan.output.say(f"Look at one:      tracker show {failed[0].id}")
    plan.output.say(f"Run them again:   tracker batch {JOB} --items-from {shlex.quote(str(file))} --wait")
    plan.output.say(f"                  (as a new batch, while `tracker up` runs with {_setting(plan.files.root)})")


def _setting(root: Path) -> str:
    return f"TRACKER_DATA_ROOT={shlex.quote(str(root))}"
