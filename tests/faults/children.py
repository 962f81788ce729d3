"""A program that lets others work: ``python -m tests.faults.children WAY`` starts children in one of ``WAYS``.

It tracks before, meanwhile and after; its children are in the middle of nothing when they end.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess

from tracker import StepTracker
from tracker.publish import flush

CHILDREN = 3
STEPS = 20


def work(id: str) -> None:
    """An operation that ends with the last thing its process does."""
    with StepTracker("Work", id=id, display="quiet") as tracker:
        for index in range(STEPS):
            tracker.step(f"Step {index}")


def ids() -> list[str]:
    return [f"child-{number}" for number in range(CHILDREN)]


def by_processes(method: str) -> None:
    context = multiprocessing.get_context(method)
    children: list[BaseProcess] = [context.Process(target=work, args=(id,)) for id in ids()]  # type: ignore[attr-defined]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * CHILDREN


def by_executor() -> None:
    with ProcessPoolExecutor(2) as executor:
        list(executor.map(work, ids()))


def by_pool() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, ids(), chunksize=1)


def by_programs() -> None:
    for id in ids():
        subprocess.run([sys.executable, "-m", "tests.faults.children", "child", id], close_fds=True, check=True)


WAYS: dict[str, Callable[[], object]] = {
    "fork": lambda: by_processes("fork"),
    "spawn": lambda: by_processes("spawn"),
    "forkserver": lambda: by_processes("forkserver"),
    "executor": by_executor,
    "pool": by_pool,
    "pool after the block": by_pool,
    "programs": by_programs,
}


def main(way: str) -> None:
    with StepTracker("Parent", id="parent", display="quiet") as tracker, tracker.step("Let others work"):
        assert flush(20)
        if way != "pool after the block":
            WAYS[way]()
    if way == "pool after the block":
        WAYS[way]()


if __name__ == "__main__":
    work(sys.argv[2]) if sys.argv[1] == "child" else main(sys.argv[1])
