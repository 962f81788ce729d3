"""Several files as one operation with a step per file: ``python examples/process_files.py notes.txt more/*.txt``.

Counts lines and words and takes the SHA-256 of every file. Stops at the first file that cannot be processed.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tracker import StepTracker


def process(path: Path) -> str:
    """What is in a text file, in a few words; raises ``OSError`` or ``UnicodeDecodeError``."""
    content = path.read_bytes()
    text = content.decode("utf-8")
    digest = hashlib.sha256(content).hexdigest()
    return f"{len(text.splitlines())} lines, {len(text.split())} words, sha256 {digest[:12]}"


def process_files(paths: list[Path]) -> None:
    """Process the files one after the other, each as a step."""
    names = [f"Processing {path.name}" for path in paths]
    with StepTracker(f"Processing {len(paths)} files", name="process_files", steps=names) as tracker:
        for path, name in zip(paths, names, strict=True):
            tracker.step(name)
            tracker.complete(process(path))


def main(arguments: list[str]) -> int:
    if not arguments:
        print("usage: process_files.py FILE...", file=sys.stderr)
        return 2
    try:
        process_files([Path(argument) for argument in arguments])
    except (OSError, UnicodeDecodeError):
        return 1  # The display has said which file failed, and why.
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
