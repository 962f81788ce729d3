"""``tracker demo``: a real batch over real files through every part, and its end."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Command
from tests.cli.conftest import Run
from tests.cli.system import processes_of
from tests.support import free_address, wait_for
from tracker.cli.demo_files import default_folder, find_files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

Start = Callable[..., Command]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three good files and one that is not text."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("one.txt", "two.md", "three.py"):
        (folder / name).write_text(f"{name}\n")
    (folder / "bad.txt").write_bytes(b"\xff\xfe\x00")
    return folder


@pytest.fixture
def start(tracker: Run, tmp_path: Path) -> Start:
    """Start any command with an embedded server in the state folder ``state``, on a free port."""
    own = {"TRACKER_REDIS_URL": "", "TRACKER_STATE_DIR": str(tmp_path / "state"), "TRACKER_BIND": free_address()}
    return lambda *arguments, **more: tracker(*arguments, **{**own, **more})


def test_it_ends_with_the_outcome_and_names_the_failing_step(start: Start, files: Path, tmp_path: Path) -> None:
    """In a pipe: queued over HTTP, watched, told what failed and where; exit code 1 and no process left."""
    command = start("demo", str(files), "--exit")
    assert command.code(90) == 1
    assert re.search(r"Dashboard: http://127\.0\.0\.1:\d+/", command.out)
    assert "3 complete, 1 error" in command.out
    assert re.search(r'Process bad\.txt: error .*at "Check encoding": NotText: ', command.out)
    failed = next((tmp_path / "state").glob("failed-*.ndjson"))
    assert json.loads(failed.read_text()) == {"path": "bad.txt"}
    assert f"tracker batch files.process --items-from {failed}" in command.out
    assert "\x1b" not in command.out
    wait_for(lambda: not processes_of(tmp_path / "state"), 30)


def test_json_is_the_stream_of_the_batch(start: Start, files: Path, tmp_path: Path) -> None:
    """Nothing but events on stdout; what people read goes to stderr."""
    (files / "bad.txt").unlink()
    command = start("demo", str(files), "--exit", "--json")
    assert command.code(90) == 0
    last = {line["operation"]["id"]: line["operation"]["status"] for line in command.objects}
    assert sorted(last.values()) == ["complete"] * 4
    assert "Dashboard: http" in command.err


def test_it_joins_a_system_that_is_up(start: Start, files: Path) -> None:
    """Files below what the running worker may read are processed there, and it stays up; others are refused."""
    up = start("up", TRACKER_DATA_ROOT=str(files.parent))
    up.shows("(Ctrl-C stops everything)", 60)
    joined, refused = start("demo", str(files / "one.txt"), "--exit"), start("demo", "/etc/hosts", "--exit")
    assert joined.code() == 0
    assert "already running at http" in joined.out
    assert "Process 1 file: complete" in joined.out
    assert refused.code() == 1
    assert "jobs read files below" in refused.err
    assert up.process.poll() is None


def test_where_there_are_tokens_it_shows_one(start: Start, files: Path, tmp_path: Path) -> None:
    """The one of TRACKER_TOKEN; without it, it says what is missing."""
    guarded = {"TRACKER_TOKENS_FILE": str(tmp_path / "tokens")}
    token = start("token", "ada", "--role", "operator", **guarded)
    assert token.code() == 0
    up = start("up", TRACKER_DATA_ROOT=str(files.parent), **guarded)
    up.shows("(Ctrl-C stops everything)", 60)
    refused = start("demo", str(files / "one.txt"), "--exit")
    queued = start("demo", str(files / "one.txt"), "--exit", TRACKER_TOKEN=token.out.strip())
    assert (refused.code(), "set TRACKER_TOKEN" in refused.err) == (6, True)
    assert queued.code() == 0
    assert "Process 1 file: complete" in queued.out


def test_what_it_suggests_at_the_end_really_works(start: Start, files: Path, tmp_path: Path) -> None:
    """The failed files run again as a new batch, from the file it wrote, and are complete once they are mended."""
    assert start("demo", str(files), "--exit").code(90) == 1
    failed = next((tmp_path / "state").glob("failed-*.ndjson"))
    (files / "bad.txt").write_text("good now\n")
    up = start("up", TRACKER_DATA_ROOT=str(files))
    up.shows("(Ctrl-C stops everything)", 60)
    again = start("batch", "files.process", "--items-from", str(failed), "--wait", "--exit-status")
    assert again.code(60) == 0


def test_on_a_terminal_it_stays_until_ctrl_c(start: Start, files: Path, tmp_path: Path) -> None:
    """The live view, then the failures, then the dashboard goes on; Ctrl-C leaves nothing behind."""
    command = start("demo", str(files), terminal=(100, 40))
    command.shows("until Ctrl-C", 90)
    assert "1 of 4 did not complete" in command.text
    assert processes_of(tmp_path / "state")
    command.press("\x03")
    assert command.code() == 130
    wait_for(lambda: not processes_of(tmp_path / "state"), 30)


def test_ctrl_c_in_the_middle_of_the_batch_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    """Also while the live view is drawn: the cursor comes back and every process ends."""
    command = start("demo", terminal=(100, 40))
    command.shows("operations", 90)
    command.press("\x03")
    assert command.code(60) == 130
    assert command.out.rfind("\x1b[?25h") > command.out.rfind("\x1b[?25l")
    wait_for(lambda: not processes_of(tmp_path / "state"), 30)


@pytest.mark.parametrize(
    ("path", "why"), [("missing", "there is no file or folder"), ("empty", "there are no text files")]
)
def test_a_path_without_files_is_a_usage_error(start: Start, tmp_path: Path, path: str, why: str) -> None:
    """Said before anything is started."""
    (tmp_path / "empty").mkdir()
    command = start("demo", str(tmp_path / path))
    assert command.code() == 2
    assert why in command.err
    assert not (tmp_path / "state").exists()


def test_the_default_is_this_python_s_own_library() -> None:
    """Some two thousand real text files, without installed packages, in a stable order."""
    found = find_files(default_folder(), None)
    assert len(found.paths) > 500
    assert found.paths == sorted(found.paths)
    assert not [path for path in found.paths if "site-packages" in path or not (found.root / path).is_file()]
    assert find_files(default_folder(), 3).paths == found.paths[:3]


def test_the_data_root_is_honoured(start: Start, files: Path, tmp_path: Path) -> None:
    """Its files are the default, and a PATH outside of it is refused before anything starts."""
    outside = start("demo", str(tmp_path), "--exit", TRACKER_DATA_ROOT=str(files))
    assert outside.code() == 2
    assert "TRACKER_DATA_ROOT" in outside.err
    inside = start("demo", "--exit", TRACKER_DATA_ROOT=str(files))
    assert inside.code(90) == 1
    assert "3 complete, 1 error" in inside.out
