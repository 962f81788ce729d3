"""Writing files so that a reader sees the old content or the new one, never a part.

Owns temporary names and the final rename. Callers decide what is written, and whether it must survive a power cut.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes ``target`` (owner-only) when the block ends well, and vanishes when it does not.

    Not synced to disk: for results that can be made again.
    """
    handle, name = tempfile.mkstemp(prefix=".part-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def create(folder: int, name: str, content: bytes, mode: int = 0o600) -> None:
    """Make a new file in the open ``folder``, on disk when this returns; ``FileExistsError`` if the name is taken."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with os.fdopen(file, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.fsync(folder)
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise


@contextmanager
def prepared(folder: int, content: bytes, mode: int) -> Iterator[str]:
    """A new file in the open ``folder``, on disk, under a temporary name; removed if the block fails."""
    name = f".part-{secrets.token_hex(6)}"
    create(folder, name, content, mode)
    try:
        yield name
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise
