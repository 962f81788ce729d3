"""``files.process`` on real files."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.operations.conftest import Told
from workers.operations import files
from workers.operations.files import CHUNK, SIZE_LIMIT, NotText, process_file, result_path
from workers.operations.paths import FileMissing, FileProblem, FileTooLarge, NotAFile, OutsideDataRoot

STEPS = ["Read", "Check encoding", "Count", "Write results"]


def results(state_dir: Path, name: str) -> tuple[bytes, dict[str, Any]]:
    """The copy and the report kept for the file of that name."""
    folder = state_dir / "results" / "default"
    copy = gzip.decompress((folder / f"{name}.gz").read_bytes())
    return copy, json.loads((folder / f"{name}.json").read_text())


def kept(state_dir: Path) -> list[str]:
    """Everything that lies in the results folder, temporary files included."""
    folder = state_dir / "results"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_text_file_gives_a_copy_and_a_report(data_root: Path, state_dir: Path, told: Told) -> None:
    """All four steps complete, and both results speak about the file's bytes."""
    content = "Grüße, Welt\nzwei  Wörter\nno newline".encode()
    (data_root / "notes.txt").write_bytes(content)

    process_file("notes.txt")

    copy, report = results(state_dir, "notes.txt")
    assert told.complete == STEPS
    assert copy == content
    assert report == {
        "path": "notes.txt",
        "bytes": len(content),
        "lines": 3,
        "words": 6,
        "sha256": hashlib.sha256(content).hexdigest(),
        "copy": "notes.txt.gz",
    }
    assert kept(state_dir) == ["notes.txt.gz", "notes.txt.json"]


def test_reading_tells_its_progress_in_bytes(data_root: Path, told: Told) -> None:
    """The completed step carries how many bytes of how many were read, counting tells what it found."""
    (data_root / "notes.txt").write_bytes(b"one two\n" * 100_000)

    process_file("notes.txt")

    read = told.ended("Read")
    assert (read["current"], read["total"], read["unit"]) == (800_000, 800_000, "bytes")
    assert told.ended("Count")["detail"] == "100,000 lines, 200,000 words"


@pytest.mark.parametrize(
    ("content", "lines", "words"),
    [(b"", 0, 0), (b"\n", 1, 0), (b"a", 1, 1), (b"a\nb", 2, 2), (b" a  b \n\n", 2, 2), (b"\xef\xbb\xbfa\r\n", 1, 1)],
)
def test_lines_and_words_are_counted(data_root: Path, state_dir: Path, content: bytes, lines: int, words: int) -> None:
    """A last line without a newline counts; white space of any length separates words."""
    (data_root / "a.txt").write_bytes(content)

    process_file("a.txt")

    _, report = results(state_dir, "a.txt")
    assert (report["lines"], report["words"], report["bytes"]) == (lines, words, len(content))


@pytest.mark.parametrize("before", range(CHUNK - 4, CHUNK + 2))
def test_words_and_characters_cut_by_a_chunk_count_once(data_root: Path, state_dir: Path, before: int) -> None:
    """A word of three-byte characters across the edge of a chunk is one word and valid text."""
    content = b"x" * (before - 1) + b" " + "€€€ end\n".encode()
    (data_root / "a.txt").write_bytes(content)

    process_file("a.txt")

    copy, report = results(state_dir, "a.txt")
    assert (report["words"], report["lines"]) == (3, 1)
    assert copy == content


