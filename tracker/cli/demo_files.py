"""Which files a demo processes: the text files below a folder, or one file."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from tracker.limits import BATCH_LIMIT

TEXT = frozenset(
    {".c", ".cfg", ".css", ".csv", ".h", ".htm", ".html", ".ini", ".js", ".json", ".log", ".md", ".py", ".pyi"}
    | {".rst", ".sh", ".sql", ".svg", ".toml", ".ts", ".tsv", ".txt", ".xml", ".yaml", ".yml"}
)
"""Endings of names that promise text; whether it is any, the job finds out."""

SKIPPED = frozenset({"site-packages", "dist-packages", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Files:
    """Paths relative to ``root``, which is the folder that the jobs may read."""

    root: Path
    paths: list[str]

    def below(self, root: Path) -> Files | None:
        """The same files with paths relative to ``root``; ``None`` if they lie elsewhere."""
        root, here = root.resolve(), self.root.resolve()
        if not here.is_relative_to(root):
            return None
        inside = here.relative_to(root)
        return Files(root, [str(inside / path) for path in self.paths])


def default_folder() -> Path:
    """The folder of the running Python's own library: about two thousand real files, a few of them not UTF-8."""
    return Path(sysconfig.get_path("stdlib"))


def find_files(path: Path, limit: int | None) -> Files:
    """The file ``path``, or the text files below it in order; a usage error if there are none."""
    path = Path(os.path.abspath(path.expanduser()))
    if path.is_file():
        return Files(path.parent, [path.name])
    if not path.is_dir():
        raise click.UsageError(f"there is no file or folder {str(path)!r}")
    paths = sorted(_below(path))[: limit or BATCH_LIMIT]
    if not paths:
        raise click.UsageError(f"there are no text files below {str(path)!r}")
    return Files(path, paths)


def _below(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED and not name.startswith(".")]
        for name in names:
            if os.path.splitext(name)[1].lower() in TEXT and not name.startswith("."):
                yield os.path.relpath(os.path.join(place, name), folder)
