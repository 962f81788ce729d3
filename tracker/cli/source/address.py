"""The address of a web server: checked before anything is asked there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from tracker.errors import SettingsError
from tracker.settings import is_loopback

EXAMPLE = "write it as http://127.0.0.1:8420 or https://tracker.example.org/tracker"


@dataclass(frozen=True, slots=True)
class Address:
    """``url`` has no slash at its end. ``is_here``: only this machine is reached."""

    url: str
    is_here: bool

    @property
    def live(self) -> str:
        """The same for WebSockets.

        >>> read("https://tracker.example.org/").live
        'wss://tracker.example.org'
        """
        return self.url.replace("http", "ws", 1)


def read(text: str, token: str = "") -> Address:
    """The address that ``text`` is; raises ``SettingsError`` if it is none, or if ``token`` is not safe with it.

    >>> read("http://localhost:8420/tracker/")
    Address(url='http://localhost:8420/tracker', is_here=True)
    """
    try:
        parts = urlsplit(text.strip())
        wrong = _wrong_with(parts)
    except ValueError:
        wrong = f"makes no sense; {EXAMPLE}"
    if wrong:
        raise SettingsError(f"the server's address {_shown(text)} {wrong}")
    found = Address(parts._replace(path=parts.path.rstrip("/")).geturl(), is_loopback(parts.hostname or ""))
    _check_token(token, found)
    return found


def _wrong_with(parts: SplitResult) -> str:
    """What makes an address unusable; raises ``ValueError`` for a port or an IPv6 address that is none."""
    if parts.scheme not in ("http", "https") or not re.fullmatch("[A-Za-z0-9._:-]+", parts.hostname or ""):
        return f"is no URL of a web server; {EXAMPLE}"
    if "@" in parts.netloc:
        return "holds a login; leave that out, and set TRACKER_TOKEN to a token"
    if parts.port == 0 or parts.query or parts.fragment or not re.fullmatch("[A-Za-z0-9._~/-]*", parts.path):
        return f"has something behind the host that is no path; {EXAMPLE}"
    return ""


def _shown(text: str) -> str:
    """Without what may be a login."""
    return "of a host" if "@" in text else repr(text[:200])


def _check_token(token: str, address: Address) -> None:
    if token and not re.fullmatch("[!-~]+", token):
        raise SettingsError("TRACKER_TOKEN holds characters that no token has; set it to the token and nothing else")
    if token and not address.is_here and address.url.startswith("http:"):
        raise SettingsError(
            f"TRACKER_TOKEN is not sent to {address.url}, where others can read it on its way; use https, "
            "or a tunnel such as `ssh -L` and its end on this machine"
        )
