"""Logging in with a browser, and out again."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from web import access
from web.access import Person
from web.routes import reply, route
from web.site import site

blueprint = Blueprint("login", __name__)


class LoginBody(msgspec.Struct, forbid_unknown_fields=True):
    """``PUT /api/v1/login``."""

    token: str


@route(blueprint, "PUT", "/api/v1/login", body=LoginBody, answer=Person, problems=("not-logged-in",))
def log_in(body: LoginBody) -> Response:
    """Have a browser remember a token, in a cookie that proves it; 401 if it is nobody's."""
    response = Response(mimetype="application/json")
    response.data = msgspec.json.encode(access.person(access.let_in(body.token, response)))
    return response


@route(blueprint, "GET", "/api/v1/login", answer=Person)
def logged_in() -> Response:
    """Who sends this request, and what they may do."""
    return reply(access.person(access.holder()))


@route(blueprint, "DELETE", "/api/v1/login", answer=None, status=204)
def log_out() -> Response:
    """Have the browser forget the token."""
    response = Response(status=204)
    access.let_out(response)
    return response


@blueprint.get("/login")
def page() -> BaseResponse:
    """Asks for a token; where there are none, leads on."""
    base = site().settings.base_path
    if site().tokens is None:
        return redirect(f"{base}/", 303)
    response = Response(render_template("login.html", base=base, static=f"/static/{site().assets}"))
    response.headers["Cache-Control"] = "no-cache"
    return response
