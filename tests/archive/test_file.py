"""The file: made for its owner, shared by processes, whole after a kill, and one line when it cannot be used."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.archive.making import record, run
from tests.support import wait_for
from tracker.archive import Archive
from tracker.archive.database import Database
from tracker.compose import compose
from tracker.errors import ArchiveUnavailable
from tracker.model import Status

ROOT = Path(__file__).parents[2]


def writer(*arguments: str) -> subprocess.Popen[str]:
    """Another process that writes."""
    command = [sys.executable, "-m", "tests.archive.writer", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def refusal(archive: Archive) -> str:
    """What is said when it cannot be used: one line."""
    with pytest.raises(ArchiveUnavailable) as refused:
        archive.write([record("a")])
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_nothing_is_opened_before_it_is_used(url: str) -> None:
    """Whoever only might need the archive pays nothing for it."""
    archive = Archive(url)
    archive.write([])
    archive.close()
    assert not file_of(url).parent.exists()


def test_folder_and_files_are_their_owners_only(archive: Archive, url: str) -> None:
    """Also those that SQLite lays beside."""
    archive.write([record("a")])
    folder = file_of(url).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(list(folder.iterdir())) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_it_is_the_same_archive_after_it_was_closed(archive: Archive, url: str) -> None:
    """And another one after its file was taken away."""
    identity = archive.identity
    archive.close()
    with closing(Archive(url, "other")) as again:
        assert again.identity == identity
    archive.close()
    file_of(url).unlink()
    with closing(Archive(url)) as new:
        assert new.identity != identity


def test_processes_that_make_the_file_at_once_make_one(url: str) -> None:
    """And none of their writes is lost."""
    writers = [writer("once", url, f"op-{n}") for n in range(4)]
    said = {process.communicate(timeout=60)[0] for process in writers}
    assert [process.returncode for process in writers] == [0] * 4, said
    assert len(said) == 1
    with closing(Archive(url, "tests")) as archive:
        assert {parts.id for parts in archive.top_level()} == {f"op-{n}" for n in range(4)}


def test_threads_share_an_archive(archive: Archive) -> None:
    """Each write is whole, and readers never wait for one."""

    def write(thread: int) -> None:
        for n in range(10):
            archive.write([record(f"{thread}-{n}", run(f"{thread}-{n}"))])
            assert archive.operation(f"{thread}-{n}") is not None

    threads = [threading.Thread(target=write, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(archive.top_level(limit=100)) == 40
    assert archive.durations("job")["Step 1"].count == 40


def test_no_connection_is_forgotten_when_threads_open_the_file_at_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes longer must not lose what the other has given back meanwhile."""
    connect, made = sqlite3.connect, list[sqlite3.Connection]()
    monkeypatch.setattr(sqlite3, "connect", lambda *place, **how: made.append(connect(*place, **how)) or made[-1])
    begun, done = threading.Event(), threading.Event()

    def prepare(_: sqlite3.Connection) -> None:
        if not begun.is_set():
            begun.set()
            done.wait(60)

    def use() -> None:
        with database.reading():
            pass

    database = Database(url, prepare)
    slow = threading.Thread(target=use)
    slow.start()
    assert begun.wait(60)
    use()
    done.set()
    slow.join()
    database.close()
    for connection in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_a_forked_child_opens_the_file_anew(url: str) -> None:
    """And harms nothing of its parent's."""
    process = writer("with_child", url)
    said = process.communicate(timeout=60)[0]
    assert (process.returncode, said) == (0, "")
    with closing(Archive(url, "tests")) as archive:
        assert {parts.id for parts in archive.top_level()} == {"before", "parent", "child", "after"}


def test_a_writer_killed_in_the_middle_leaves_nothing_half_written(url: str) -> None:
    """Every group is there whole, with its counts, or not at all."""
    for kill in (3, 9, 17):
        process = writer("endlessly", url)
        with closing(Archive(url, "tests")) as archive:
            wait_for(lambda archive=archive, kill=kill: archive.top_level(name=f"group {kill}"))  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        with closing(Archive(url, "tests")) as archive:
            group = 0
            while found := archive.top_level(name=f"group {group}", limit=100):
                assert len(found) == 50
                assert sum(counts[Status.COMPLETE] for counts in archive.outcomes(f"group {group}").values()) == 50
                assert all(len(archive.attempts(parts.id)) == 1 for parts in found[:5])
                group += 1
            assert group > kill
            assert archive.outcomes(f"group {group}") == {}


