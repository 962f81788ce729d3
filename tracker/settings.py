"""Settings: one frozen object, made at the edge from ``TRACKER_*`` variables and passed inward.

The only reader of the environment. Values that cannot be used raise ``SettingsError`` naming the variable.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tracker.errors import SettingsError
from tracker.ids import ID

REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+socket")
REDIS_OPTIONS = {
    "db": "[0-9]+",
    "username": ".+",
    "password": ".+",
    "client_name": "[!-~]+",
    "protocol": "[23]",
    "max_connections": "[1-9][0-9]*",
    "health_check_interval": "[0-9]+",
    "socket_timeout": r"[0-9]+(\.[0-9]+)?",
    "socket_connect_timeout": r"[0-9]+(\.[0-9]+)?",
}
"""What a Redis URL may say behind its ``?``, and what each value looks like."""
TLS_OPTIONS = {
    "ssl_cert_reqs": "none|optional|required",
    "ssl_check_hostname": "(?i:true|false|yes|no|0|1)",
    "ssl_ca_certs": ".+",
    "ssl_ca_path": ".+",
    "ssl_certfile": ".+",
    "ssl_keyfile": ".+",
    "ssl_password": ".+",
}
"""The same, for ``rediss`` only."""
DATABASE = re.compile("/*[0-9]*/*")
ESCAPES = "write / # ? and @ in a password as %2F %23 %3F and %40"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment says; ``Settings.from_env()`` reads it.

    >>> Settings.from_env({"TRACKER_NAMESPACE": "billing"}).namespace
    'billing'
    """

    redis_url: str | None = field(default=None, repr=False)
    """``TRACKER_REDIS_URL``: where events go; none means nothing leaves the process."""
    broker_url: str | None = field(default=None, repr=False)
    """``TRACKER_BROKER_URL``: Celery's broker; the Redis URL if not set."""
    namespace: str = "default"
    """``TRACKER_NAMESPACE``: operations that share keys and feed."""
    state_dir: Path = Path(".")
    """``TRACKER_STATE_DIR``: what this machine keeps (embedded server, results, logs)."""
    bind: str = "127.0.0.1:8420"
    """``TRACKER_BIND``: address and port of the web server."""
    base_path: str = ""
    """``TRACKER_BASE_PATH``: prefix of every URL, such as ``/tracker``, behind a reverse proxy."""
    data_root: Path = Path(".")
    """``TRACKER_DATA_ROOT``: what file jobs may read; the current folder if not set."""
    live_days: int = 7
    """``TRACKER_LIVE_DAYS``: how long finished operations stay in Redis, in days."""
    archive_url: str | None = field(default=None, repr=False)
    """``TRACKER_ARCHIVE_URL``: the database of finished operations; a file in the state folder if not set."""
    archive_days: int = 90
    """``TRACKER_ARCHIVE_DAYS``: how long finished operations stay in the archive, in days; 0 keeps them."""
    redis_budget: int = 256 * 2**20
    """``TRACKER_REDIS_BUDGET``: bytes that finished operations may take in Redis; 0: any."""
    release: str = ""
    """``TRACKER_RELEASE``: version of the tracked code, stored with every run."""
    tokens_file: Path | None = None
    """``TRACKER_TOKENS_FILE``: who may use the web server; without it, it listens on this machine only."""
    server: str = ""
    """``TRACKER_SERVER``: the web server the command line asks, instead of Redis; with the base path, if it has one."""
    token: str = field(default="", repr=False)
    """``TRACKER_TOKEN``: what the command line shows that server."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment; raises ``SettingsError`` for a value that cannot be used."""
        state_dir, tokens_file = environ.get("TRACKER_STATE_DIR"), environ.get("TRACKER_TOKENS_FILE")
        return cls(
            redis_url=_redis_url(environ.get("TRACKER_REDIS_URL")),
            broker_url=environ.get("TRACKER_BROKER_URL") or None,
            namespace=_namespace(environ.get("TRACKER_NAMESPACE") or "default"),
            state_dir=Path(state_dir).expanduser() if state_dir else _default_state_dir(environ),
            bind=_bind(environ.get("TRACKER_BIND") or "127.0.0.1:8420"),
            base_path=_base_path(environ.get("TRACKER_BASE_PATH", "")),
            data_root=Path(environ.get("TRACKER_DATA_ROOT") or ".").expanduser(),
            live_days=_days("TRACKER_LIVE_DAYS", environ.get("TRACKER_LIVE_DAYS"), 7),
            archive_url=_archive_url(environ.get("TRACKER_ARCHIVE_URL")),
            archive_days=_days("TRACKER_ARCHIVE_DAYS", environ.get("TRACKER_ARCHIVE_DAYS"), 90),
            redis_budget=_bytes("TRACKER_REDIS_BUDGET", environ.get("TRACKER_REDIS_BUDGET"), 256 * 2**20),
            release=environ.get("TRACKER_RELEASE", ""),
            tokens_file=Path(tokens_file).expanduser() if tokens_file else None,
            server=environ.get("TRACKER_SERVER", ""),
            token=environ.get("TRACKER_TOKEN", ""),
        )

    @property
    def broker(self) -> str | None:
        """The URL Celery understands: the broker's own, else the Redis URL in kombu's spelling."""
        if self.broker_url:
            return self.broker_url
        if self.redis_url and self.redis_url.startswith("unix://"):
            return "redis+socket://" + self.redis_url.removeprefix("unix://")
        return self.redis_url

    @property
    def archive(self) -> str:
        """The URL of the archive: the one given, else that of a file in the state folder."""
        return self.archive_url or f"sqlite:///{self.state_dir.absolute() / 'archive.sqlite3'}"

    @property
    def host_and_port(self) -> tuple[str, int]:
        """``bind`` taken apart."""
        host, _, port = self.bind.rpartition(":")
        return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_password(url: str) -> str:
    """The URL as it may be shown: user, password and options cut out; of a URL that is unclear only the scheme.

    >>> without_password("redis://:secret@localhost:6379/0?protocol=3")
    'redis://localhost:6379/0'
    >>> without_password("redis://:sec/ret@localhost:6379/0")
    'redis://…'
    """
    try:
        parts = urlsplit(url)
        # Reading the port is what tests it. The path of a socket may be any, all others have a number there.
        clear = (parts.port is None or parts.port > 0) and (parts.scheme == "unix" or DATABASE.fullmatch(parts.path))
    except ValueError:
        clear = False
    # An "@" behind the address means that the password holds a character that ends the address.
    if not clear or "@" in parts.path + parts.query + parts.fragment:
        scheme = re.match("[a-z+]{1,20}://", url)
        return f"{scheme[0] if scheme else ''}…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _redis_url(value: str | None) -> str | None:
    """The URL, if a client can be made of it. No refusal quotes any part: each may be a piece of the password."""
    if not value:
        return None
    value = value.replace("redis+socket://", "unix://", 1)
    try:
        wrong = _wrong_with(urlsplit(value))
    except ValueError:
        wrong = f"has an address that makes no sense; {ESCAPES}"
    if wrong:
        raise SettingsError(f"TRACKER_REDIS_URL {wrong}")
    return value


