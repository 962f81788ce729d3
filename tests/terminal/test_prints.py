"""What a program writes to the terminal while a live region is up: above it, and as the program wrote it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import wait_for
from tests.terminal.conftest import Start


def test_prints_are_neither_parsed_nor_wrapped_nor_split(terminal: Start) -> None:
    """Markup, dots without a line's end, long lines: a program's output is none of the region's business."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Work", steps=["One"]) as tracker:
            tracker.step("One")
            print("[bold]x[/] partial...", end="", flush=True)
            print("done")
            print("evil [/x]", end="", flush=True)
            print()
            for index in range(5):
                print(".", end="", flush=True)
            print()
            print("word " * 30 + "end")
            print("last", flush=True)
            input()
        """,
        columns=60,
    )
    screen = seen.shows("last")
    long = ("word " * 30 + "end").ljust(180)
    assert screen[:3] == ["[bold]x[/] partial...done", "evil [/x]", "....."]
    assert "".join(line.ljust(60) for line in screen[3:6]) == long
    assert screen[6] == "last"
    seen.type("\n")
    assert seen.ends() == 0


def test_a_line_that_is_not_complete_is_shown_in_the_region(terminal: Start) -> None:
    """Only as it is now, however often it was written over, as progress bars do; and it is not lost at the end."""
    seen = terminal(
        """
        import time
        from tracker import StepTracker
        with StepTracker("Work", steps=["One"]) as tracker:
            tracker.step("One")
            for percent in (10, 20, 30):
                print(f"\\r\\x1b[2K{percent} %", end="", flush=True)
            time.sleep(1)
        print("after")
        """
    )
    screen = seen.shows("30 %")
    assert screen[0] == "30 %"
    assert not any("10 %" in line for line in seen.everything)
    assert seen.ends() == 0
    assert [line for line in seen.everything if "%" in line] == ["30 %"]
    assert "after" in seen.everything


def test_a_users_own_rich_output_appears_above(terminal: Start) -> None:
    """Printing, logging and progress through Rich, with the tracker's console, another one, or none."""
    seen = terminal(
        """
        import logging, sys
        import rich
        from rich.console import Console
        from rich.logging import RichHandler
        from rich.progress import track
        from tracker import StepTracker
        kept = Console(file=sys.stderr)
        logging.basicConfig(format="%(message)s", level="INFO", handlers=[RichHandler(show_path=False)])
        with StepTracker("Work", console=kept, steps=["One"]) as tracker:
            tracker.step("One")
            rich.print("[b]rich[/b] print")
            Console().print("another console")
            kept.print("the same console")
            logging.info("through a handler")
            for _ in track(range(3), description="counting"):
                pass
            print("last")
            input()
        kept.print("afterwards")
        """
    )
    screen = seen.shows("last")
    text = "\n".join(screen)
    for line in ("rich print", "another console", "the same console", "through a handler", "counting"):
        assert text.count(line) == 1, line
    assert text.index("last") < text.index("━━┓")
    assert text.count("Work") == 1
    seen.type("\n")
    assert seen.ends() == 0
    everything = "\n".join(seen.everything)
    assert everything.count("afterwards") == 1
    assert everything.count("Work") == 1


def test_a_stream_kept_from_the_block_is_served_after_it(terminal: Start) -> None:
    """By a handler made inside, or by contextlib; Python's own streams are back."""
    seen = terminal(
        """
        import contextlib, io, logging, sys
        from tracker import StepTracker
        before = sys.stdout, sys.stderr
        tracker = StepTracker("Work")
        tracker.__enter__()
        logging.getLogger().addHandler(logging.StreamHandler())
        redirected = contextlib.redirect_stdout(io.StringIO())
        redirected.__enter__()
        tracker.__exit__(None, None, None)
        redirected.__exit__(None, None, None)
        logging.warning("handler [/x] %s", "u" * 20)
        print("printed [/x]", end="", flush=True)
        print(" whole")
        with StepTracker("Again"):
            logging.warning("handler again")
        print(sys.stdout is before[0], sys.stderr is before[1])
        """
    )
    assert seen.ends() == 0
    everything = seen.everything
    assert "handler [/x] " + "u" * 20 in everything
    assert "printed [/x] whole" in everything
    assert everything.count("handler again") == 1
    assert everything.index("handler again") < next(i for i, line in enumerate(everything) if "Again" in line)
    assert "True True" in everything


def test_the_stream_is_like_the_real_one(terminal: Start, tmp_path: Path) -> None:
    """Its attributes, and what it raises on text that cannot be encoded."""
    seen = terminal(
        f"""
        import sys
        from tracker import StepTracker
        names = "encoding errors buffer isatty fileno writable name".split()
        real = sys.stdout
        with StepTracker("Work") as tracker:
            same = all(getattr(sys.stdout, name) == getattr(real, name) for name in names)
            try:
                print("\\udc80")
            except UnicodeEncodeError as error:
                raised = error.reason
            print("still whole")
        open({str(tmp_path / "seen")!r}, "w").write(f"{{sys.stdout is real}} {{same}} {{raised}}")
        """
    )
    assert seen.ends() == 0
    assert (tmp_path / "seen").read_text() == "True True surrogates not allowed"
    assert "still whole" in seen.everything


