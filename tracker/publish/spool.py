"""The spool: what could not be sent for a while, on disk, where it outlives this process.

A folder holds one file per process, which that process keeps locked while it lives. A file that nobody holds was left
behind by a process that is gone; whoever takes it may send what is in it. Files are the owner's alone.

A file begins with how far it was read, so that nobody has to begin anew. A record is its length, its checksum and a
blob. The end of a process may tear the last one: it is recognised, and what was whole before it counts.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

try:
    import fcntl
except ImportError:  # Where a file cannot be locked, none is begun.
    fcntl = None  # type: ignore[assignment]

from tracker.ids import new_run
from tracker.store import RunBlob

FILE_LIMIT = 64 * 2**20
"""Bytes of one process's file."""

FOLDER_LIMIT = 256 * 2**20
"""Bytes of all files of a folder, beyond which no new one is begun."""

READ_AT_ONCE = 2**20
"""Bytes read at once; the blobs of a call to the store are fewer."""

SUFFIX = ".spool"

MAGIC = b"tracker1"
"""What a file begins with; another layout has another one."""

_START = struct.Struct("<8sQ")
_HEADER = struct.Struct("<II")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RunBlob).decode
_own: set[str] = set()
"""Paths of this process's files: the kernel would give it their locks a second time."""


class SpoolError(Exception):
    """Nothing can be put into the spool now; the message says why."""


class Spool:
    """One file of blobs, written at its end and read from its beginning."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle
        self._written = os.fstat(handle).st_size
        self._read = self._peeked = int(_START.unpack(os.pread(handle, _START.size, 0))[1])
        self.unreadable = 0

    @property
    def waiting(self) -> int:
        """Bytes that are not sent."""
        return max(0, self._written - self._read)

    def put(self, blobs: Sequence[RunBlob]) -> None:
        """Add blobs, all or none; raises ``SpoolError``."""
        data = b"".join(map(_record, blobs))
        if self._written + len(data) > FILE_LIMIT:
            raise SpoolError(f"the file has reached its {FILE_LIMIT // 2**20} MiB")
        try:
            if os.pwrite(self._handle, data, self._written) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._handle, self._written)
            raise SpoolError(error.strerror or type(error).__name__) from error
        self._written += len(data)

    def peek(self, limit: int) -> list[RunBlob]:
        """The next blobs to send, at most ``limit``; always the same ones until they are ``taken``.

        None are left if what follows is torn. A blob that this version does not understand is counted, and left out.
        """
        blobs, self._peeked = [], self._read
        for body, end in _records(self._part(self._read, self._written)):
            self._peeked = self._read + end
            try:
                blobs.append(_decode(body))
            except msgspec.DecodeError:
                self.unreadable += 1
            if len(blobs) == limit:
                break
        return blobs

    def taken(self) -> None:
        """The blobs given last are stored."""
        self._read = self._peeked
        with suppress(OSError):  # Then they are told again.
            os.pwrite(self._handle, _START.pack(MAGIC, self._read), 0)

    def sent(self) -> Iterator[RunBlob]:
        """What was sent of it before it was this process's."""
        place = _START.size
        with suppress(OSError):
            while place < self._read and (found := list(_records(self._part(place, self._read)))):
                for body, _ in found:
                    with suppress(msgspec.DecodeError):
                        yield _decode(body)
                place += found[-1][1]

    def _part(self, start: int, end: int) -> bytes:
        """What to look at next: at least one record."""
        header = os.pread(self._handle, _HEADER.size, start)
        length = int(_HEADER.unpack(header)[0]) + _HEADER.size if len(header) == _HEADER.size else 0
        return os.pread(self._handle, max(0, min(end - start, max(length, READ_AT_ONCE))), start)

    def remove(self) -> None:
        """Delete the file, with whatever is in it."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file; it stays for whoever takes it."""
        _let_go(self.path, self._handle)


def begin(folder: Path) -> Spool:
    """A new file of this process; raises ``SpoolError``."""
    if fcntl is None:
        raise SpoolError("files cannot be locked on this platform")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sum(path.stat().st_size for path in folder.glob(f"*{SUFFIX}")) > FOLDER_LIMIT:
            raise SpoolError(f"the folder holds {FOLDER_LIMIT // 2**20} MiB already")
        while (spool := _new(folder)) is None:
            pass  # Somebody took it for one left behind.
        return spool
    except OSError as error:
        raise SpoolError(error.strerror or type(error).__name__) from error


def _new(folder: Path) -> Spool | None:
    path = folder / f"{os.getpid()}-{new_run()}{SUFFIX}"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    _own.add(str(path))
    try:
        if _lock(handle):
            os.pwrite(handle, _START.pack(MAGIC, _START.size), 0)
            return Spool(path, handle)
    except OSError:
        path.unlink(missing_ok=True)
        _let_go(path, handle)
        raise
    _let_go(path, handle)
    return None


def _let_go(path: Path, handle: int) -> None:
    _own.discard(str(path))
    os.close(handle)


def left_behind(folder: Path) -> Iterator[Spool]:
    """The files of processes that are gone, oldest first; each is this process's until it closes or removes it."""
    if fcntl is None:
        return
    try:
        with os.scandir(folder) as entries:
            found = sorted((_age(entry), entry.path) for entry in entries if entry.name.endswith(SUFFIX))
    except OSError:
        return
    for path in (Path(path) for _, path in found):
        if str(path) not in _own and (handle := _take(path)) is not None:
            _own.add(str(path))
            yield Spool(path, handle)


def _age(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _take(path: Path) -> int | None:
    """An open and locked file; ``None`` if somebody has it, or if it is not one of ours."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with suppress(OSError):  # Nothing can be locked there; then nobody may take anything either.
        if _is_ours(handle) and _lock(handle) and _is_readable(handle):
            return handle
    os.close(handle)
    return None


def _is_ours(handle: int) -> bool:
    state = os.fstat(handle)
    return stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid()


def _is_readable(handle: int) -> bool:
    """Whether the file has this layout; one whose process was killed before it wrote anything, has it from now on."""
    if os.fstat(handle).st_size < _START.size:
        os.ftruncate(handle, 0)
        os.pwrite(handle, _START.pack(MAGIC, _START.size), 0)
    return os.pread(handle, len(MAGIC), 0) == MAGIC


def _lock(handle: int) -> bool:
    """Hold the file until this process closes it or ends; a forked child holds nothing. ``False`` if another does.

    Raises ``OSError`` where files cannot be locked, as on some network drives.
    """
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # What it is called differs between systems.
        return False
    return os.fstat(handle).st_nlink > 0  # Else whoever held it before has removed it.


def _record(blob: RunBlob) -> bytes:
    data = _encode(blob)
    return _HEADER.pack(len(data), zlib.crc32(data)) + data


def _records(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Whole records, and where each ends."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, checksum = _HEADER.unpack_from(data, start)
        start += _HEADER.size
        body = data[start : start + length]
        start += length
        if len(body) < length or zlib.crc32(body) != checksum:
            return
        yield body, start


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_own.clear)
