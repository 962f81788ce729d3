"""Who may ask at all, and the headers of every answer.

Runs before any route, so a refused request has done nothing. Without tokens the server listens on this machine only,
and what protects it is that no foreign web page can use it; with them, everybody has to show one.
"""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.wrappers import Response as BaseResponse

from tracker.settings import LOOPBACK
from web import access
from web.problems import Problem, invalid_query, request_id
from web.site import site

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a page may load: its own files, nothing inline."""

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""What an answer that is no page may load."""

SECRETS = ("token", "access_token")
"""Query parameters that would put a secret into logs and histories."""


def install(app: Flask) -> None:
    """Check every request of ``app`` and set the headers of every answer."""
    app.before_request(check)
    app.after_request(add_headers)


def check() -> BaseResponse | None:
    """Refuse what a foreign page, a rebound name or a stranger sends; raises ``Problem``."""
    if site().tokens is None:
        _check_host()
    _check_query()
    if request.method not in ("GET", "HEAD") or _is_upgrade():
        check_site()
    return access.check()


def _is_upgrade() -> bool:
    return bool(request.headers.get("Upgrade"))


def _check_host() -> None:
    """A foreign name that resolves to this machine would make a foreign page same-origin with it.

    Where there are tokens, it would still have none: a cookie belongs to the name under which it was given.
    """
    host = _without_port(request.host).lower()
    if host not in (*LOOPBACK, "[::1]", site().settings.host_and_port[0].lower()):
        detail = f"this server does not answer for the host {host[:200]!r}; use the address it was started with"
        raise Problem("wrong-host", detail)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _check_query() -> None:
    for name in SECRETS:
        if name in request.args:
            raise invalid_query(name, f"`{name}` does not belong into a URL, where logs keep it; send it as a header")


def check_site() -> None:
    """Raise ``Problem`` 403 for what a page of another site sends.

    Browsers say where a request comes from and no page can change that; other programs say nothing.
    """
    origin = request.headers.get("Origin")
    own = f"{request.scheme}://{request.host}".lower()
    if origin is not None and origin != own:
        raise _cross_site(f"the origin {origin[:200]!r} is not {own}")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise _cross_site("the browser says that it comes from another site")


def _cross_site(reason: str) -> Problem:
    return Problem("cross-site", f"a page of another site may not do this: {reason}")


def add_headers(response: Response) -> Response:
    """Set what every answer carries; routes may have set a cache rule of their own."""
    headers = response.headers
    is_page = response.mimetype == "text/html"
    headers["Content-Security-Policy"] = PAGE_POLICY if is_page else DATA_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["X-Request-Id"] = request_id()
    headers.setdefault("Cache-Control", "no-store")
    return response
