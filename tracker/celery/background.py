"""What a worker does beside its work: a turn now and then, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tracker.store.client import ANSWER_TIMEOUT


class Background:
    """Calls ``turn`` at once and then every so many seconds, until it is stopped; ``turn`` has to bear its faults."""

    def __init__(self, name: str, turn: Callable[[], object], every: float) -> None:
        self._turn = turn
        self._every = every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin with the first turn."""
        self._thread.start()

    def stop(self) -> None:
        """No further turn begins; one that goes on has as long as a store may take to answer."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_TIMEOUT)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._turn()
            self._ending.wait(self._every)
