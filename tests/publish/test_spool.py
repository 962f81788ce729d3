"""The spool: what it holds outlives its process, is told apart from what is torn, and is sent by whoever comes next."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.making import ended, head, started, step_event
from tracker.model import LogLine, Status
from tracker.publish import spool as spooling
from tracker.publish.spool import Spool, SpoolError, begin, left_behind
from tracker.store import RunBlob

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "default"


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    made = begin(folder)
    yield made
    made.remove()


def abandon(spool: Spool) -> Path:
    """What the end of its process does to a file."""
    spool.close()
    return spool.path


def story(id: str) -> list[RunBlob]:
    return [started(id), step_event(id, 2), ended(id, seq=3)]


def told(*blobs: RunBlob) -> list[list[object]]:
    """What the store would be told; a sequence of another type says the same."""
    return [blob.change() for blob in blobs]


def everything(spool: Spool) -> list[list[object]]:
    found: list[RunBlob] = []
    while blobs := spool.peek(2):
        found += blobs
        spool.taken()
    return told(*found)


def test_what_is_put_comes_out_the_same_and_in_order(spool: Spool) -> None:
    """Also while more is put."""
    spool.put(story("a"))
    assert told(*spool.peek(1)) == told(*spool.peek(1)) == told(story("a")[0])
    spool.taken()
    spool.put(story("b"))
    assert everything(spool) == told(*story("a")[1:], *story("b"))
    assert spool.waiting == 0


def test_a_blob_larger_than_what_is_read_at_once_comes_out_whole(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results of a step may be large."""
    monkeypatch.setattr(spooling, "READ_AT_ONCE", 100)
    large = RunBlob("a", "r1", started("a").events, "", 1.0, head(), results=[("key", b"x" * 5000)])
    spool.put([large, *story("b")])
    assert everything(spool) == told(large, *story("b"))


def test_only_the_owner_can_read_what_is_on_disk(spool: Spool) -> None:
    """It holds what Redis would hold behind a password."""
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.path.parent.stat().st_mode) == 0o700


def test_a_torn_last_record_costs_only_itself(folder: Path) -> None:
    """However many of its bytes have reached the disk."""
    spool = begin(folder)
    spool.put(story("a")[:2])
    whole = spool.waiting
    spool.put(story("a")[2:])
    size = spool.waiting
    path = abandon(spool)
    data = path.read_bytes()
    begins = len(data) - size
    for cut in range(whole, size):
        path.write_bytes(data[: begins + cut])
        (left,) = left_behind(folder)
        assert everything(left) == told(*story("a")[:2])
        assert left.waiting == cut - whole
        abandon(left)


def test_who_takes_a_file_goes_on_where_it_was_left(folder: Path) -> None:
    """A large one may need several processes, each of which lives for a moment only."""
    spool = begin(folder)
    spool.put(story("a"))
    for blob in story("a"):
        abandon(spool)
        (spool,) = left_behind(folder)
        assert told(*spool.peek(1)) == told(blob)
        spool.taken()
    assert spool.waiting == 0
    spool.remove()


def test_a_file_of_another_layout_is_left_alone(folder: Path) -> None:
    """And one of a process that was killed before it wrote anything is empty."""
    path = abandon(begin(folder))
    path.write_bytes(b"tracker9" + bytes(100))
    assert list(left_behind(folder)) == []
    path.write_bytes(b"trac")
    (left,) = left_behind(folder)
    assert left.waiting == 0
    left.remove()


def test_a_record_that_was_damaged_is_recognised(folder: Path) -> None:
    """By its checksum; nothing behind it is believed either."""
    spool = begin(folder)
    spool.put(story("a"))
    path = abandon(spool)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (left,) = left_behind(folder)
    assert everything(left) == told(*story("a")[:1])
    assert left.waiting
    left.remove()


def test_a_blob_that_makes_no_sense_is_counted_and_the_next_one_read(folder: Path, spool: Spool) -> None:
    """Another version may have written it."""
    spool.put(story("a")[:1])
    body = b"\x81\xa4from\xa5later"
    record = spooling._HEADER.pack(len(body), spooling.zlib.crc32(body)) + body
    os.pwrite(os.open(spool.path, os.O_WRONLY), record, spooling._START.size)
    spool._written = spooling._START.size + len(record)
    spool.put(story("b"))
    assert everything(spool) == told(*story("b"))
    assert spool.unreadable == 1