def test_lines_of_many_threads_each_appear_once(terminal: Start) -> None:
    """From stdout and stderr at once, and the region is not torn."""
    seen = terminal(
        """
        import sys, threading
        from tracker import StepTracker
        def work(number):
            for index in range(50):
                (sys.stdout, sys.stderr)[index % 2].write(f"thread {number} line {index};\\n")
        with StepTracker("Work", steps=["One"]) as tracker:
            tracker.step("One")
            threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
        """
    )
    assert seen.ends() == 0
    everything = seen.everything
    found = [line for line in everything if re.fullmatch(r"thread \d line \d+;", line)]
    assert (len(found), len(set(found))) == (200, 200)
    assert sum("Work" in line for line in everything) == 1


def test_a_prompt_written_before_the_block_is_left_alone(terminal: Start) -> None:
    """The region begins in a line of its own."""
    seen = terminal(
        """
        from tracker import StepTracker
        print("Starting: ", end="")
        with StepTracker("Work", steps=["One"]) as tracker:
            tracker.step("One")
            input()
        """
    )
    screen = seen.shows("[1/1] One")
    assert screen[0] == "Starting:"
    assert screen[1].startswith("┏")
    seen.type("\n")
    assert seen.ends() == 0


def test_names_whose_width_is_not_agreed_on_do_not_tear_the_region(terminal: Start) -> None:
    """Emoji sequences and Indic script: rows are cut at the edge and never wrap, and wrapping is on again."""
    seen = terminal(
        """
        import time
        from tracker import StepTracker
        name = "👍🏽 🇩🇪 ❤️ 1️⃣ हिन्दी नमस्ते " * 3
        with StepTracker("Work", steps=[name, "Two"]) as tracker:
            tracker.step(name)
            for index in range(6):
                tracker.log("line " * 30)
                print(f"printed {index}")
                time.sleep(0.2)
        """,
        columns=50,
    )
    assert seen.ends() == 0
    everything = "\n".join(seen.everything)
    assert everything.count("┏") == 2  # Of the title and of the last panel.
    assert everything.count("Two") <= 2
    assert not re.search(rb"\x1b\[[0-3]?J", seen.written)  # What is cleared so, tmux keeps to scroll back to.
    assert seen.written.count(b"\x1b[?7l") == seen.written.count(b"\x1b[?7h")
    assert seen.written.rindex(b"\x1b[?7h") > seen.written.rindex(b"\x1b[?7l")


def test_consoles_on_one_terminal_share_its_region(terminal: Start) -> None:
    """Whether nested or side by side: it can be drawn only once."""
    seen = terminal(
        """
        import threading
        from rich.console import Console
        from tracker import StepTracker
        both = threading.Barrier(2)
        def work(title):
            with StepTracker(title, console=Console(), steps=["Step"]) as tracker:
                tracker.step("Step")
                both.wait(20)
                with StepTracker("Inner " + title, console=Console(stderr=True)) as inner:
                    inner.step("Deep")
                    print("line of", title)
        threads = [threading.Thread(target=work, args=(title,)) for title in ("Alpha", "Beta")]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        """
    )
    assert seen.ends() == 0
    everything = seen.everything
    for title in ("Alpha", "Beta"):
        assert [line for line in everything if line == f"┃ {title} ┃"], title
        assert everything.count(f"line of {title}") == 1
    assert sum("┏" in line for line in everything) == 4  # Of the titles and of the last panels.
    assert sum("Operation Complete" in line for line in everything) == 2


def test_a_forked_child_leaves_its_parents_region_alone(terminal: Start, tmp_path: Path) -> None:
    """It draws nothing there, and what it prints is not lost."""
    seen = terminal(
        """
        import os, sys
        from rich.console import Console
        from tracker import StepTracker
        with StepTracker("Parent", steps=["Wait"]) as tracker:
            tracker.step("Wait")
            pid = os.fork()
            if not pid:
                with StepTracker("Child", console=Console()) as child:
                    child.step("Inside")
                    print("of the child", flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
        """
    )
    assert seen.ends() == 0
    assert b"of the child" in seen.written
    assert b"Inside" not in seen.written
    assert any("Operation Complete" in line for line in seen.everything)


def test_ctrl_c_does_not_move_the_region(terminal: Start) -> None:
    """The cursor rests in a line of its own, so that what the terminal echoes wraps nothing, however full rows are."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Work", steps=["Wait"]) as tracker:
            tracker.step("Wait")
            tracker.log("long " * 40)
            input()
        """
    )
    seen.shows("long long")
    seen.type("\x03")
    assert seen.ends() != 0
    everything = "\n".join(seen.everything)
    assert (everything.count("┏"), everything.count("Work")) == (2, 1)


def test_rich_is_asked_whether_a_region_is_wanted(terminal: Start) -> None:
    """TTY_INTERACTIVE=0 in a terminal means lines, and not silence until the end."""
    seen = terminal(
        """
        from tracker import StepTracker
        with StepTracker("Work", steps=["Wait"]) as tracker:
            tracker.step("Wait")
            input()
        """,
        TTY_INTERACTIVE="0",
    )
    wait_for(lambda: "[1/1] Wait ⏳ running…" in seen.screen)
    seen.type("\n")
    assert seen.ends() == 0
    assert b"\x1b[?7l" not in seen.written
