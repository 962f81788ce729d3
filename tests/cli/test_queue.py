"""``submit`` and ``batch``: what is queued, what is refused, and how arguments are read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import ROOT, TRACKER
from tests.cli.conftest import Run
from tests.support import free_address
from tracker.cli.items import Given, argument, expanded
from tracker.cli.job_options import typed
from tracker.model import Status
from tracker.store import JobInfo, Store

PATH_SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


@pytest.mark.skipif(sys.platform == "win32", reason="the embedded server needs POSIX")
def test_jobs_are_queued_waited_for_and_refused(tracker: Run, tmp_path: Path) -> None:
    """On a whole running system: ids, outcomes, labels, and errors that queue nothing."""
    (tmp_path / "good.txt").write_text("good\n")
    own = {"TRACKER_REDIS_URL": "", "TRACKER_BIND": free_address(), "TRACKER_DATA_ROOT": str(tmp_path)}
    tracker("up", **own).shows("(Ctrl-C stops everything)", 60)
    submit = ["submit", "files.process", "--arg"]
    good = tracker(*submit, "path=good.txt", "--label", "tenant=acme", "--wait", "--exit-status", "--json", **own)
    bad = tracker(*submit, "path=missing.txt", "--wait", "--exit-status", **own)
    wrong = tracker(*submit, "file=good.txt", **own)
    unknown = tracker("submit", "files.nothing", "--args", '{"path": "good.txt"}', **own)
    quiet = tracker("submit", "files.process", "--args", '{"path": "good.txt"}', "-q", **own)
    many = tracker("batch", "files.process", "good.txt", '{"path": "good.txt"}', "--wait", "--exit-status", **own)
    assert [command.code() for command in (good, bad, wrong, unknown, quiet, many)] == [0, 1, 2, 2, 0, 0]
    assert good.objects[-1]["operation"]["labels"] == {"tenant": "acme"}
    assert "missing.txt" in bad.out
    assert "path" in wrong.err
    assert "files.nothing" in unknown.err
    assert "2 complete" in many.lines[-1]
    shown = tracker("show", quiet.out.strip(), "--json", **own)
    assert shown.code() == 0
    assert shown.objects[0]["name"] == "files.process"


def test_a_job_without_a_live_worker_is_refused(tracker: Run, store: Store) -> None:
    """Known, but nobody would run it: nothing is queued."""
    store.publish_jobs("w1", [JobInfo("files.process", PATH_SCHEMA, "celery")])
    store.withdraw_worker("w1")
    command = tracker("submit", "files.process", "--arg", "path=x")
    assert command.code() == 1
    assert command.err.startswith("tracker: ")
    assert store.operations().items == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit", "files.process", "--arg", "path"],
        ["submit", "files.process", "--args", "[1]"],
        ["submit", "files.process", "--args", "{"],
        ["batch", "files.process", "--items-from", "/nowhere"],
        ["batch", "files.process", "{broken"],
        ["batch", "two.required", "x"],
        ["batch", "files.process", "x", "--on-complete-args", "{}"],
        ["batch", "files.process", "x", "--on-complete", "two.required", "--on-complete-args", "[1]"],
        ["batch", "files.process", "x", "--on-complete", "two.unknown"],
        ["submit", "files.process", "--arg", "path=x", "--exit-status"],
        ["batch", "files.process", "x", "--timeout", "3"],
    ],
)
def test_arguments_that_cannot_be_read_are_usage_errors(tracker: Run, store: Store, arguments: list[str]) -> None:
    """Named before anything is queued."""
    two = {"type": "object", "properties": {}, "required": ["from", "to"]}
    store.publish_jobs("w1", [JobInfo("files.process", PATH_SCHEMA, "celery"), JobInfo("two.required", two, "celery")])
    command = tracker(*arguments)
    assert command.code() == 2
    assert command.err.count("\n") == 1
    assert store.operations().items == []


MANY_KINDS = {
    "type": "object",
    "properties": {
        "tenant": {"type": "string", "description": "Whose it is."},
        "copies": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
        "dry_run": {"type": "boolean", "default": False},
        "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}], "default": None},
        "options": {"type": "object"},
        "label": {"type": "string"},
    },
    "required": ["tenant"],
}


def test_the_arguments_of_a_job_are_options(tracker: Run, store: Store) -> None:
    """With the types its schema asks for; one that is called as an option of the command goes by --arg."""
    store.publish_jobs("w1", [JobInfo("prepare", MANY_KINDS, f"queue-{store.keys.namespace}")])
    words = ["--tenant", "acme", "--copies", "3", "--dry-run", "--tags", "a", "--tags", "b", "--options", '{"x": 1}']
    command = tracker("submit", "prepare", *words, "--arg", "label=own", "--label", "env=prod", "-q")
    assert command.code() == 0, command.err
    operation = store.operation(command.out.strip())
    assert operation is not None
    assert operation.queue is not None
    assert operation.queue.labels == {"env": "prod"}
    assert operation.queue.args == {
        "tenant": "acme",
        "copies": 3,
        "dry_run": True,
        "tags": ["a", "b"],
        "options": {"x": 1},
        "label": "own",
    }


def test_the_help_of_a_job_tells_its_arguments(tracker: Run, store: Store) -> None:
    """By name, kind and bounds; without a Redis the help of the command itself."""
    store.publish_jobs("w1", [JobInfo("prepare", MANY_KINDS, "q")])
    told = tracker("submit", "prepare", "--help")
    assert told.code() == 0
    lines = [" ".join(line.split()) for line in told.lines]
    assert "--tenant <TEXT> Whose it is; needed" in lines
    assert "--copies <INTEGER> at least 1, at most 9; otherwise 1" in lines
    assert any(line.startswith("--dry-run") and "--no-dry-run" in line for line in lines)
    alone = tracker("submit", "prepare", "--help", TRACKER_REDIS_URL="redis://127.0.0.1:1/0")
    assert alone.code() == 0
    assert "--tenant" not in alone.out


def test_an_option_that_is_no_argument_of_the_job_is_a_usage_error(tracker: Run, store: Store) -> None:
    """In one line, and nothing is queued."""
    store.publish_jobs("w1", [JobInfo("prepare", MANY_KINDS, "q")])
    command = tracker("submit", "prepare", "--tenant", "acme", "--size", "3")
    assert command.code() == 2
    assert "--size" in command.err
    assert store.operations().items == []


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("3", {"type": "integer"}, 3),
        ("3", {"type": "string"}, "3"),
        ("3", {}, "3"),
        ("true", {"type": "boolean"}, True),
        ("[1, 2]", {"type": "array"}, [1, 2]),
        ("null", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, None),
        ("x", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "x"),
        ("not a number", {"type": "integer"}, "not a number"),
    ],
)
def test_a_value_is_read_as_the_type_the_job_asks_for(text: str, schema: dict[str, object], value: object) -> None:
    """What does not fit stays text, and the schema's check names it."""
    assert typed(text, schema) == value


