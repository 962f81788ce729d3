"""What all commands have in common at their edges."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import TRACKER
from tests.store.making import started
from tracker.cli import main
from tracker.store import JobInfo, Store

ENDING = (signal.SIGTERM, signal.SIGHUP)


def test_a_command_leaves_the_programs_signals_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    """What would end the process unwinds a command only while one runs."""
    before = [signal.getsignal(number) for number in ENDING]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out
    assert [signal.getsignal(number) for number in ENDING] == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
@pytest.mark.parametrize("words", [["ls"], ["jobs", "--json"], ["--help"], ["--version"]], ids=lambda words: words[0])
def test_output_that_a_full_disk_does_not_take_is_one_line_and_an_error(
    store: Store, environment: dict[str, str], words: list[str]
) -> None:
    """Python itself would try once more at the end, with a traceback and a code of its own."""
    store.append([started("one")])
    store.publish_jobs("w1", [JobInfo("job", {}, "q")])
    with open("/dev/full", "w") as full:
        done = subprocess.run([*TRACKER, *words], env=environment, stdout=full, stderr=subprocess.PIPE, text=True)
    told = "tracker: the output could not be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)
