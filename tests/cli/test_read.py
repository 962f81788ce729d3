"""``ls``, ``show`` and ``jobs``: what they print, for people, pipes and programs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.archive.making import record, run, steps
from tests.cli.commands import ROOT, TRACKER
from tests.cli.conftest import Run
from tests.store.making import NOW, batch_of, blob, ended, head, leave, queued, started
from tests.store.test_again import again
from tests.store.test_logs import lines
from tracker.archive import Archive
from tracker.model import Error, QueuePart, RunPart, Status, StepState, StepStatus, Verdict
from tracker.settings import Settings
from tracker.store import JobInfo, QueueItem, Store, VerdictItem

HOSTILE = "a[/bold]<script>\x1b[31m\x1b]0;title\x07\u202e\nb" + "x" * 10_000


def test_ls_in_a_pipe_is_one_plain_line_each_newest_first(tracker: Run, store: Store) -> None:
    """Whole ids and tabs, so that ``cut`` and ``awk`` work."""
    store.append([QueueItem(f"op-{n}", QueuePart("files.process", NOW + n, title=f"File {n}")) for n in range(3)])
    command = tracker("ls")
    assert command.code() == 0
    assert [line.split("\t")[0] for line in command.lines] == ["op-2", "op-1", "op-0"]
    assert command.lines[0].split("\t")[1:2] == ["queued"]
    assert command.lines[0].endswith("files.process\tFile 2")


def test_ls_takes_filters_and_a_limit(tracker: Run, store: Store) -> None:
    """By status, by name, and no more than asked for."""
    store.append([queued("q1"), started("r1"), ended("r1", Status.ERROR), queued("q2", name="other")])
    by_status = tracker("ls", "--status", "error", "--json")
    by_name = tracker("ls", "--name", "other", "--json")
    limited = tracker("ls", "--limit", "1", "--json")
    assert (by_status.code(), by_name.code(), limited.code()) == (0, 0, 0)
    assert [one["id"] for one in by_status.objects] == ["r1"]
    assert [one["id"] for one in by_name.objects] == ["q2"]
    assert len(limited.objects) == 1


def test_show_prints_steps_error_and_what_else_is_known(tracker: Run, store: Store) -> None:
    """Everything that explains a failure, found by the beginning of the id."""
    step = StepState(1, "Check encoding", StepStatus.ERROR, NOW, 0.4, error="not UTF-8")
    why = Error("NotText", "not UTF-8", path=["A title", "Check encoding"])
    part = RunPart(
        "r1", "job", "A title", NOW, NOW, Status.ERROR, 4, NOW + 2, 2.2, labels={"tenant": "acme"}, error=why
    )
    store.append([blob("failing-one", part, type="operation.complete", steps=[step])])
    command = tracker("show", "failing")
    assert command.code() == 0
    assert command.lines[0] == 'A title: error after 2.2s at "Check encoding": NotText: not UTF-8'
    assert "[1/4] Check encoding: error after 0.4s: not UTF-8" in command.out
    assert "tenant=acme" in command.out


@pytest.mark.parametrize("status", [Status.ERROR, Status.CANCELLED])
def test_show_says_what_was_not_run_and_where_a_failure_comes_from(tracker: Run, store: Store, status: Status) -> None:
    """What somebody ended did not fail anywhere."""
    steps = [StepState(1, "Read", StepStatus(status), NOW, 0.4), StepState(2, "Write", StepStatus.PENDING)]
    why = Error("Whatever", "so it was", path=["A title", "Read"], traceback="Traceback: here")
    part = RunPart("r1", "job", "A title", NOW, NOW, status, 2, NOW + 2, 2.2, error=why)
    store.append([blob("one", part, type="operation.complete", steps=steps)])
    command = tracker("show", "one")
    assert command.code() == 0
    assert "  [2/2] Write: not run" in command.lines
    assert ("Traceback: here" in command.out) == (status is Status.ERROR)


def test_show_says_what_a_lost_operation_has_left_unfinished(tracker: Run, store: Store) -> None:
    """A step that nobody works at does not run."""
    store.append([blob("one", head(), steps=[StepState(1, "Load", StepStatus.RUNNING, NOW)])])
    verdict = Verdict(Status.LOST, NOW + 5, "recorder", run="r1")
    store.append([VerdictItem("one", Status.RUNNING, verdict)])
    command = tracker("show", "one")
    assert command.code() == 0
    assert "  [1] Load: unfinished" in command.lines


def test_show_tells_of_earlier_attempts_and_shows_each_as_it_was(tracker: Run, store: Store) -> None:
    """A line for each, and with --attempt everything about one; one that there is not is said."""
    broken = StepState(1, "Connect", StepStatus.ERROR, NOW, 0.4, error="refused")
    why = Error("ConnectionError", "refused", path=["A title", "Connect"])
    first = RunPart("r1", "job", "A title", NOW, NOW, Status.ERROR, 4, NOW + 2, 2.2, error=why)
    again = RunPart("r2", "job", "A title", NOW, NOW, Status.QUEUED, 4, NOW + 9, 6.6)
    store.append([blob("a", first, type="operation.complete", steps=[broken]), blob("a", again), started("a", "r3")])
    newest, earlier, whole = (
        tracker("show", "a"),
        tracker("show", "a", "--attempt", "1"),
        tracker("show", "a", "--json"),
    )
    assert (newest.code(), earlier.code(), whole.code()) == (0, 0, 0)
    assert '  attempt 1: error after 2.2s at "Connect": ConnectionError: refused' in newest.lines
    assert "  attempt 2: asked to be run again after 6.6s" in newest.lines
    assert "[1/4] Connect: error after 0.4s: refused" in earlier.out
    assert "  attempt  1" in earlier.lines
    assert "attempt 1:" not in earlier.out
    assert whole.objects[0]["attempt"] == 3
    narrow = tracker("show", "a", terminal=(50, 24))
    assert (narrow.code(), max(map(len, narrow.text.splitlines()))) == (0, 50)
    assert '  attempt 1: error after 2.2s at "Connect": Conne…' in narrow.text.splitlines()
    chosen, unknown = tracker("show", "a", "--attempt", "1", "--json"), tracker("show", "a", "--attempt", "4")
    assert (chosen.code(), unknown.code()) == (0, 1)
    assert (chosen.objects[0]["run"], chosen.objects[0]["status"]) == ("r1", "error")
    assert "has no attempt 4; known: 1, 2, 3" in unknown.err


def test_show_of_a_batch_names_its_failed_children(tracker: Run, store: Store) -> None:
    """Counts, and each failure with its error."""
    ids = batch_of(store, 3)
    store.append([started(id, parent="b") for id in ids])
    store.append([ended(ids[0], parent="b"), ended(ids[1], parent="b"), ended(ids[2], Status.ERROR, parent="b")])
    command = tracker("show", "b")
    assert command.code() == 0
    assert "3 of 3 ended (2 complete, 1 error)" in command.out
    assert "A title: error" in command.lines[-1]


def test_show_of_many_failures_tells_each_reason_once(tracker: Run, store: Store) -> None:
    """With how many there are of it and one of them, instead of a screen of the same."""
    ids = batch_of(store, 30)
    for number, id in enumerate(ids):
        why = Error("ValueError", f"row {number} is empty")
        part = RunPart(f"r{id}", "job", "A title", NOW, NOW, Status.ERROR, 1, NOW, 1.0, error=why, parent="b")
        store.append(
            [blob(id, part, type="operation.complete", parent="b", steps=[StepState(1, "Read", StepStatus.ERROR)])]
        )
    command = tracker("show", "b")
    assert command.code() == 0
    assert command.lines[-1] == '  30 × at "Read": ValueError: row … is empty, as b.1'


def test_json_is_the_operation_and_nothing_else(tracker: Run, store: Store) -> None:
    """The same object as over HTTP; steps in the single view only."""
    store.append([blob("one", head(), steps=[StepState(1, "Read")])])
    shown, listed = tracker("show", "one", "--json"), tracker("ls", "--json")
    assert (shown.code(), listed.code()) == (0, 0)
    assert [step["name"] for step in shown.objects[0]["steps"]] == ["Read"]
    assert (listed.objects[0]["id"], listed.objects[0]["steps"]) == ("one", None)


@pytest.mark.parametrize("terminal", [None, (20, 10), (80, 24)])
def test_hostile_text_is_harmless(tracker: Run, store: Store, terminal: tuple[int, int] | None) -> None:
    """Titles cannot colour, move the cursor, ring, set the window's title or break a line."""
    part = RunPart("r1", HOSTILE, HOSTILE, NOW, NOW, Status.ERROR, 1, NOW, 1.0, error=Error(HOSTILE, HOSTILE))
    steps = [StepState(1, HOSTILE, StepStatus.ERROR, error=HOSTILE, detail=HOSTILE)]
    store.append([blob("bad", part, type="operation.complete", steps=steps)])
    for verb in (["ls"], ["show", "bad"], ["watch", "bad"]):
        command = tracker(*verb, terminal=terminal)
        assert command.code() == 0
        assert not {"\x07", "\u202e"} & set(command.out)
        assert "\x1b]" not in command.out
        assert "\x1b[31mb" not in command.out
        assert "[31m" not in command.out.replace("\x1b[31m", "").replace("\ufffd[31m", "")


