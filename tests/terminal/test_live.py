"""The live region as a person sees it: read by a terminal emulator from a real pseudo-terminal.

Programs wait for a key where a test wants to look, so that nothing depends on how fast anything is.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.support import wait_for
from tests.terminal.conftest import Start

TITLE = ["┏━━━━━━━━━━━━━━━━┓", "┃ Migrate config ┃", "┗━━━━━━━━━━━━━━━━┛"]


def without_times(lines: list[str]) -> list[str]:
    return [re.sub(r" +\d+\.\ds", "", line).rstrip() for line in lines]


def test_a_run_looks_as_designed_from_start_to_end(terminal: Start) -> None:
    """Title, a row per planned step with a word beside each symbol, then what became of it."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Migrate config", steps=["Back up", "Check", "Write"]) as tracker:
            tracker.step("Back up")
            tracker.complete("config.bak")
            tracker.step("Check")
            input()
        """
    )
    screen = without_times(seen.shows("[2/3] Check   ⏳ running"))
    assert screen[:6] == [
        *TITLE,
        "[1/3] Back up ✅ complete config.bak",
        "[2/3] Check   ⏳ running",
        "[3/3] Write   ⏸ pending",
    ]
    assert seen.cursor_is_visible
    seen.type("\n")
    assert seen.ends() == 0
    text = "\n".join(without_times(seen.screen))
    for line in (
        "[2/3] Check   ✅ complete",
        "[3/3] Write   ⏸ not run",
        "✅ Operation Complete",
        "Completed 2/3 steps",
    ):
        assert line in text
    assert text.count("Migrate config") == 1
    assert seen.cursor_is_visible


def test_a_failure_shows_place_path_progress_and_last_words(terminal: Start) -> None:
    """Everything that one needs at night, in one panel, also when it happened inside a nested tracker."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Nightly", steps=["Prepare", "Import", "Publish"]) as tracker:
            tracker.step("Prepare")
            with tracker.step("Import") as step:
                for index in step.track(range(5000), unit="rows"):
                    if index == 812:
                        with StepTracker("Read file") as inner, inner.step("Parse") as parse:
                            parse.log("line 3 of orders.csv")
                            raise ValueError("Invalid field 'model_id'")
        """
    )
    assert seen.ends() == 1
    text = "\n".join(seen.screen)
    for line in (
        "❌ Operation Failed",
        "Failed at step 2/3: Import",
        "Path: Nightly › Import › Read file › Parse",
        "Last progress: 812/5,000 rows",
        "Completed 1/3 steps: Prepare",
        "Error: Invalid field 'model_id' (ValueError)",
        "line 3 of orders.csv",
        "ValueError: Invalid field 'model_id'",
    ):
        assert line in text, line
    assert text.count("Operation Failed") == 1


def test_print_and_logging_appear_above_the_region(terminal: Start) -> None:
    """Undamaged, in order, each once; also through a handler that was made before."""
    seen = terminal(
        """
        import logging, sys
        logging.basicConfig(format="log: %(message)s", level="INFO")
        own = logging.StreamHandler(sys.stdout)
        logging.getLogger("own").addHandler(own)
        from tracker import StepTracker
        with StepTracker("Migrate config", steps=["One", "Two"]) as tracker:
            tracker.step("One")
            for index in range(5):
                print("printed", index)
                logging.info("said %s", index)
            logging.getLogger("own").warning("through stdout")
            print("to stderr", file=sys.stderr)
            input()
        logging.info("afterwards")
        """
    )
    seen.shows("to stderr")
    screen = seen.shows("[2/2] Two")
    expected = [line for index in range(5) for line in (f"printed {index}", f"log: said {index}")]
    assert screen[:10] == expected
    assert screen[10:13] == ["through stdout", "log: through stdout", "to stderr"]
    assert screen[13:16] == TITLE
    seen.type("\n")
    assert seen.ends() == 0
    assert seen.screen[-1] == "" or "log: afterwards" in seen.screen
    assert "log: afterwards" in seen.everything
    assert sum("log: said" in line for line in seen.everything) == 5


def test_nested_trackers_are_drawn_inside_their_step(terminal: Start) -> None:
    """As a tree; those that are complete leave a count, failed ones stay."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Migrate config", steps=["Parts", "Write"]) as tracker:
            tracker.step("Parts")
            for name in ("good", "bad", "now"):
                try:
                    with StepTracker(f"Part {name}", steps=["Read", "Store"]) as part:
                        part.step("Read")
                        if name == "bad":
                            raise ValueError("no such file")
                        part.step("Store")
                        if name == "now":
                            input()
                except ValueError:
                    pass
        """
    )
    screen = [re.sub(r" +\d+\.\ds", "", line) for line in seen.shows("[2/2] Store")]
    assert [re.sub(" {2,}(?=\\S)", "  ", line).strip() for line in screen[3:10]] == [
        "[1/2] Parts  ⏳ running",
        "└ Part now  ⏳ running",
        "[1/2] Read  ✅ complete",
        "[2/2] Store ⏳ running",
        "└ Part bad  ❌ error  no such file",
        "└ ✅ 1 nested complete",
        "[2/2] Write  ⏸ pending",
    ]
    seen.type("\n")
    assert seen.ends() == 0


def test_nested_trackers_in_every_step_leave_the_steps_in_sight(terminal: Start) -> None:
    """To the end: no rows of what went well, and the one failure under the step it happened in."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Shops", steps=[f"Shop {index}" for index in range(1, 41)]) as tracker:
            for index in range(1, 41):
                with tracker.step(f"Shop {index}"):
                    try:
                        with StepTracker(f"Load {index}", steps=["Read", "Store"]) as load:
                            load.step("Read")
                            if index == 3:
                                raise ValueError("no such shop")
                            load.step("Store")
                            if index == 30:
                                input()
                    except ValueError:
                        pass
        """
    )
    running = seen.shows("[2/2] Store")
    at = next(at for at, line in enumerate(running) if line.startswith("[30/40] Shop 30"))
    assert [line[:15].rstrip() for line in running[at + 1 : at + 4]] == [
        "  └ Load 30",
        "    [1/2] Read",
        "    [2/2] Store",
    ]
    seen.type("\n")
    assert seen.ends() == 0
    for screen in (running, seen.screen):
        at = next(at for at, line in enumerate(screen) if line.startswith("[3/40] Shop 3 "))
        assert re.search(r"^  └ Load 3 +❌ error +no such shop$", screen[at + 1])
        assert sum(line.startswith("[") for line in screen) >= 12
        assert sum("nested complete" in line for line in screen) == 1


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (20, 10), (60, 8), (200, 50)])
def test_three_hundred_steps_stay_inside_the_terminal(terminal: Start, columns: int, rows: int) -> None:
    """What runs and what failed is in sight, the rest is counted; nothing is left behind above the region."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Many", steps=[f"File {index}" for index in range(1, 301)]) as tracker:
            for index in range(1, 301):
                with tracker.step(f"File {index}") as step:
                    if index == 7:
                        step.fail("broken")
                    elif index == 250:
                        print("now", flush=True)
                        input()
        """,
        columns,
        rows,
    )
    seen.shows("now")
    wait_for(lambda: all(text in "\n".join(seen.screen) for text in ("[250/", "[7/30", "run", " more")))
    seen.type("\n")
    assert seen.ends() == 0
    everything = "\n".join(seen.everything)
    assert everything.count("Many") == 1
    assert "Completed" in everything


def test_the_region_follows_a_resize(terminal: Start) -> None:
    """Narrower and wider again: the picture fits, and the end is whole."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Migrate config", steps=["Back up everything there is", "Check", "Write"]) as tracker:
            tracker.step("Back up everything there is")
            input()
            tracker.step("Check")
            input()
        """,
        100,
        30,
    )
    seen.shows("Back up everything there is ⏳ running")
    seen.resize(30, 12)
    wait_for(lambda: any(re.search(r"^\[1/3\] Back up .*… ⏳ running$", line) for line in seen.screen))
    seen.type("\n")
    wait_for(lambda: any("Check" in line and "running" in line for line in seen.screen))
    seen.resize(100, 30)
    seen.shows("Check                       ⏳ running")
    seen.type("\n")
    assert seen.ends() == 0
    assert any("Operation Complete" in line for line in seen.screen)


def test_ctrl_c_leaves_a_cancelled_picture_and_a_usable_terminal(terminal: Start) -> None:
    """The step and the operation are cancelled, the cursor is back, what never ran says so."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Migrate config", steps=["Wait", "Never"]) as tracker:
            tracker.step("Wait")
            input()
        """
    )
    seen.shows("⏳ running")
    seen.type("\x03")
    assert seen.ends() == -signal.SIGINT
    text = "\n".join(seen.screen)
    for piece in ("⏹ cancelled", "not run", "Operation Cancelled", "Cancelled at step 1/2: Wait"):
        assert piece in text
    assert seen.cursor_is_visible


def test_sigterm_leaves_a_usable_terminal(terminal: Start) -> None:
    """As Ctrl-C, and the process dies of the signal all the same."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Migrate config", steps=["Wait", "Never"]) as tracker:
            tracker.step("Wait")
            input()
        """
    )
    seen.shows("⏳ running")
    seen.process.terminate()
    assert seen.ends() == -signal.SIGTERM
    assert any("Operation Cancelled" in line for line in seen.screen)
    assert seen.cursor_is_visible


def test_a_question_is_asked_without_the_region(terminal: Start) -> None:
    """While the program prompts, nothing is drawn; then the region is back."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Migrate config", steps=["Ask", "Write"]) as tracker:
            tracker.step("Ask")
            with tracker.prompting():
                answer = input("Really? ")
            tracker.complete(answer)
            tracker.step("Write")
            input()
        """
    )
    screen = seen.shows("Really?")
    assert not any("Migrate config" in line for line in screen)
    assert seen.cursor_is_visible
    seen.type("yes\n")
    screen = seen.shows("[2/2] Write ⏳ running")
    assert screen[0] == "Really? yes"
    assert screen[1:4] == TITLE
    assert any("✅ complete" in line and "yes" in line for line in screen)
    seen.type("\n")
    assert seen.ends() == 0


def test_warnings_lines_and_time_limits_are_in_the_row(terminal: Start) -> None:
    """A step over its time says so; the last line or warning stands at the end of its row."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Work", steps=["Slow", "Loud", "Talk"]) as tracker:
            tracker.step("Slow", warn_after=0.001)
            input()
            tracker.step("Loud")
            tracker.warn("no such field")
            tracker.step("Talk")
            tracker.log("reading orders.csv")
            input()
        """,
        120,
    )
    seen.shows(", over 0.0s")
    seen.type("\n")
    text = "\n".join(seen.shows("reading orders.csv"))
    assert "warning: no such field" in text
    seen.type("\n")
    assert seen.ends() == 0
    assert any("Warnings: 1" in line for line in seen.screen)


def test_colours_are_left_out_when_asked(terminal: Start) -> None:
    """NO_COLOR keeps the picture and takes the colours."""
    code = """
        from tracker import StepTracker
        with StepTracker("Work") as tracker:
            tracker.step("One")
    """
    plain, coloured = terminal(code, NO_COLOR="1"), terminal(code)
    assert (plain.ends(), coloured.ends()) == (0, 0)
    colours = re.compile(rb"\x1b\[[0-9;]*3[0-9]m")
    assert colours.search(coloured.written)
    assert not colours.search(plain.written)
    assert plain.screen == coloured.screen or len(plain.screen) == len(coloured.screen)


def test_a_dumb_terminal_gets_lines(terminal: Start) -> None:
    """TERM=dumb cannot move a cursor; every change is a line."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Work") as tracker:
            tracker.step("One")
        """,
        TERM="dumb",
    )
    assert seen.ends() == 0
    assert b"\x1b" not in seen.written
    assert "[1] One ⏳ running…" in seen.screen


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_poor_encodings_get_a_picture_of_plain_characters(terminal: Start, encoding: str) -> None:
    """A C locale or an old Windows code page: words and ASCII, and no error."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Work", steps=["One", "Two"]) as tracker:
            tracker.step("One")
        """,
        PYTHONIOENCODING=encoding,
    )
    assert seen.ends() == 0
    text = "\n".join(seen.screen)
    assert "+ complete" in text
    assert "+ Operation Complete" in text
    assert "Traceback" not in text


def test_the_work_goes_on_when_its_terminal_is_gone(terminal: Start, tmp_path: Path) -> None:
    """A closed window: drawing ends, the work does not."""
    seen = terminal(
        f"""
        import os, signal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        from tracker import StepTracker
        with StepTracker("Work") as tracker:
            tracker.step("One")
            null = os.open(os.devnull, os.O_RDWR)
            gone, other = os.pipe()
            os.close(gone)
            os.dup2(other, 2)  # from now on writing to stderr fails
            for index in range(50):
                tracker.step(f"Step {{index}}")
        open({str(tmp_path / "done")!r}, "w").write(tracker.steps[-1].status)
        """
    )
    seen.ends()
    assert (tmp_path / "done").read_text() == "complete"