def test_a_file_in_use_is_nobody_elses(folder: Path) -> None:
    """Neither another process nor a forked child may take it; once its process is gone, any may, but only one."""
    code = "import sys; from tracker.publish.spool import *; from pathlib import Path\nfolder = Path(sys.argv[1])\n"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{code}held = begin(folder); print(held.path, flush=True); sys.stdin.read()", folder],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    path = Path(holder.stdout.readline().strip())
    assert list(left_behind(folder)) == []
    holder.kill()
    holder.communicate(timeout=20)
    (left,) = left_behind(folder)
    assert left.path == path
    other = [sys.executable, "-c", f"{code}print(len(list(left_behind(folder))))", folder]
    assert subprocess.run(other, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True).stdout == "0\n"
    left.remove()
    assert list(left_behind(folder)) == []


def test_a_forked_child_neither_holds_nor_frees_the_file_of_its_parent(folder: Path, spool: Spool) -> None:
    """It has the descriptor, and not the lock."""
    spool.put(story("a"))
    pid = os.fork()
    if pid == 0:
        taken = list(left_behind(folder))
        os.close(spool._handle)
        os._exit(len(taken))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    code = f"from tracker.publish.spool import *; from pathlib import Path; print(*left_behind(Path({str(folder)!r})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.stdout == "\n"


def test_a_forked_child_takes_what_its_parent_has_left(folder: Path) -> None:
    """It was its parent's own, and so not the child's."""
    spool = begin(folder)
    spool.put(story("a"))
    left, leave = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(left, 1)
        os._exit(len(list(left_behind(folder))))
    spool.close()
    os.write(leave, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


@pytest.mark.parametrize("what", ["link", "fifo", "folder"])
def test_only_plain_files_of_the_owner_are_taken(folder: Path, tmp_path: Path, what: str) -> None:
    """Somebody else may have put something there."""
    folder.mkdir(parents=True)
    path = folder / "1-a.spool"
    if what == "link":
        target = tmp_path / "target"
        target.write_bytes(b"")
        path.symlink_to(target)
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert list(left_behind(folder)) == []


def test_a_file_of_another_user_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says would be stored with this process's permissions."""
    abandon(begin(folder))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert list(left_behind(folder)) == []


def test_a_file_is_bounded_and_what_does_not_fit_is_refused_whole(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before is still good."""
    spool.put(story("a"))
    monkeypatch.setattr(spooling, "FILE_LIMIT", spooling._START.size + spool.waiting + 10)
    with pytest.raises(SpoolError, match="MiB"):
        spool.put(story("b"))
    assert everything(spool) == told(*story("a"))


def test_a_folder_is_bounded(folder: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand processes that end while Redis is away do not fill a disk."""
    spool.put(story("a"))
    monkeypatch.setattr(spooling, "FOLDER_LIMIT", 10)
    with pytest.raises(SpoolError, match="folder"):
        begin(folder)


def test_a_full_disk_is_an_error_and_leaves_no_half_record(folder: Path) -> None:
    """Shown with the kernel's own limit on the size of files."""
    spool = begin(folder)
    spool.put(story("a"))
    size = spool.waiting
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spooling._START.size + size + 10, before[1]))
    try:
        with pytest.raises(SpoolError):
            spool.put(story("b"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert spool.path.stat().st_size == spooling._START.size + size
    spool.put(story("c"))
    assert everything(spool) == told(*story("a"), *story("c"))
    spool.remove()


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "spool").write_text("")
    with pytest.raises(SpoolError, match="director"):
        begin(tmp_path / "spool" / "default")
    assert list(left_behind(tmp_path / "spool" / "default")) == []


def test_lines_and_texts_of_any_kind_survive(spool: Spool) -> None:
    """Bytes on disk are those of the events, not of some encoding of the machine."""
    event = started("a").events[0]
    event.log = LogLine(1, 2.0, 'Größe ⏳ \u202e 𝄞 \x00 \\ "')
    blob = RunBlob("a", "r1", [event], "", 0.1 + 0.2, head(status=Status.ERROR))
    spool.put([blob])
    assert everything(spool) == told(blob)


def test_where_files_cannot_be_locked_none_is_left_and_none_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could tell then whether the process that wrote one lives."""
    left = begin(folder)
    left.put(story("a"))
    abandon(left)

    def fails(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", fails)
    with pytest.raises(SpoolError, match="lock"):
        begin(folder)
    assert list(left_behind(folder)) == []
    assert [path.name for path in folder.iterdir()] == [left.path.name]
