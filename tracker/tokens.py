"""Tokens: what whoever uses the web server shows it, and the file that says whose each is and what it may do.

The file holds no token, only what proves one. A browser does not keep the token either, but a value that is made of it
and proves as much: neither the file nor the browser's value leads back to the token, and the file does not lead to the
browser's value.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from tracker.clock import elapsed, now
from tracker.errors import SettingsError

VARIABLE = "TRACKER_TOKENS_FILE"

PREFIX = "trk_"
"""Begins every token, so that people and scanners know one when they see it."""

LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""

NAME = re.compile(r"[A-Za-z0-9._@:-]{1,64}")
"""What the holder of a token may be called."""

DIGEST = re.compile("sha256:[0-9a-f]{64}")

HEAD = f"""\
# Who may use the web server of `tracker`, a line each: name, role, what proves the token, and the day on which it ends.
# `tracker token NAME` adds one. A line that is removed is void within seconds. A viewer looks, an operator also acts.
# The server reads it where {VARIABLE} says.
"""

log = logging.getLogger("tracker")


class Role(StrEnum):
    """What the holder of a token may do."""

    VIEWER = "viewer"
    """Look at everything."""
    OPERATOR = "operator"
    """Also queue, cancel, resume, run again and erase."""


class Holder(msgspec.Struct, frozen=True):
    """Whose a token is. ``until``: UTC seconds from which it is void."""

    name: str
    role: Role
    digest: str
    until: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether its end has not come yet."""
        return self.until is None or now() < self.until

    @property
    def line(self) -> str:
        """As it stands in the file."""
        return " ".join([self.name, self.role, self.digest, *([_day(self.until)] if self.until is not None else [])])


def new_token() -> str:
    """A token that nobody can guess: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def login_of(token: str) -> str:
    """What a browser keeps in place of the token, and proves it with."""
    return urlsafe_b64encode(hashlib.sha256(b"login " + token.encode()).digest()).decode().rstrip("=")


def digest_of(login: str) -> str:
    """What the file keeps."""
    return "sha256:" + hashlib.sha256(login.encode()).hexdigest()


class Tokens:
    """The file of tokens, read again when it has changed. If it cannot be read any more, no token is good.

    Raises ``SettingsError`` if it cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen = _identity(path)
        self._holders = tuple(read(path))
        self._looked = elapsed()

    def holder_of(self, login: str) -> Holder | None:
        """Whose token that value was made of; ``None`` if nobody's, or if it is void by now."""
        digest = digest_of(login)
        # One that nobody has may have been made a moment ago.
        found = _with(digest, self._now()) or _with(digest, self._look())
        return found if found is not None and found.is_good else None

    def knows(self, holder: Holder) -> bool:
        """Whether that is still so."""
        return holder.is_good and holder in self._now()

    def _now(self) -> tuple[Holder, ...]:
        return self._look() if elapsed() - self._looked >= LOOK_EVERY else self._holders

    def _look(self) -> tuple[Holder, ...]:
        with self._lock:
            self._looked = elapsed()
            try:
                seen = _identity(self._path)
                if seen is None or seen != self._seen:
                    self._holders, self._seen = tuple(read(self._path)), seen
            except SettingsError as error:
                if self._holders:
                    log.error("tracker: nobody is let in any more: %s", error)
                self._holders, self._seen = (), None
            return self._holders


def read(path: Path) -> Iterator[Holder]:
    """Everybody the file names; raises ``SettingsError`` if it cannot be read, or if others may write to it."""
    try:
        text = path.read_text()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        remedy = "; `tracker token NAME` makes it" if isinstance(error, FileNotFoundError) else ""
        raise SettingsError(f"{VARIABLE} names {path}, which cannot be read: {_reason(error)}{remedy}") from None
    if stat.S_IMODE(mode) & 0o022:
        raise SettingsError(f"{VARIABLE} names {path}, to which other users may write; chmod 600 it")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield _holder(path, number, line.split())


def add(path: Path, name: str, role: Role, days: int | None) -> tuple[str, Holder]:
    """Make a token and write its line, into a new file if there is none; the token, which is kept nowhere.

    A name may have several, so that one can take the place of another while both are good. Raises ``SettingsError`` if
    the file cannot be read or written.
    """
    if path.exists():
        list(read(path))  # Nothing is added to one that makes no sense.
    token = new_token()
    until = _end_of_day(days) if days is not None else None
    holder = Holder(name, role, digest_of(login_of(token)), until)
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+") as file:
            text = file.read()
            lead = HEAD if not text else "" if text.endswith("\n") else "\n"
            file.write(f"{lead}{holder.line}\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {_reason(error)}") from None
    return token, holder


def _holder(path: Path, number: int, words: list[str]) -> Holder:
    if not 3 <= len(words) <= 4:
        raise _broken(path, number, "a line is: NAME ROLE DIGEST [DAY]")
    name, role, digest = words[:3]
    if not NAME.fullmatch(name):
        raise _broken(path, number, "a name has 1 to 64 letters, digits and . _ @ : -")
    if role not in [*Role]:
        raise _broken(path, number, f"a role is {' or '.join(Role)}")
    if not DIGEST.fullmatch(digest):
        raise _broken(path, number, "the third word is no digest; `tracker token` writes lines")
    try:
        until = datetime.strptime(words[3], "%Y-%m-%d").replace(tzinfo=UTC).timestamp() if words[3:] else None
    except ValueError:
        raise _broken(path, number, "the fourth word is no day such as 2027-01-31") from None
    return Holder(name, Role(role), digest, until)


def _broken(path: Path, number: int, reason: str) -> SettingsError:
    return SettingsError(f"{VARIABLE} names {path}, whose line {number} makes no sense: {reason}")


def _with(digest: str, holders: tuple[Holder, ...]) -> Holder | None:
    found = [holder for holder in holders if hmac.compare_digest(holder.digest, digest)]
    return found[0] if found else None


def _identity(path: Path) -> tuple[int, ...] | None:
    """What changes whenever the file does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _end_of_day(days: int) -> float:
    """The first midnight (UTC) at least so many days from now."""
    return (now() // 86_400 + 1 + days) * 86_400


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is no text"
