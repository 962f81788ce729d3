"""One registration for each route: what serves it, and all that its description needs.

``web.openapi`` describes what is registered here; there is no second list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response

from web import bodies, queries
from web.access import PUBLIC
from web.queries import Query

JSON = "application/json"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a path. ``answer`` is the type of a good answer's body, which comes as one of ``media``;
    ``problems`` are the kinds of all others.

    ``view`` gets what is in the path by name, and ``query`` and ``body`` if there are any.
    """

    method: str
    path: str
    view: Callable[..., Any]
    answer: Any
    status: int
    media: tuple[str, ...]
    query: type[Query]
    body: type[msgspec.Struct] | None
    problems: tuple[str, ...]
    headers: tuple[str, ...]
    is_public: bool
    """Whether anybody may ask, also without a token."""

    @property
    def template(self) -> str:
        """The path as others write it: ``/api/v1/operations/{id}``."""
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", self.path)

    @property
    def all_problems(self) -> tuple[str, ...]:
        """With those that come of what the route takes."""
        found = [*self.problems, "wrong-host", "invalid-query"]
        if self.method != "GET":
            found.append("cross-site")
        if not self.is_public:
            found += ["not-logged-in"] if self.method == "GET" else ["not-logged-in", "not-allowed"]
        if self.method == "POST":
            found += ["invalid-header", "idempotency-in-progress", "idempotency-mismatch", "store-unavailable"]
        if self.body is not None:
            found += ["malformed-json", "too-large", "not-json", "invalid-body"]
        return tuple(dict.fromkeys(found))

    def serve(self, **given: Any) -> Any:
        """Answer the current request; raises ``Problem``, and what the view raises."""
        query = queries.read(self.query)
        if self.query is not Query:
            given["query"] = query
        if self.body is not None:
            given["body"] = bodies.read(self.body)
        return self.view(**given)


ROUTES: list[Route] = []
"""All routes that are described, in the order they were registered."""


def route(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    answer: Any,
    status: int = 200,
    media: tuple[str, ...] = (JSON,),
    query: type[Query] = Query,
    body: type[msgspec.Struct] | None = None,
    problems: tuple[str, ...] = (),
    headers: tuple[str, ...] = (),
) -> Callable[[View], View]:
    """Serve ``path`` with the function below, and describe it.

    >>> @route(blueprint, "GET", "/api/v1/jobs", answer=OnePage[JobInfo], problems=("store-unavailable",))
    ... def jobs() -> Response: ...
    """

    def register(view: View) -> View:
        is_public = f"{blueprint.name}.{view.__name__}" in PUBLIC
        made = Route(method, path, view, answer, status, media, query, body, problems, headers, is_public)
        ROUTES.append(made)
        blueprint.add_url_rule(path, view.__name__, made.serve, methods=[method])
        return view

    return register


accepts = partial(route, method="POST", status=202, headers=("Location",))
"""Serve a POST after which something waits or runs, found at ``Location``."""


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), status, headers, mimetype=JSON)
