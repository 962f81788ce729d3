"""``python -m tests.sources.asking``: a process that runs one command after the other, each as ``tracker`` would.

Starting a process for each takes longer than all that it does.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import NamedTuple

from tests.cli.commands import ROOT


class Told(NamedTuple):
    """What a command has said."""

    code: int
    out: str
    err: str


class Asker:
    """The other end of such a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def send(self, *arguments: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Told:
        assert self._process.stdout is not None
        return Told(*json.loads(self._process.stdout.readline()))


@contextmanager
def asking(environment: dict[str, str]) -> Iterator[Asker]:
    """A process with that environment, ended afterwards."""
    command = [sys.executable, "-P", "-m", "tests.sources.asking"]
    process = subprocess.Popen(
        command,
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd="/",
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        yield Asker(process)
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(30)
        finally:
            process.kill()


def run(arguments: list[str]) -> Told:
    """What one command says."""
    from tracker.cli import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return Told(code, *(text.buffer.getvalue().decode() for text in (out, err)))  # type: ignore[attr-defined]


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
