"""What can be looked at without Redis: this machine, its settings, versions and folders, and the way to the broker."""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import socket
import stat
from contextlib import suppress
from dataclasses import fields
from urllib.parse import urlsplit

from tracker.doctor.case import Case
from tracker.doctor.finding import Findings, note, ok, problem, size, some, warning
from tracker.errors import SettingsError
from tracker.publish import spool_folder
from tracker.publish.spool import left_behind
from tracker.settings import Settings, without_password
from tracker.store.server import numbers
from tracker.tokens import Role, read
from tracker.version import __version__

FREE_SPACE = 2**30
"""Bytes that should be free where the state folder lies."""

CELERY = (5, 7)
"""The first series of celery and kombu that comes back after every loss of its broker."""

BROKER_TIMEOUT = 1.0
"""Seconds to wait for a connection to the broker."""

PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671, "pyamqp": 5672, "sentinel": 26379}
"""Where brokers listen whose URL names no port."""


def shown_settings(settings: Settings) -> dict[str, str]:
    """Every setting by the name of its variable, as it may be shown: no password, no token, no login."""
    return {variable(each.name): _shown(each.name, getattr(settings, each.name)) for each in fields(settings)}


def variable(name: str) -> str:
    """The environment variable of a field of ``Settings``."""
    return f"TRACKER_{name.upper()}"


def _shown(name: str, value: object) -> str:
    if value is None or value == "":
        return "not set"
    if name.endswith("url"):
        return without_password(str(value))
    if name == "server":
        return re.sub("//.*@", "//", str(value))
    return "set, not shown" if name in ("token", "password", "secret") else str(value)


def settings(case: Case) -> Findings:
    """Which are set, and names that look like a setting's and are none."""
    known = list(shown_settings(case.settings))
    given = [name for name in known if case.environ.get(name)]
    yield ok(f"set: {', '.join(given)}" if given else "none is set; all have their defaults")
    for name in sorted(case.environ):
        close = difflib.get_close_matches(name, known, 1, 0.85) if name.startswith("TRACKER_") else []
        if close and name not in known:
            yield warning(f"nobody reads {name}", "It looks like a setting, and has no effect.", f"write it {close[0]}")


def versions(case: Case) -> Findings:
    """Of Python and of the packages that matter; celery is asked for, not imported."""
    found = {name: version for name in ("redis", "celery", "kombu") if (version := _version_of(name))}
    packages = {"Python": platform.python_version(), "steptracker": __version__, **found}
    yield ok(", ".join(f"{name} {version}" for name, version in packages.items()))
    old = [f"{name} {found[name]}" for name in ("celery", "kombu") if name in found and numbers(found[name]) < CELERY]
    if old:
        why = "Workers of earlier releases may stop taking jobs when the connection to the broker was lost."
        yield warning(f"{' and '.join(old)}: older than 5.7", why, 'pip install --upgrade "celery>=5.7" "kombu>=5.7"')


def _version_of(package: str) -> str:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return ""


def state_folder(case: Case) -> Findings:
    """There, this user's alone, writable, and with room."""
    folder = case.settings.state_dir.expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        why = "Events that Redis does not take cannot be kept, and `tracker up` cannot start."
        yield problem(f"{existing} is no folder that this user may write", why, "set TRACKER_STATE_DIR to one that is")
        return
    yield ok(f"{folder}" if existing == folder else f"{folder} is made when it is needed")
    state = folder.stat() if existing == folder else None
    why = "It holds arguments, results and the embedded server's password."
    if state is not None and state.st_uid != os.geteuid():
        yield warning(f"{folder} belongs to another user", why, "set TRACKER_STATE_DIR to a folder of this user's own")
    elif state is not None and stat.S_IMODE(state.st_mode) & 0o077:
        yield warning(f"other users may look into {folder}", why, f"chmod 700 {shlex.quote(str(folder))}")
    free = shutil.disk_usage(existing).free
    if free < FREE_SPACE:
        why = "Events that Redis does not take are kept there, up to 256 MiB, and the embedded server's data."
        yield warning(f"{size(free)} are free on the disk of {folder}", why, "make room, or move TRACKER_STATE_DIR")


def log_in(case: Case) -> Findings:
    """Who may use the web server that runs with these settings."""
    path = case.settings.tokens_file
    if path is None:
        yield ok("not asked for: the web server listens on this machine only")
        return
    try:
        good = [holder for holder in read(path) if holder.is_good]
    except SettingsError as error:
        why = "`tracker web` does not start with it, and one that runs lets nobody in."
        yield problem(str(error), why, "mend it, or set TRACKER_TOKENS_FILE to another file and use `tracker token`")
        return
    acting = sum(holder.role is Role.OPERATOR for holder in good)
    if not good:
        why = "Everybody who opens the dashboard is asked for a token, and nobody has one."
        yield warning(f"{path} has no token that is good", why, "make one: tracker token NAME --role operator")
        return
    yield ok(f"{len(good)} token{'s' if len(good) > 1 else ''} in {path}, {acting} of operators")


def data_root(case: Case) -> Findings:
    """What the file jobs of a worker on this machine may read."""
    folder = case.settings.data_root.absolute()
    if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
        yield ok(f"{folder}")
        return
    why = "File jobs of a worker on this machine find nothing."
    yield warning(f"{folder} is no folder that this user may read", why, "set TRACKER_DATA_ROOT to one that is")


def spool(case: Case) -> Findings:
    """What processes that are gone could not send, on this machine."""
    folder = spool_folder(case.settings)
    waiting = []
    for left in left_behind(folder):
        waiting.append(left.waiting)
        left.close()
    if not waiting:
        yield ok("nothing is left behind on this machine")
        return
    files = f"{len(waiting)} file{'s' if len(waiting) > 1 else ''} with {size(sum(waiting))}"
    why = "They hold events that Redis did not take before their process ended; nobody has sent them since."
    remedy = "run anything tracked here with the same TRACKER_STATE_DIR and TRACKER_NAMESPACE: it sends them first"
    yield warning(f"{files} left behind in {folder}", why, remedy)


def broker(case: Case) -> Findings:
    """Whether somebody listens where Celery's messages go; says nothing of logins."""
    url = case.settings.broker_url
    if not url or url == case.settings.redis_url:
        yield ok("the queue is in the same Redis")
        return
    places = [place for part in url.split(";") if (place := _place(part))]
    if not places:
        yield note(f"the address in {without_password(url)} cannot be looked at", "Only hosts with a port can be.")
        return
    if any(_listens(*place) for place in places):
        yield ok(f"{some(map(_text, places))} takes connections")
        return
    why = "Nothing can be queued, and no worker receives anything."
    yield problem(f"nobody answers at {some(map(_text, places))}", why, "start the broker, or set TRACKER_BROKER_URL")


def _place(url: str) -> tuple[str, int] | None:
    """Host and port of a URL; ``None`` if it has none, or if a part of a password may be taken for it."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    unclear = "@" in parts.path + parts.query + parts.fragment
    return (parts.hostname, port) if parts.hostname and port and not unclear else None


def _text(place: tuple[str, int]) -> str:
    return f"{place[0]}:{place[1]}"


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), BROKER_TIMEOUT).close()
    except OSError:
        return False
    return True
