"""What holds for every command that reads: nothing stored moves the cursor, colours are left out where not wanted,
and nothing is wider than the terminal.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.archive.making import record, run
from tests.cli.commands import ROOT, TRACKER
from tests.cli.conftest import Run
from tests.store.making import NOW, batch_of, blob, by, lease
from tests.terminal.terminal import seen
from tracker.archive import Archive
from tracker.clock import now
from tracker.model import Error, Event, EventType, LogLine, RunPart, Status, StepState, StepStatus, Worker
from tracker.settings import Settings
from tracker.store import JobInfo, RunBlob, Store

HOSTILE = "a[/bold]<script>\x1b[31m\x1b]0;title\x07\u202e\x9b2J\nb\t漢字 e\u0301 " + "x" * 400
"""Colours, sets the title, rings, turns the writing direction, clears the screen; wide and combining characters."""

STYLED = re.compile(r"\x1b\[[0-9;]*m")

SIZES = (None, (20, 10), (80, 24))

VERBS = {
    "ls": ["ls", "--search", "b"],
    "show": ["show", "bad", "--logs"],
    "batch": ["show", "b"],
    "logs": ["logs", "bad"],
    "failed": ["logs", "b", "--failed"],
    "workers": ["workers"],
    "stats": ["stats"],
    "name": ["stats", HOSTILE.replace("\n", " ")],
    "jobs": ["jobs"],
    "job": ["jobs", HOSTILE],
    "json": ["show", "bad", "--json"],
    "cancel": ["cancel", "open", "--yes"],
    "resume": ["resume", "bad", "--yes"],
    "unknown": ["show", HOSTILE],
}


@pytest.fixture
def hostile(store: Store, environment: dict[str, str]) -> Store:
    """A store and an archive in which every text is hostile."""
    error = Error(HOSTILE, HOSTILE, path=[HOSTILE, HOSTILE], traceback=HOSTILE, step=1, log=[HOSTILE])
    worker = Worker(HOSTILE, 1, HOSTILE)
    part = RunPart(
        "r1", HOSTILE, HOSTILE, NOW, NOW, Status.ERROR, 1, NOW, 1.0, worker, labels={HOSTILE: HOSTILE}, error=error
    )
    step = StepState(1, HOSTILE, StepStatus.ERROR, NOW, 2.0, 1.0, 2.0, HOSTILE, HOSTILE, HOSTILE, warning=HOSTILE)
    line = Event(EventType.STEP_LOG, "bad", NOW, "r1", 2, log=LogLine(1, NOW, HOSTILE, 1, "warning"))
    store.append([blob("bad", part, type="operation.complete", steps=[step])])
    store.append([RunBlob("bad", "r1", [line], "", NOW, None)])
    (child,) = batch_of(store, 1)
    store.append([blob(child, part, type="operation.complete", steps=[step], parent="b")])
    open_part = RunPart("r2", HOSTILE, HOSTILE, NOW, NOW, worker=worker)
    store.append([by("p1", blob("open", open_part, steps=[step])), lease("p1", "r2")])
    schema = {"type": "object", "properties": {HOSTILE: {"type": "string", "description": HOSTILE}}}
    store.publish_jobs(f"w@{HOSTILE}", [JobInfo(HOSTILE, schema, HOSTILE, HOSTILE, HOSTILE)])
    archive = Archive(Settings.from_env(environment).archive, store.keys.namespace)
    name = HOSTILE.replace("\n", " ")
    archive.write([record("kept", run("r3", name=name, started=now(), duration=2.0), steps={1: step})])
    archive.close()
    return store


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_stored_moves_nothing(tracker: Run, hostile: Store, verb: str) -> None:
    """No cursor, no title, no markup, no bell; in a pipe, on narrow and on wide terminals, also in errors."""
    commands = [tracker(*VERBS[verb], terminal=size) for size in SIZES]
    for size, command in zip(SIZES, commands, strict=True):
        command.code()
        said = command.out + command.err
        assert "Traceback" not in said
        assert not {"\x07", "\u202e", "\x9b"} & set(said)
        assert "\x1b" not in (STYLED.sub("", said) if size else said)
        assert "\x1b[31mb" not in said
        if size is not None:
            lines, title = seen(command.out.encode(), *size)
            assert title == ""
            assert lines


@pytest.mark.parametrize("verb", ["ls", "workers", "stats", "jobs"])
def test_a_list_is_never_wider_than_the_terminal(tracker: Run, hostile: Store, verb: str) -> None:
    """One line for each row, whatever wide or combining characters it holds."""
    commands = {size: tracker(*VERBS[verb], terminal=size) for size in ((20, 10), (40, 12), (80, 24))}
    for (columns, lines), command in commands.items():
        assert command.code() == 0
        rows = [line for line in seen(command.out.encode(), 1000, 100)[0] if line]
        notes = ("and more", "outcomes of")
        assert max(len(row) for row in rows if not row.startswith(notes)) <= columns, lines


@pytest.mark.parametrize("how", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_there_is_no_control_sequence(tracker: Run, hostile: Store, how: dict[str, str]) -> None:
    """What is read once is plain text then, help and questions too."""
    asked = [*(VERBS[name] for name in ("ls", "show", "logs", "workers", "stats", "job")), ["logs", "--help"]]
    commands = [tracker(*arguments, terminal=(80, 24), **how) for arguments in asked]
    for command in commands:
        command.code(120)
        assert "\x1b" not in command.out


@pytest.mark.parametrize("verb", ["ls --json", "logs bad --json", "export --format jsonl", "workers", "stats"])
def test_a_reader_that_goes_away_is_no_error(hostile: Store, environment: dict[str, str], verb: str) -> None:
    """``… | head -c 1`` ends without a word."""
    line = " ".join([*TRACKER, verb, "| head -c 1"])
    own = {**environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", line], cwd="/", env=own, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert len(done.stdout) == 1


@pytest.mark.parametrize("verb", ["ls", "show bad", "logs bad", "workers", "stats", "jobs", "resume bad --yes"])
def test_json_is_all_there_is_on_stdout(tracker: Run, hostile: Store, verb: str) -> None:
    """Every line is an object; what cannot be done is told elsewhere."""
    command = tracker(*verb.split(), "--json", terminal=(80, 24) if verb == "ls" else None)
    if command.code() == 0:
        assert all(isinstance(found, dict) for found in command.objects)
    else:
        assert command.out == ""
