"""What a shell completes: commands, options, and ids that fit what is to be done to them."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest

from tests.cli.conftest import Run
from tests.store.making import ended, queued, started
from tracker.model import Status
from tracker.store import JobInfo, Store


def completed(tracker: Run, line: str, **variables: str) -> list[tuple[str, str]]:
    """Words and their help that zsh gets for the end of a command line."""
    words = f"tracker {line}"
    count = str(len(words.split()) - (not words.endswith(" ")))
    command = tracker(_TRACKER_COMPLETE="zsh_complete", COMP_WORDS=words, COMP_CWORD=count, **variables)
    assert command.code() == 0
    assert command.err == ""
    lines = [] if command.out == "\n" else command.lines
    return [(word.replace("\\", ""), help) for _, word, help in zip(*[iter(lines)] * 3, strict=True)]


def words(tracker: Run, line: str, **variables: str) -> list[str]:
    return [word for word, _ in completed(tracker, line, **variables)]


def test_commands_options_and_choices(tracker: Run, store: Store) -> None:
    """Without anybody having to list them twice."""
    assert {"watch", "workers", "worker", "web"} == set(words(tracker, "w"))
    assert "--items-from" in words(tracker, "batch --i")
    assert words(tracker, "ls --status e") == ["error"]
    assert words(tracker, "completion z") == ["zsh"]


def test_ids_are_those_that_the_command_can_be_given(tracker: Run, store: Store) -> None:
    """Open ones to cancel, ended ones to run again; with title and status, cleaned."""
    store.append([queued("op-waits"), started("op-runs"), started("op-failed", "r2")])
    store.append([ended("op-failed", Status.ERROR, "r2")])
    assert set(words(tracker, "cancel ")) == {"op-waits", "op-runs"}
    assert completed(tracker, "resume op-") == [("op-failed", "A title (error)")]
    assert set(words(tracker, "logs op-")) == {"op-waits", "op-runs", "op-failed"}
    assert words(tracker, "show op-r") == ["op-runs"]


def test_jobs_and_names(tracker: Run, store: Store) -> None:
    """Those that workers have published, and those that have run."""
    store.publish_jobs("w1", [JobInfo("files.process", {}, "q", description="Reads a file.")])
    store.append([queued("a", name="nightly")])
    assert completed(tracker, "submit f") == [("files.process", "Reads a file.")]
    assert set(words(tracker, "ls --name ")) == {"files.process", "nightly"}
    assert words(tracker, "stats n") == ["nightly"]


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1/0", "nonsense"])
def test_without_a_redis_nothing_is_offered_nor_said(tracker: Run, store: Store, url: str) -> None:
    """Whoever presses Tab sees no error."""
    assert words(tracker, "cancel ", TRACKER_REDIS_URL=url) == []
    assert "watch" in words(tracker, "", TRACKER_REDIS_URL=url)


def test_a_server_that_says_nothing_holds_nobody_up(tracker: Run, store: Store) -> None:
    """One that takes connections and never answers costs a moment, and the command ends by itself."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        assert words(tracker, "cancel ", TRACKER_REDIS_URL=url) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(tracker: Run, shell: str) -> None:
    """It calls this command, and the shell can read it."""
    command = tracker("completion", shell)
    assert (command.code(), command.err) == (0, "")
    assert f"_TRACKER_COMPLETE={shell}_complete" in command.out
    if found := shutil.which(shell):
        read = subprocess.run([found, "-n"], input=command.out, capture_output=True, text=True, timeout=30)
        assert (read.returncode, read.stderr) == (0, "")
