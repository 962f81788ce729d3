"""Opening files below the data root, and nowhere else.

Owns the walk from the data root to a file, component by component with descriptors, so that a folder or
link swapped meanwhile cannot lead outside. It reads no settings and knows nothing of what the file is for.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import msgspec

DataPath = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
"""A path below the data root, as the argument of a job."""

LINK_LIMIT = 40
"""Most symbolic links followed on the way to one file; what Linux itself allows."""

SHOWN_LIMIT = 200
"""Longest path repeated in a message, in characters."""

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
"""``O_NONBLOCK``: a FIFO that takes the file's place between look and open cannot block the worker."""


class FileProblem(Exception):
    """A file cannot be used; the message is one line and names the file."""


class FileMissing(FileProblem):
    """There is no such file (any more)."""


class OutsideDataRoot(FileProblem):
    """The path leads out of the data root, by itself or through a symbolic link."""


class NotAFile(FileProblem):
    """The path leads to a folder, a device, a FIFO or a socket."""


class FileUnreadable(FileProblem):
    """The file is there, but this process may not or cannot read it."""


class FileTooLarge(FileProblem):
    """The file is larger than the operation accepts."""


@dataclass(slots=True)
class OpenFile:
    """A regular file below the data root, held open together with its folder; a context manager.

    ``place`` is where it really is, relative to the root and without links.
    """

    file: int
    folder: int
    place: Path

    @property
    def name(self) -> str:
        """The last component of ``place``, the name inside ``folder``."""
        return self.place.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.file)
        os.close(self.folder)


def shown(path: str) -> str:
    """``path`` as a message may repeat it: quoted, on one line, bounded.

    >>> shown("a.txt")
    "'a.txt'"
    """
    return repr(path if len(path) <= SHOWN_LIMIT else path[: SHOWN_LIMIT - 1] + "…")


def open_inside(root: Path, path: str) -> OpenFile:
    """Open the regular file at ``path`` (relative to ``root``, or absolute below it) for reading.

    Symbolic links are followed as long as they stay below ``root``. Raises a ``FileProblem``.
    """
    try:
        return _Walk(root, path).open()
    except (ValueError, RuntimeError) as error:
        raise FileMissing(f"{shown(path)} cannot be the name of a file; send another path") from error
    except OSError as error:
        raise _problem(path, error) from error


def _missing(path: str) -> FileMissing:
    return FileMissing(
        f"{shown(path)} does not exist in the data root; check the path, or create the file and queue it again"
    )


def _problem(path: str, error: OSError) -> FileProblem:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return _missing(path)
    if error.errno == errno.ELOOP:
        return OutsideDataRoot(f"{shown(path)} was replaced by a symbolic link while it was opened; nothing was read")
    return FileUnreadable(f"{shown(path)} cannot be opened: {error.strerror}")


def _open_root(root: Path) -> int:
    try:
        return os.open(root, FOLDER_FLAGS)
    except OSError as error:
        raise FileMissing(
            f"the data root of this machine cannot be opened ({error.strerror}); check TRACKER_DATA_ROOT"
        ) from error


class _Walk:
    """The way from the root to one file: a stack of open folders, and the components still to go."""

    def __init__(self, root: Path, path: str) -> None:
        self.root, self.path = root, path
        self.todo: deque[str] = deque(self._components(path))
        self.links = 0
        self.names: list[str] = []
        self.folders: list[int] = []

    def open(self) -> OpenFile:
        try:
            self.folders.append(_open_root(self.root))
            while self.todo:
                file = self._go(self.todo.popleft())
                if file is not None:
                    return OpenFile(file, self.folders.pop(), Path(*self.names))
            raise NotAFile(f"{shown(self.path)} is a folder; send the path of a file")
        finally:
            self._leave(keep=0)

    def _go(self, name: str) -> int | None:
        """Take one component; a descriptor when it was the file itself."""
        if name in ("", "."):
            return None
        if name == "..":
            self._up()
            return None
        mode = os.stat(name, dir_fd=self.folders[-1], follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            self._follow(name)
        elif stat.S_ISDIR(mode):
            self._enter(name)
        else:
            return self._file(name, mode)
        return None

    def _up(self) -> None:
        if not self.names:
            raise self._outside()
        self.names.pop()
        os.close(self.folders.pop())

    def _enter(self, name: str) -> None:
        self.folders.append(os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=self.folders[-1]))
        self.names.append(name)

    def _follow(self, name: str) -> None:
        self.links += 1
        if self.links > LINK_LIMIT:
            raise FileMissing(
                f"{shown(self.path)} leads through more than {LINK_LIMIT} symbolic links; nothing was read"
            )
        target = os.readlink(name, dir_fd=self.folders[-1])
        if target.startswith("/"):
            self._leave(keep=1)
        self.todo.extendleft(reversed(self._components(target)))

    def _file(self, name: str, mode: int) -> int:
        if self.todo:
            raise _missing(self.path)
        if not stat.S_ISREG(mode):
            raise self._not_a_file()
        file = os.open(name, FILE_FLAGS, dir_fd=self.folders[-1])
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise self._not_a_file()
        self.names.append(name)
        return file

    def _components(self, path: str) -> list[str]:
        """What ``path`` is made of; an absolute one is taken relative to the root or refused."""
        if "\0" in path or not path:
            raise ValueError("no file has this name")
        if not path.startswith("/"):
            return path.split("/")
        for root in (self.root.absolute(), self.root.resolve()):
            base = f"{root}".rstrip("/") + "/"
            if path.startswith(base):
                return path.removeprefix(base).split("/")
        raise self._outside()

    def _not_a_file(self) -> NotAFile:
        return NotAFile(f"{shown(self.path)} is a device, a FIFO or a socket; send the path of a regular file")

    def _outside(self) -> OutsideDataRoot:
        return OutsideDataRoot(
            f"{shown(self.path)} lies outside the data root; only files below TRACKER_DATA_ROOT are read"
        )

    def _leave(self, keep: int) -> None:
        while len(self.folders) > keep:
            os.close(self.folders.pop())
        self.names.clear()
