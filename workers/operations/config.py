"""``config.migrate``: bring an LLM service's configuration file from version 1 to version 2.

Owns the five steps and the file handling: backup beside the file, replacement in one go. What the versions are is
in ``config_schema``, how they are written in ``config_format``.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

from tracker import StepTracker
from tracker.celery import job
from tracker.settings import Settings
from workers.operations.config_format import format_of, parse, render
from workers.operations.config_schema import ConfigError, transform, validate_v1, validate_v2
from workers.operations.paths import DataPath, FileTooLarge, FileUnreadable, OpenFile, open_inside, shown
from workers.operations.writing import create, prepared

SIZE_LIMIT = 1024 * 1024
"""Largest configuration accepted, in bytes."""

STEPS = (
    "Backing up existing configuration",
    "Validating old configuration",
    "Transforming configuration schema",
    "Validating new configuration",
    "Writing updated configuration",
)
BACK_UP, VALIDATE_OLD, TRANSFORM, VALIDATE_NEW, WRITE = STEPS


def migrate_config(path: str) -> None:
    """Migrate the YAML or JSON file ``path`` (relative to ``TRACKER_DATA_ROOT``) from version 1 to version 2.

    The backup is written first and stays, whatever happens; until the last step the file itself is not touched.
    Comments of a YAML file live on in the backup only. Raises ``ConfigError`` or a ``FileProblem``.
    """
    root = Settings.from_env().data_root
    with StepTracker("Migrating config v1 → v2", steps=STEPS) as tracker, ExitStack() as stack:
        with tracker.step(BACK_UP) as step:
            source = stack.enter_context(open_inside(root, path))
            content = _read(source, path)
            step.detail = f"kept as {_back_up(source, content)}"
        with tracker.step(VALIDATE_OLD):
            form = format_of(source.place)
            old = validate_v1(parse(content, form))
        with tracker.step(TRANSFORM) as step:
            new = render(transform(old), form)
            step.detail = f"{len(old.models)} models"
        with tracker.step(VALIDATE_NEW):
            # What is checked is the text that will be written, not the data it was made from.
            validate_v2(parse(new, form))
        with tracker.step(WRITE):
            _replace(source, path, content, new)


def _read(source: OpenFile, path: str) -> bytes:
    try:
        content = _whole(source)
    except OSError as error:
        raise FileUnreadable(f"{shown(path)} cannot be read: {error.strerror}") from error
    if len(content) > SIZE_LIMIT:
        raise FileTooLarge(f"{shown(path)} is larger than {SIZE_LIMIT // 2**20} MiB; that is no configuration")
    return content


def _whole(source: OpenFile) -> bytes:
    """The file from its beginning, at most one byte more than the limit."""
    os.lseek(source.file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(source.file), "rb") as stream:
        return stream.read(SIZE_LIMIT + 1)


def _back_up(source: OpenFile, content: bytes) -> str:
    """Write the backup beside the file, as private as the file itself; its name."""
    name = f"{source.name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.bak"
    try:
        create(source.folder, name, content, os.fstat(source.file).st_mode & 0o777)
    except OSError as error:
        raise ConfigError(
            f"The backup {shown(name)} cannot be written: {error.strerror}; nothing was changed"
        ) from error
    return name


def _replace(source: OpenFile, path: str, old: bytes, new: bytes) -> None:
    """Put the new content into the file's place, unless somebody changed the file since it was read."""
    before = os.fstat(source.file)
    with prepared(source.folder, new, before.st_mode & 0o777) as name:
        with suppress(PermissionError):
            os.chown(name, before.st_uid, before.st_gid, dir_fd=source.folder)
        if not _unchanged(source, old):
            raise ConfigError(f"{shown(path)} was changed while it was migrated; nothing was written, queue it again")
        os.replace(name, source.name, src_dir_fd=source.folder, dst_dir_fd=source.folder)
    os.fsync(source.folder)


def _unchanged(source: OpenFile, content: bytes) -> bool:
    """Whether the name still leads to the file that was read, and the file still says the same."""
    try:
        now = os.stat(source.name, dir_fd=source.folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(now, os.fstat(source.file)) and _whole(source) == content


@job(name="config.migrate")
def migrate(path: DataPath) -> None:
    """Migrate the configuration file ``path``, relative to ``TRACKER_DATA_ROOT``, from version 1 to version 2."""
    migrate_config(path)
