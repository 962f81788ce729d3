"""The dashboard's one page and its files. The page is a shell: its modules fetch everything they show."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import NotFound

from tracker.ids import ID
from web import access, assets
from web.site import site

A_YEAR = 31_536_000

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
        "index.html", base=base, static=static, version=site().version, modules=assets.MODULES, who=access.holder()
    )
    response = make_response(text)
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/static/<address>/<path:name>")
def static(address: str, name: str) -> Response:
    """A file of the dashboard; its address changes with its content, so it may be kept for long."""
    if address != site().assets:
        raise NotFound("this file belongs to another version of the dashboard; reload the page")
    if not assets.is_sent(name):
        raise NotFound
    packs = request.accept_encodings.quality("gzip") > 0
    content = assets.packed(name) if packs else assets.content(name)
    response = Response(content, mimetype=assets.TYPES[Path(name).suffix])
    response.headers["Vary"] = "Accept-Encoding"
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
    return response