def _wrong_with(url: SplitResult) -> str:
    """What makes a Redis URL unusable; raises ``ValueError`` for a port or an IPv6 address that is none."""
    if url.scheme not in REDIS_SCHEMES:
        return f"has no scheme that is known; use one of {', '.join(REDIS_SCHEMES)}, as in redis://localhost:6379/0"
    if url.scheme == "unix" and not url.path:
        return "names no socket; write it as unix:///run/redis.sock"
    if url.port == 0 or url.fragment:
        return f"has an address that makes no sense; {ESCAPES}"
    if url.scheme != "unix" and not DATABASE.fullmatch(url.path):
        return f"has a path that is not the number of a database; {ESCAPES}"
    return _wrong_option(url)


def _wrong_option(url: SplitResult) -> str:
    known = REDIS_OPTIONS | (TLS_OPTIONS if url.scheme == "rediss" else {})
    for name, given in parse_qsl(url.query, keep_blank_values=True):
        if name not in known:
            return f"has an option that is not known; known are {', '.join(sorted(known))}; {ESCAPES}"
        if not re.fullmatch(known[name], given):
            return f"has a value of the option {name} that cannot be used"
    return ""


def _archive_url(value: str | None) -> str | None:
    """The URL, if it names a SQLite file. No refusal quotes any part of it, for another database's has a password."""
    if value and (not re.fullmatch("sqlite:///.*[^/]", value) or value.endswith(":memory:")):
        raise SettingsError(
            "TRACKER_ARCHIVE_URL names no SQLite file; write it as sqlite:////var/lib/tracker/archive.sqlite3"
        )
    return value or None


def _namespace(value: str) -> str:
    # It names a folder as well, so it may be neither "." nor "..".
    if not ID.fullmatch(value) or value.startswith("."):
        raise SettingsError(
            f"TRACKER_NAMESPACE is {value!r}; use 1 to 128 letters, digits, or any of . _ : - and no dot in front"
        )
    return value


def _bind(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) < 65536):
        raise SettingsError(f"TRACKER_BIND is {value!r}; write it as HOST:PORT, for example 127.0.0.1:8420")
    return value


def _base_path(value: str) -> str:
    path = value.strip("/")
    if path and not re.fullmatch(r"[A-Za-z0-9._~/-]+", path):
        raise SettingsError(f"TRACKER_BASE_PATH is {value!r}; write it as a plain path, for example /tracker")
    return f"/{path}" if path else ""


def _days(name: str, value: str | None, default: int) -> int:
    if not value:
        return default
    if not value.isdigit():
        raise SettingsError(f"{name} is {value!r}; write a whole number of days")
    return int(value)


def _bytes(name: str, value: str | None, default: int) -> int:
    """A size such as ``64MiB``, ``1GiB`` or a plain number of bytes."""
    if not value:
        return default
    match = re.fullmatch(r"([0-9]+) ?(KiB|MiB|GiB)?", value)
    if match is None:
        raise SettingsError(f"{name} is {value!r}; write it as 64MiB, 1GiB, or a whole number of bytes")
    return int(match[1]) * {None: 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[match[2]]


def _default_state_dir(environ: Mapping[str, str]) -> Path:
    """The platform's folder for a user's application state."""
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "tracker"
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "tracker"
