"""The dashboard's one page and its files. The page is a shell: its modules fetch everything they show."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import NotFound

from tracker.ids import ID
from web.site import site

STATIC = Path(__file__).parent / "static"

A_YEAR = 31_536_000

FRONT_END = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.*"))

MODULES = [name for name in FRONT_END if name.endswith(".js") and name not in ("app.js", "theme.js", "vendor/uplot.js")]
"""What the page needs at once, told to the browser before it finds out import by import."""

SHEETS = ["style.css", *(name for name in FRONT_END if name.endswith(".css") and name != "style.css")]

MODULE_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""Types that must not depend on what the machine's own table says: browsers refuse modules of another type."""

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
@blueprint.get("/history")
@blueprint.get("/statistics")
@blueprint.get("/workers")
@blueprint.get("/queue")
def page() -> Response:
    """The shell; which page it shows is decided in the browser."""
    return _shell()


@blueprint.get("/operations/<id>")
def operation(id: str) -> Response:
    """The page of one operation, whether it exists or not: it may still come."""
    if not ID.fullmatch(id):
        raise NotFound
    return _shell()


def _shell() -> Response:
    base = site().settings.base_path
    static = f"/static/{site().assets}"
    text = render_template(
        "index.html", base=base, static=static, version=site().version, modules=MODULES, sheets=SHEETS
    )
    response = make_response(text)
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/static/<assets>/<path:name>")
def static(assets: str, name: str) -> Response:
    """A file of the dashboard; its address changes with its content, so it may be kept for long."""
    if assets != site().assets:
        raise NotFound("this file belongs to another version of the dashboard; reload the page")
    if name not in FRONT_END:
        raise NotFound
    packs = request.accept_encodings.quality("gzip") > 0
    content = _packed(name) if packs else (STATIC / name).read_bytes()
    response = Response(content, mimetype=MODULE_TYPES.get(Path(name).suffix, "text/plain"))
    response.headers["Vary"] = "Accept-Encoding"
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
    return response


@cache
def _packed(name: str) -> bytes:
    return gzip.compress((STATIC / name).read_bytes(), mtime=0)


def assets_of(version: str) -> str:
    """The path segment of the static files: the version and a digest of what they contain."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(STATIC)}\0".encode() + path.read_bytes())
    return f"{version}+{digest.hexdigest()[:10]}"
