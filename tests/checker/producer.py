"""A program that works, and writes down what it does before it does it; it may be killed at any moment.

``python -m tests.checker.producer FOLDER NAME SEED`` works until its standard input ends.
"""

from __future__ import annotations

import random
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.checker.history import Intent, Journal
from tracker import OperationCancelled, Step, StepTracker
from tracker.publish import flush, settle

STEPS_LIMIT = 6


class Producer:
    """Does operations by chance: with steps, lines, progress and failures, some with a child, some a second time."""

    def __init__(self, journal: Journal, name: str, seed: int) -> None:
        self._journal = journal
        self._name = name
        self._chance = random.Random(seed)
        self._count = 0

    def work(self) -> None:
        """One operation, once or twice."""
        id = self._new_id()
        self._operation(id)
        if self._chance.random() < 0.1:
            self._operation(id)
        if self._chance.random() < 0.1 and flush(0.2):
            self._journal.write(Intent("safe"))

    def leave(self) -> None:
        """The end of a producer that nobody kills."""
        if settle():
            self._journal.write(Intent("left"))

    def _new_id(self) -> str:
        self._count += 1
        return f"{self._name}-{self._count}"

    def _operation(self, id: str, depth: int = 0) -> None:
        title = f"{id} {self._chance.getrandbits(64):x}"
        self._journal.write(Intent("start", title, id))
        with (
            suppress(ValueError, OperationCancelled),
            StepTracker(title, id=id, name="trial", display="quiet") as tracker,
        ):
            self._steps(tracker, title, depth)
            self._journal.write(Intent("end", title, status="complete"))

    def _steps(self, tracker: StepTracker, title: str, depth: int) -> None:
        for index in range(1, self._chance.randint(1, STEPS_LIMIT) + 1):
            self._journal.write(Intent("step", title, step=index, status="running"))
            with self._unless_cancelled(title, index, "pending"):
                step = tracker.step(f"Step {index}")
            with step:
                with self._unless_cancelled(title, index, "cancelled"):
                    self._progress(step)
                if depth == 0 and self._chance.random() < 0.1:
                    self._operation(self._new_id(), depth + 1)
                outcome = self._chance.choices(("complete", "skipped", "error"), (90, 5, 5))[0]
                self._journal.write(Intent("step", title, step=index, status=outcome))
                if outcome == "error":
                    self._journal.write(Intent("end", title, status="error"))
                    raise ValueError("by chance")
                if outcome == "skipped":
                    step.skip("by chance")

    def _progress(self, step: Step) -> None:
        lasts = self._chance.random() < 0.005
        for number in range(50 if lasts else self._chance.choice((0, 0, 1, 50))):
            step.advance(1)
            if lasts:
                select.select([sys.stdin], [], [], 0.02)
            if number % 20 == 0:
                step.log(f"line {number}")

    @contextmanager
    def _unless_cancelled(self, title: str, step: int, status: str) -> Iterator[None]:
        """A call that a request to cancel may cut off, which leaves the step so and ends the run."""
        try:
            yield
        except OperationCancelled:
            self._journal.write(Intent("step", title, step=step, status=status))
            self._journal.write(Intent("end", title, status="cancelled"))
            raise


def told_to_end() -> bool:
    """Whether standard input has ended."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main(folder: Path, name: str, seed: int) -> None:
    journal = Journal(folder / f"journal-{name}.ndjson")
    producer = Producer(journal, name, seed)
    producer.work()
    while not told_to_end():
        producer.work()
        select.select([sys.stdin], [], [], 0.002)
    producer.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
