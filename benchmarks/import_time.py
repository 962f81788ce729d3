"""What ``import tracker`` costs a program's start: whole processes, in turns with the bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial

from benchmarks._measure import in_turns, show


def run(code: str, cache: str) -> None:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    # An installed package is compiled once; a benchmark that compiles every time measures the compiler.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def main() -> None:
    codes = {"bare": "pass", "import tracker": "import tracker", "import rich.progress": "import rich.progress"}
    with tempfile.TemporaryDirectory() as cache:
        for code in codes.values():
            run(code, cache)
        costs = in_turns({name: (partial(run, code, cache), 1000) for name, code in codes.items()}, rounds=15)
    show(costs, "bare", "ms")
    print(f"  import tracker costs {costs['import tracker'] - costs['bare']:.0f} ms over the bare interpreter")


if __name__ == "__main__":
    main()
