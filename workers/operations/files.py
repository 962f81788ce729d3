"""``files.process``: check one text file, count it, keep a compressed copy and a report.

Owns the four steps and what "text" means. The file is read once, into a private copy; the later steps work on the
copy, so that whatever happens to the file meanwhile, all results speak about the same bytes.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tracker import StepTracker
from tracker.celery import job
from tracker.settings import Settings
from tracker.step import Step
from workers.operations.paths import DataPath, FileProblem, FileTooLarge, FileUnreadable, OpenFile, open_inside, shown
from workers.operations.writing import replacing

SIZE_LIMIT = 256 * 1024 * 1024
"""Largest file accepted, in bytes."""

CHUNK = 256 * 1024
"""How much is read at a time, in bytes; also how often progress is told."""

MEMORY_LIMIT = 4 * 1024 * 1024
"""Up to this size, in bytes, the copy stays in memory; a larger one goes to disk beside the results."""

NAME_LIMIT = 240
"""Longest name of a result before its suffix, in bytes; file systems allow 255 in all."""

STEPS = ("Read", "Check encoding", "Count", "Write results")


class NotText(FileProblem):
    """The file is not UTF-8 text; the message names the first offending byte, counted from 0."""


@dataclass(slots=True)
class Counts:
    """What "Count" finds. A last line without a newline counts; words are what white space separates."""

    size: int
    lines: int
    words: int
    sha256: str


def process_file(path: str) -> None:
    """Read, check, count and keep the text file ``path`` (relative to ``TRACKER_DATA_ROOT``).

    Writes ``<path>.gz`` and ``<path>.json`` into the results folder; the same file gives the same bytes again.
    Raises a ``FileProblem`` whose message names the file and what to do.
    """
    settings = Settings.from_env()
    results = results_folder(settings)
    with _private_copy(results) as copy, StepTracker(f"Process {path}", steps=STEPS) as tracker:
        with tracker.step("Read") as step:
            place = _read(settings.data_root, path, copy, step)
        with tracker.step("Check encoding") as step:
            _check(path, copy, step)
        with tracker.step("Count") as step:
            counts = _count(copy, step)
            step.detail = f"{counts.lines:,} lines, {counts.words:,} words"
        with tracker.step("Write results") as step:
            step.detail = _write(results, place, copy, counts).name


def results_folder(settings: Settings) -> Path:
    """Where results of this namespace are kept, made if needed; readable by its owner only."""
    folder = settings.state_dir / "results" / settings.namespace
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _private_copy(folder: Path) -> IO[bytes]:
    """An empty file without a name: it is gone with this process, however that ends."""
    return tempfile.SpooledTemporaryFile(MEMORY_LIMIT, dir=f"{folder}")


def _read(root: Path, path: str, copy: IO[bytes], step: Step) -> Path:
    """Copy the file; its real place below the root."""
    with open_inside(root, path) as source:
        size = os.fstat(source.file).st_size
        if size > SIZE_LIMIT:
            raise _too_large(path)
        step.unit = "bytes"
        step.set_total(size)
        read = 0
        for chunk in _chunks(source, path):
            read += len(chunk)
            if read > SIZE_LIMIT:
                raise _too_large(path)
            copy.write(chunk)
            step.advance(len(chunk))
        if read != size:
            step.set_total(read)
        return source.place


def _chunks(source: OpenFile, path: str) -> Iterator[bytes]:
    try:
        while chunk := os.read(source.file, CHUNK):
            yield chunk
    except OSError as error:
        raise FileUnreadable(f"{shown(path)} cannot be read: {error.strerror}") from error


def _too_large(path: str) -> FileTooLarge:
    return FileTooLarge(f"{shown(path)} is larger than {SIZE_LIMIT // 2**20} MiB; split it and queue the parts")


def _again(copy: IO[bytes], step: Step) -> Iterator[bytes]:
    """The copy from its beginning, in chunks, with progress."""
    step.unit = "bytes"
    step.set_total(copy.tell())
    copy.seek(0)
    while chunk := copy.read(CHUNK):
        yield chunk
        step.advance(len(chunk))


def _check(path: str, copy: IO[bytes], step: Step) -> None:
    """Raise ``NotText`` at the first byte that UTF-8 text cannot have."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    for chunk in _again(copy, step):
        _decode(path, decoder, chunk, position)
        position += len(chunk)
    _decode(path, decoder, b"", position, final=True)


def _decode(path: str, decoder: codecs.IncrementalDecoder, chunk: bytes, position: int, final: bool = False) -> None:
    """Decode the chunk that begins at ``position`` in the file."""
    nul = chunk.find(b"\0")
    held = len(decoder.getstate()[0])
    try:
        decoder.decode(chunk if nul < 0 else chunk[:nul], final or nul >= 0)
    except UnicodeDecodeError as error:
        place = position - held + error.start
        raise NotText(
            f"{shown(path)} is not UTF-8 text: {error.reason} at byte {place}; convert it to UTF-8"
        ) from error
    if nul >= 0:
        raise NotText(f"{shown(path)} is not text: NUL at byte {position + nul}; binary files are not processed")


def _count(copy: IO[bytes], step: Step) -> Counts:
    decoder = codecs.getincrementaldecoder("utf-8")()
    digest = hashlib.sha256()
    lines = words = 0
    last = "\n"
    for chunk in _again(copy, step):
        digest.update(chunk)
        text = decoder.decode(chunk)
        lines += text.count("\n")
        words += len(text.split())
        if text:
            # A word cut by the chunk's edge has been counted on both sides.
            words -= not (last.isspace() or text[0].isspace())
            last = text[-1]
    return Counts(copy.tell(), lines + (last != "\n"), words, digest.hexdigest())


def _write(results: Path, place: Path, copy: IO[bytes], counts: Counts) -> Path:
    """Write both results, the report last: where there is a report, there is its copy."""
    kept = result_path(results, place, ".gz")
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy.seek(0)
    with replacing(kept) as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0, compresslevel=6) as packed:
        shutil.copyfileobj(copy, packed, CHUNK)
    with replacing(result_path(results, place, ".json")) as file:
        file.write(_report(place, kept, counts))
    return kept


def _report(place: Path, kept: Path, counts: Counts) -> bytes:
    report = {
        "path": f"{place}",
        "bytes": counts.size,
        "lines": counts.lines,
        "words": counts.words,
        "sha256": counts.sha256,
        "copy": kept.name,
    }
    return json.dumps(report, indent=2).encode() + b"\n"


def result_path(results: Path, place: Path, suffix: str) -> Path:
    """Where the result of the file at ``place`` goes; two files never share one.

    >>> result_path(Path("results"), Path("notes/a.txt"), ".gz").as_posix()
    'results/notes/a.txt.gz'

    Only results end in ``.gz`` or ``.json``: a folder of such a name gets an underscore (and one more if it has some).
    """
    folders = [re.sub(r"(\.gz|\.json)(_*)$", r"\1\2_", part) for part in place.parts[:-1]]
    return results.joinpath(*folders, _bounded(place.name) + suffix)


def _bounded(name: str) -> str:
    """``name``, cut and made unique by a digest if a suffix would make it too long for the file system."""
    raw = os.fsencode(name)
    if len(raw) <= NAME_LIMIT:
        return name
    return f"{raw[:200].decode(errors='ignore')}~{hashlib.sha256(raw).hexdigest()[:16]}"


@job(name="files.process")
def process(path: DataPath) -> None:
    """Read, check, count and keep the text file ``path``, relative to ``TRACKER_DATA_ROOT``."""
    process_file(path)
