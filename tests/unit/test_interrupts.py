"""Ctrl-C and signals at any moment: the operation still ends, and SIGTERM still ends the process."""

# The blocks under test are what raises.

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from tests.lanes import blobs
from tests.support import wait_for
from tracker import StepTracker, _sink, current_tracker, event_bus
from tracker.bus import BusEvent
from tracker.model import Event
from tracker.publish.lane import Lane
from tracker.run import RunWriter
from tracker.step import Step


class Taken:
    """A sink that only takes, as the publisher does in the tracked thread."""

    def __init__(self) -> None:
        self.items: list[tuple[RunWriter, Event | Step]] = []

    def put(self, run: RunWriter, event: Event) -> None:
        self.items.append((run, event))

    def step(self, step: Step) -> None:
        self.items.append((step._run, step))

    def flush(self, timeout: float) -> bool:
        return True

    settle = flush

    def told(self) -> list[str]:
        """The types of the events that would be sent, in order; all of one run."""
        lanes = {run: Lane(run) for run, _ in self.items}
        for run, item in self.items:
            lanes[run].add(item)
        self.items.clear()
        return [event.type for lane in lanes.values() for blob in blobs(lane) for event in blob.events]


@pytest.fixture
def taken() -> Iterator[Taken]:
    """The bus connected to a sink that only takes."""
    sink = Taken()
    event_bus.connect(lambda: sink)
    yield sink
    event_bus.connect(_sink)


class Interrupt:
    """Raises KeyboardInterrupt at one line of the package's own code, as Ctrl-C may.

    Not at the first of ``__exit__``: what never began to leave cannot leave.
    """

    def __init__(self, at: int) -> None:
        self.at, self.seen, self.raised, self.where = at, itertools.count(), False, ""

    def __call__(self, frame: FrameType, event: str, _: object) -> Interrupt | None:
        if "/tracker/" not in frame.f_code.co_filename or self.raised:
            return None
        first = frame.f_code.co_name == "__exit__" and frame.f_lineno - frame.f_code.co_firstlineno <= 4
        if event == "line" and not first and next(self.seen) == self.at:
            self.raised, self.where = True, f"{frame.f_code.co_name} {frame.f_lineno}"
            raise KeyboardInterrupt
        return self


def test_an_interrupt_anywhere_in_a_call_ends_the_operation_once(taken: Taken, events: list[BusEvent]) -> None:
    """Line by line through a whole block: what was told to begin is told to end, once, and nothing is left behind."""
    for at in itertools.count():
        interrupt = Interrupt(at)
        try:
            sys.settrace(interrupt)
            with StepTracker("Work", display="quiet") as tracker:
                with tracker.step("Read") as step:
                    step.advance()
                tracker.step("Write")
                tracker.complete("done")
        except KeyboardInterrupt:
            assert interrupt.raised
        finally:
            sys.settrace(None)
        told = taken.told()
        assert told.count("operation.start") <= told.count("operation.complete") <= 1, (told, interrupt.where)
        ends = sum(type in ("step.complete", "step.error", "step.skip") for type in told)
        assert told.count("step.start") == ends, (told, interrupt.where)
        assert current_tracker() is None, (at, interrupt.where)
        if not interrupt.raised:
            break
    assert at > 200


class Limit(Exception):
    """What a limit of time raises."""


@pytest.fixture
def limit() -> Iterator[signal.Signals]:
    """A signal whose handler raises ``Limit``."""

    def strike(number: int, frame: FrameType | None) -> None:
        raise Limit

    before = signal.signal(signal.SIGUSR1, strike)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


class Strike(Interrupt):
    """Sends a signal at one line of the package's own code."""

    def __init__(self, at: int, number: signal.Signals) -> None:
        super().__init__(at)
        self.number = number

    def __call__(self, frame: FrameType, event: str, argument: object) -> Interrupt | None:
        try:
            return super().__call__(frame, event, argument)
        except KeyboardInterrupt:
            signal.raise_signal(self.number)
            return None


def test_a_limit_of_time_reaches_the_work_wherever_it_strikes(taken: Taken, limit: signal.Signals) -> None:
    """Also inside the guards that keep what goes wrong in tracking from the work."""
    unsubscribe = event_bus.subscribe("*", lambda event: None)
    for at in itertools.count():
        strike, reached = Strike(at, limit), False
        try:
            sys.settrace(strike)
            with StepTracker("Work", display="quiet") as tracker:
                with tracker.step("Read") as step:
                    step.advance()
                    step.log(at)
                tracker.step("Write")
                tracker.complete("done")
        except Limit:
            reached = True
        finally:
            sys.settrace(None)
        assert reached is strike.raised, strike.where
        if not strike.raised:
            break
    unsubscribe()
    assert at > 200