@pytest.mark.parametrize("how", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_a_terminal_gets_no_control_sequence(tracker: Run, store: Store, how: dict[str, str]) -> None:
    """What is read once is plain text then."""
    store.append([started("one"), ended("one", Status.ERROR)])
    for verb in (["ls"], ["show", "one"], ["--help"], ["ls", "--help"]):
        command = tracker(*verb, terminal=(80, 24), **how)
        assert command.code() == 0
        assert "\x1b" not in command.out


def test_a_reader_that_goes_away_is_no_error(tracker: Run, store: Store, environment: dict[str, str]) -> None:
    """``tracker ls --json | head -1`` prints one line and no traceback."""
    store.append([queued(f"op-{n}") for n in range(500)])
    line = " ".join([*TRACKER, "ls --json --limit 1000 | head -1"])
    done = subprocess.run(
        ["sh", "-c", line], cwd="/", env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert json.loads(done.stdout)["id"].startswith("op-")
    assert done.stderr == ""


def test_jobs_tells_arguments_and_live_workers(tracker: Run, store: Store) -> None:
    """What can be queued, and whether anybody would run it."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}, "depth": {}}, "required": ["path"]}
    store.publish_jobs("w1", [JobInfo("files.process", schema, "celery", description="Reads a file.")])
    command, as_json = tracker("jobs"), tracker("jobs", "--json")
    assert (command.code(), as_json.code()) == (0, 0)
    assert command.out == "files.process\tpath [depth]\t1 worker\tReads a file.\n"
    assert as_json.objects[0]["schema"] == schema


@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        (["ls"], ("rich_click", "rich.console", "urllib.request")),
        (["show", "one"], ("rich_click", "rich.console", "urllib.request")),
        (["logs", "one"], ("rich_click", "rich.console", "urllib.request")),
        (["export"], ("rich_click", "rich.console")),
        (["watch", "one"], ()),
        (["completion", "zsh"], ("redis", "sqlite3")),
        (["--help"], ("websockets",)),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_reading_loads_neither_celery_nor_flask(
    store: Store, environment: dict[str, str], arguments: list[str], others: tuple[str, ...]
) -> None:
    """A look costs what a look needs: in a pipe no drawing, and nothing that draws help."""
    store.append([started("one"), ended("one")])
    unwanted = ("celery", "kombu", "flask", *others)
    script = (
        "import sys; from tracker.cli import main; code = main(sys.argv[1:]);"
        f"sys.exit(repr([name for name in {unwanted} if name in sys.modules] or code))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == "0"


@pytest.mark.parametrize("size", [(20, 10), (60, 20), (80, 24), (120, 40)])
def test_ls_on_a_terminal_is_a_table_that_fits(tracker: Run, store: Store, size: tuple[int, int]) -> None:
    """One row each below a title, never wider than the terminal; ids as long as they must be to tell them apart."""
    store.append([started(f"0197aaaa-{n}") for n in range(3)])
    command = tracker("ls", terminal=size)
    assert command.code() == 0
    title, *lines = command.text.splitlines()
    assert len(lines) == 3
    assert max(map(len, (title, *lines))) <= size[0]
    assert all("A title"[: size[0] // 4] in line for line in lines)
    assert [line.split(" ")[0] for line in lines if size[0] >= 40] in ([], ["0197aaaa-2", "0197aaaa-1", "0197aaaa-0"])


def test_ls_says_when_no_recorder_is_active(tracker: Run, store: Store) -> None:
    """Beside the list and not in it; what it means is said in the same line."""
    store.client.redis.delete(store.keys.recorder)
    store.append([started("a")])
    command = tracker("ls")
    assert command.code() == 0
    assert command.out.startswith("a\t")
    assert "no recorder is active" in command.err


def test_what_was_archived_is_found_like_everything_else(
    tracker: Run, store: Store, environment: dict[str, str]
) -> None:
    """By every command that reads, and the end of it by who watches."""
    archive = Archive(Settings.from_env(environment).archive, store.keys.namespace)
    store.append([started("0197aaaa-0"), ended("0197aaaa-0", Status.ERROR), started("0197aaaa-1")])
    archive.write(store.leaving.records(["0197aaaa-0"]))
    store.append([leave(store, "0197aaaa-0")])
    assert store.operation("0197aaaa-0") is None
    listed, shown = tracker("ls"), tracker("show", "0197aaaa-0", "--json")
    assert (listed.code(), shown.code()) == (0, 0)
    assert [line.split("\t")[0] for line in listed.out.splitlines()] == ["0197aaaa-1", "0197aaaa-0"]
    assert shown.objects[0]["status"] == "error"
    watched = tracker("watch", "0197aaaa-0", "--exit-status")
    assert watched.code() == 1
    assert "already over" in watched.err
    archive.close()


def test_show_says_what_steps_usually_take(tracker: Run, store: Store, environment: dict[str, str]) -> None:
    """Beside what they took, from enough runs; what takes far longer is marked, and nothing is said of the others."""
    archive = Archive(Settings.from_env(environment).archive, store.keys.namespace)
    archive.write([record(f"op-{n}", run(f"r{n}"), steps=steps(2, 0.5)) for n in range(5)])
    archive.close()
    slow = [StepState(1, "Step 1", StepStatus.COMPLETE, NOW, 4.0), StepState(3, "Other", StepStatus.COMPLETE, NOW, 4.0)]
    store.append([blob("one", head(), steps=slow)])
    piped, drawn = tracker("show", "one"), tracker("show", "one", terminal=(100, 30))
    assert (piped.code(), drawn.code()) == (0, 0)
    assert "  [1] Step 1: complete in 4.0s, usually 0.5s" in piped.lines
    assert "  [3] Other: complete in 4.0s" in piped.lines
    assert "4.0s, usually 0.5s" in drawn.text
    assert "\x1b[33m4.0s, usually 0.5s" in drawn.out


def test_show_tells_log_lines_and_where_the_dashboard_is(tracker: Run, store: Store) -> None:
    """The lines of the attempt that is shown; the address where a server is known, else what to name."""
    store.append([lines("r1", 1, "first"), ended("a", Status.ERROR, seq=2), lines("r2", 1, "second")])
    shown, earlier = tracker("show", "a", "--logs"), tracker("show", "a", "--logs", "--attempt", "1")
    unknown = tracker("show", "a", "--web")
    assert (shown.code(), earlier.code(), unknown.code()) == (0, 0, 1)
    assert [line.split("\t")[-1] for line in shown.lines[-2:]] == ["first", "second"]
    assert earlier.lines[-1].endswith("\tfirst")
    assert (unknown.out, unknown.err.count("\n")) == ("", 1)
    assert "--server or TRACKER_SERVER" in unknown.err


def test_the_celery_task_that_runs_an_operation_again_is_a_name_of_it(tracker: Run, store: Store) -> None:
    """Each attempt that somebody asks for has a task of its own; the whole id of the newest is understood."""
    task = "5f1c9e7a-2b4d-4c1e-9a53-0d8f6b7c2e11"
    store.append([queued("a"), started("a"), ended("a", Status.ERROR)])
    store.append([again(store, "a", task)])
    whole, part = tracker("show", task, "--json"), tracker("show", task[:20])
    assert (whole.code(), part.code()) == (0, 1)
    assert whole.objects[0]["id"] == "a"
    assert "there is no operation" in part.err