def test_an_item_is_arguments_or_the_one_required_argument() -> None:
    """A JSON object is taken as it is; any other text is the value of the named or the only required argument."""

    def of(text: str, schema: dict[str, Any], name: str | None = None) -> dict[str, Any]:
        return argument(Given(text, "item 1"), schema, name)

    assert of('{"path": "a", "n": 1}', {}) == {"path": "a", "n": 1}
    assert of("a b.txt", PATH_SCHEMA) == {"path": "a b.txt"}
    assert of("7", {"properties": {"n": {"type": "integer"}}}, "n") == {"n": 7}


def test_a_pattern_stands_for_the_files_that_fit(tmp_path: Path) -> None:
    """In order, also in folders below; a file's own name, JSON, and what fits nothing stay as they are."""
    for name in ("b.txt", "a.txt", "c.csv", "[1].txt", "in/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert expanded("[ab].txt", tmp_path) == ["a.txt", "b.txt"]
    assert expanded("**/d*", tmp_path) == ["in/d.txt"]
    for word in ("[1].txt", '{"path": "*.txt"}', "*.pdf", "a.txt"):
        assert expanded(word, tmp_path) == [word]


def test_items_come_from_lines_and_patterns(store: Store, environment: dict[str, str], tmp_path: Path) -> None:
    """Words and JSON objects side by side; what cannot be read is told with its line."""
    store.publish_jobs("w1", [JobInfo("files.process", PATH_SCHEMA, f"queue-{store.keys.namespace}")])
    (tmp_path / "a.txt").write_text("x")
    own = {**environment, "PYTHONPATH": str(ROOT), "TRACKER_DATA_ROOT": str(tmp_path)}
    line = [*TRACKER, "batch", "files.process", "*.txt", "--items-from", "-", "-q"]

    def run(items: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(line, input=items, env=own, cwd="/", capture_output=True, text=True, timeout=60)

    good, bad = run('b.txt\n\n{"path": "c.txt"}\n'), run('b.txt\n\n{"path": c}\n')
    assert good.returncode == 0, good.stderr
    (batch,) = store.operations().items
    assert good.stdout == f"{batch.id}\n"
    assert batch.children.total == 3
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("tracker: line 3 of stdin is not a JSON object: ")
    assert bad.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["submit", "files.proces", "--path", "x"], ["batch", "files.proces", "x"], ["jobs", "files.proces"]]
)
def test_an_unknown_job_says_which_was_meant(tracker: Run, store: Store, arguments: list[str]) -> None:
    """Also where its arguments are options that nobody knows."""
    store.publish_jobs("w1", [JobInfo("files.process", PATH_SCHEMA, "celery")])
    command = tracker(*arguments)
    assert (command.code(), command.out) == (2, "")
    assert command.err == "tracker: no worker has published a job 'files.proces'. Did you mean files.process?\n"


def test_waiting_has_a_limit(tracker: Run, store: Store) -> None:
    """Exit code 124; what was queued goes on."""
    store.publish_jobs("w1", [JobInfo("files.process", PATH_SCHEMA, f"queue-{store.keys.namespace}")])
    command = tracker("submit", "files.process", "--path", "x", "-q", "--wait", "--timeout", "0.2")
    assert command.code() == 124
    assert store.status(command.lines[0]) is Status.QUEUED