@pytest.mark.parametrize("method", ["put", "step"])
def test_a_limit_of_time_that_strikes_in_the_publisher_reaches_the_work(
    taken: Taken, limit: signal.Signals, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The guard is there for what the publisher does wrong, and this is not its doing."""

    def struck(*_: object) -> None:
        signal.raise_signal(limit)

    monkeypatch.setattr(taken, method, struck)
    with pytest.raises(Limit), StepTracker("Work", display="quiet") as tracker:
        tracker.step("Read")


def script(code: str) -> subprocess.Popen[str]:
    """A program that says it is ready; what it was told of its operations is on its stdout after SIGTERM."""
    begin = (
        "import os, signal, sys, threading\n"
        "from tracker import StepTracker, event_bus\n"
        "def tell(event): os.write(1, f\"{event.data['operation']} {event.data['status']}\\n\".encode())\n"
        "event_bus.subscribe('operation.complete', tell)\n"
        "def op(name): return StepTracker(name, display='quiet')\n"
        "def ready(): os.write(1, b'ready\\n'); threading.Event().wait(60)\n"
    )
    return subprocess.Popen([sys.executable, "-c", begin + code], stdout=subprocess.PIPE, text=True)


def terminated(code: str) -> list[str]:
    """What the program says once it is terminated, of which it has to die."""
    with script(code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read().splitlines()
        assert process.wait(20) == -signal.SIGTERM
    return rest


def test_sigterm_ends_operations_inside_operations() -> None:
    """The inner one first."""
    assert terminated("with op('Outer'), op('Inner'): ready()") == ["Inner cancelled", "Outer cancelled"]


def test_sigterm_ends_operations_of_threads() -> None:
    """Also of those that know nothing of the main thread's."""
    code = (
        "entered = threading.Event()\n"
        "def work():\n"
        "    with op('Thread'): entered.set(); threading.Event().wait(60)\n"
        "with op('Main'):\n"
        "    threading.Thread(target=work, daemon=True).start()\n"
        "    entered.wait(20)\n"
        "    ready()\n"
    )
    assert terminated(code) == ["Thread cancelled", "Main cancelled"]


def test_sigterm_ends_the_operation_of_a_forked_child_and_not_its_parents() -> None:
    """As ``multiprocessing.Process.terminate`` does."""
    code = (
        "with op('Parent'):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        with op('Child'): ready()\n"
        "    os.write(1, f'{child}\\n'.encode())\n"
        "    status = os.waitpid(child, 0)[1]\n"
        "    os.write(1, f'died of {os.WTERMSIG(status)}\\n'.encode())\n"
    )
    with script(code) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(2)]
        os.kill(int(next(line for line in said if line != "ready\n")), signal.SIGTERM)
        assert process.stdout.read().splitlines() == ["Child cancelled", "died of 15", "Parent complete"]
        assert process.wait(20) == 0


def test_a_handler_set_inside_a_block_is_left_alone_by_later_blocks() -> None:
    """Whoever sets one decides what the signal means, from then on."""
    code = (
        "def own(*_): os.write(1, b'own handler\\n'); os._exit(0)\n"
        "first = op('First').__enter__()\n"
        "signal.signal(signal.SIGTERM, own)\n"
        "with op('Second'): ready()\n"
    )
    with script(code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "own handler\n"
        assert process.wait(20) == 0


def test_sigterm_ends_a_process_whose_last_word_gets_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscriber that waits for ever, or a lock that nobody opens, does not make it immortal."""
    code = (
        "from tracker import termination\n"
        "termination.PATIENCE = 0.2\n"
        "event_bus.subscribe('operation.complete', lambda event: threading.Event().wait())\n"
        "with op('Work'): ready()\n"
    )
    assert terminated(code) == ["Work cancelled"]


def test_a_job_decides_itself_what_the_signal_means() -> None:
    """Inside of what a worker runs nothing is set."""
    from tracker.context import inside

    before = signal.getsignal(signal.SIGTERM)
    job = RunWriter(name="job", title="Job")
    job.start()
    with inside(job), StepTracker("Child", display="quiet"):
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_may_be_the_last_to_leave() -> None:
    """The handler it cannot take back does no harm: the next block of the main thread does."""
    before = signal.getsignal(signal.SIGTERM)
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        with StepTracker("Thread", display="quiet"):
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=work)
    with StepTracker("Main", display="quiet"):
        thread.start()
        entered.wait(20)
    leave.set()
    thread.join()
    with StepTracker("Again", display="quiet"):
        pass
    assert wait_for(lambda: signal.getsignal(signal.SIGTERM) is before)