# ---- when it cannot be used ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:hunter2@db/tracker", "mysql+pymysql://ada:hunter2@db", "sqlite+aiosqlite:///hunter2", "hunter2"],
)
def test_another_database_is_refused_without_a_word_of_its_url(url: str) -> None:
    """Any part of it may be the password."""
    said = refusal(Archive(url))
    assert "hunter2" not in said
    assert "sqlite:///" in said


def test_a_file_that_is_no_archive_is_named_and_left_alone(url: str) -> None:
    """Whatever it is, it is somebody's."""
    file_of(url).parent.mkdir()
    file_of(url).write_text("not a database " * 100)
    assert str(file_of(url)) in refusal(Archive(url))
    assert file_of(url).read_text() == "not a database " * 100


def test_a_damaged_page_is_told_in_one_line(archive: Archive, url: str) -> None:
    """As it would be after a disk has failed."""
    archive.write([record(f"{n}", run(f"r{n}")) for n in range(500)])
    archive.close()
    with file_of(url).open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 20))
    ids = [f"{n}" for n in range(500)]
    with pytest.raises(ArchiveUnavailable) as refused:
        archive.heads(ids)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "blob", [b"", b"\xc1", b"\x91\x01", b"x\x9c", b"\x80", b"\x90", b"\x92\xa2r1\xc0", b"\x92\xa2r1\xa1x"]
)
def test_a_damaged_row_is_told_in_one_line(archive: Archive, url: str, blob: bytes) -> None:
    """The database is sound, and what is in it makes no sense."""
    archive.write([record("a")])
    with closing(sqlite3.connect(file_of(url))) as connection:
        connection.execute("UPDATE attempts SET head = ?, current = NULL, steps = NULL", [blob])
        connection.commit()
    with pytest.raises(ArchiveUnavailable, match="damaged row"):
        archive.operation("a")
    with pytest.raises(ArchiveUnavailable, match="damaged row"):
        archive.heads(["a"])
    with pytest.raises(ArchiveUnavailable, match="damaged row"):
        archive.write([record("a", rev=99)])


def test_a_place_that_cannot_hold_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    """A folder, or below a file."""
    (tmp_path / "file").write_text("")
    assert str(tmp_path) in refusal(Archive(f"sqlite:///{tmp_path}"))
    assert str(tmp_path / "file") in refusal(Archive(f"sqlite:///{tmp_path / 'file' / 'archive.sqlite3'}"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any file")
def test_a_file_that_may_only_be_read_is_told_in_one_line(archive: Archive, url: str) -> None:
    """And who has to change that."""
    archive.write([record("a")])
    archive.close()
    file_of(url).chmod(0o400)
    assert "let this user write" in refusal(archive)


def test_a_full_disk_is_told_in_one_line_and_what_was_there_stays(archive: Archive, url: str) -> None:
    """A limit on the size of files stands for the disk; after it is lifted, writing goes on."""
    archive.write([record("a")])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(ArchiveUnavailable, match="disk") as refused:
            archive.write([record(f"{n}", run(f"r{n}")) for n in range(5000)])
        assert "\n" not in str(refused.value)
        assert archive.operation("a") is not None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    archive.write([record("b")])
    assert [compose(parts).id for parts in archive.top_level()] == ["b", "a"]


def test_a_second_archive_on_the_same_file_leaves_the_locks_of_the_first(archive: Archive, url: str) -> None:
    """A web server has two, one that reads and one that writes; other processes come and go meanwhile."""
    archive.write([record("before")])
    second = Archive(url, "tests")
    assert second.operation("before") is not None
    read = [sys.executable, "-c", READ, url, "before", "after"]
    assert subprocess.run(read, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout == "True False\n"
    archive.write([record("after")])
    assert subprocess.run(read, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout == "True True\n"
    second.close()


READ = """
import sys
from tracker.archive import Archive
archive = Archive(sys.argv[1], "tests")
print(*(archive.operation(id) is not None for id in sys.argv[2:]))
archive.close()
"""