def test_a_copy_too_large_for_memory_is_worked_on_from_disk(
    data_root: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the memory limit the results are the same, and nothing temporary stays behind."""
    monkeypatch.setattr(files, "MEMORY_LIMIT", 1000)
    content = b"a line of text\n" * 50_000
    (data_root / "a.txt").write_bytes(content)

    process_file("a.txt")

    copy, report = results(state_dir, "a.txt")
    assert copy == content
    assert report["lines"] == 50_000
    assert kept(state_dir) == ["a.txt.gz", "a.txt.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"abc\xffdef", "invalid start byte at byte 3;"),
        (b"caf\xe9\n", "invalid continuation byte at byte 3;"),
        (b"ends early \xe2\x82", "unexpected end of data at byte 11;"),
        (b"x" * (CHUNK - 1) + b"\xe2\x28\xa1", f"invalid continuation byte at byte {CHUNK - 1};"),
        (b"text\0text", "NUL at byte 4;"),
        (b"x" * CHUNK + b"\0", f"NUL at byte {CHUNK};"),
    ],
)
def test_a_file_that_is_not_text_fails_at_the_check(
    data_root: Path, state_dir: Path, told: Told, content: bytes, message: str
) -> None:
    """The message names the first byte that is wrong, and nothing is kept."""
    (data_root / "a.txt").write_bytes(content)

    with pytest.raises(NotText, match=message):
        process_file("a.txt")

    assert (told.complete, told.failed) == (["Read"], ["Check encoding"])
    assert kept(state_dir) == []


def make_link_out(path: Path) -> None:
    (path.parent.parent / "secret.txt").write_text("outside")
    path.symlink_to("../secret.txt")


def make_large(path: Path) -> None:
    path.touch()
    os.truncate(path, SIZE_LIMIT + 1)


@pytest.mark.parametrize(
    ("path", "make", "problem"),
    [
        ("gone.txt", None, FileMissing),
        ("../secret.txt", None, OutsideDataRoot),
        ("/etc/hostname", None, OutsideDataRoot),
        ("link.txt", make_link_out, OutsideDataRoot),
        ("folder", Path.mkdir, NotAFile),
        ("fifo", os.mkfifo, NotAFile),
        ("large.txt", make_large, FileTooLarge),
    ],
)
def test_a_file_that_cannot_be_used_fails_at_read(
    data_root: Path,
    state_dir: Path,
    told: Told,
    path: str,
    make: Callable[[Path], None] | None,
    problem: type[FileProblem],
) -> None:
    """Missing, outside, too large or no file at all: the first step fails with one clear line."""
    if make is not None:
        make(data_root / path)

    with pytest.raises(problem) as caught:
        process_file(path)

    assert (told.complete, told.failed) == ([], ["Read"])
    assert path in f"{caught.value}"
    assert "\n" not in f"{caught.value}"
    assert kept(state_dir) == []


def test_a_file_that_grows_over_the_limit_while_it_is_read_is_refused(
    data_root: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit holds for what is read, not only for what was announced."""
    monkeypatch.setattr(files, "SIZE_LIMIT", 100)
    log = data_root / "log.txt"
    log.write_bytes(b"x" * 100)
    announced = log.stat()
    log.write_bytes(b"x" * 101)
    # Of this module alone: other threads ask of files of their own.
    monkeypatch.setattr(files, "os", SimpleNamespace(**vars(os) | {"fstat": lambda descriptor: announced}))

    with pytest.raises(FileTooLarge):
        process_file("log.txt")

    assert told.failed == ["Read"]


def test_a_file_deleted_after_it_was_read_is_still_processed(
    data_root: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later steps work on the copy."""
    (data_root / "a.txt").write_bytes(b"still here\n")
    check = files._check

    def delete_then_check(*args: Any) -> None:
        (data_root / "a.txt").unlink()
        check(*args)

    monkeypatch.setattr(files, "_check", delete_then_check)
    process_file("a.txt")

    assert results(state_dir, "a.txt")[0] == b"still here\n"


def test_the_same_file_gives_the_same_bytes_again(data_root: Path, state_dir: Path) -> None:
    """Results hold no time and no temporary name."""
    (data_root / "a.txt").write_bytes(b"same\n" * 1000)
    folder = state_dir / "results" / "default"

    process_file("a.txt")
    first = [(folder / name).read_bytes() for name in kept(state_dir)]
    assert first[0][4:8] == bytes(4), "the time in the header of the compressed copy"
    os.utime(data_root / "a.txt", (1, 1))
    process_file("a.txt")

    assert [(folder / name).read_bytes() for name in kept(state_dir)] == first


def test_results_are_readable_by_their_owner_only(data_root: Path, state_dir: Path) -> None:
    """What was private in the data root does not become public in the results."""
    (data_root / "a.txt").write_bytes(b"private\n")

    process_file("a.txt")

    folder = state_dir / "results" / "default"
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_files_of_one_name_in_different_folders_keep_their_own_results(data_root: Path, state_dir: Path) -> None:
    """Results mirror the place of the file; folders that look like results do not get in their way."""
    places = ["a", "x/a", "a.gz/a", "a.gz_/a", "a.json/a"]
    for place in places:
        (data_root / place).parent.mkdir(exist_ok=True)
        (data_root / place).write_text(place)
        process_file(place)

    folder = state_dir / "results" / "default"
    reports = [json.loads(path.read_text())["path"] for path in folder.rglob("*.json") if path.is_file()]
    assert sorted(reports) == sorted(places)


def test_a_name_as_long_as_the_file_system_allows_has_results(data_root: Path, state_dir: Path) -> None:
    """Names that a suffix would make too long are cut and made unique."""
    for last in "ab":
        (data_root / ("x" * 254 + last)).write_text(last)
        process_file("x" * 254 + last)

    assert len(kept(state_dir)) == 4


def test_a_hostile_name_is_only_a_name(data_root: Path, state_dir: Path, told: Told) -> None:
    """Markup, escape sequences and line breaks in a file's name change nothing."""
    name = "[/bold]<script>\x1b[31m\n.txt"
    (data_root / name).parent.mkdir()
    (data_root / name).write_text("harmless\n")

    process_file(name)

    assert told.complete == STEPS
    assert results(state_dir, name)[1]["path"] == name


def test_a_result_path_never_leaves_the_results_folder() -> None:
    """The suffixes go to the name, the underscore to folders only."""
    assert result_path(Path("r"), Path("a.json_/b.gz"), ".json") == Path("r/a.json__/b.gz.json")
