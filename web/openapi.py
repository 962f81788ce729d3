"""The description of the HTTP API (OpenAPI 3.1), made of the routes that serve it and the types they read and write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tracker.history import OperationPage
from tracker.ids import ID
from tracker.model import Operation
from tracker.queued import OnComplete
from tracker.store import JobInfo
from web import bodies
from web.access import COOKIE
from web.bodies import BatchBody, OperationBody
from web.idempotency import KEY, KEY_LIMIT
from web.problems import PROBLEMS, ProblemBody
from web.routes import JSON, Route

Schema = dict[str, Any]

REFS = "#/components/schemas/"

COMPONENT = re.compile(r"[A-Za-z0-9._-]+")
"""What a component may be called."""

HEADERS: dict[str, Schema] = {
    "X-Request-Id": {"description": "names the request, also in the server's log", "schema": {"type": "string"}},
    "Location": {"description": "the address of the operation", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "a name for the file", "schema": {"type": "string"}},
    "Retry-After": {"description": "seconds after which to ask again", "schema": {"type": "string"}},
}

KEY_PARAMETER: Schema = {
    "name": KEY,
    "in": "header",
    "description": "chosen by the client: a repetition with the same key and body gives the first answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LIMIT, "pattern": "^[!-~]+$"},
}

PROOFS: dict[str, Schema] = {
    "token": {"type": "http", "scheme": "bearer", "description": "a token, sent with every request"},
    "login": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "what a browser keeps of a token"},
}
"""What may be shown where there are tokens."""

LINKED = {Operation: "$response.body#/id", OperationPage: "$response.body#/items/0/id"}
"""Where in an answer the id of an operation stands."""


def document(
    routes: Sequence[Route], jobs: Iterable[JobInfo], version: str, base_path: str, *, has_tokens: bool
) -> Schema:
    """The whole description; the arguments of ``jobs`` are part of the bodies that queue them."""
    types = {kind for route in routes for kind in (route.answer, route.body, route.query) if _is_described(kind)}
    ordered = sorted(types | {ProblemBody}, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REFS + "{name}")
    known = dict(zip(ordered, schemas, strict=True))
    _add_jobs(components, [job for job in jobs if COMPONENT.fullmatch(job.name)])
    described = _Description(routes, known, components)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = described.operation(route)
    for route in routes:
        components.pop(route.query.__name__, None)  # Told as parameters.
    found: Schema = {
        "openapi": "3.1.0",
        "info": {"title": "steptracker", "version": version, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": base_path or "/"}],
        "paths": paths,
        "components": {"schemas": components, "headers": HEADERS},
    }
    if has_tokens:
        found["components"]["securitySchemes"] = PROOFS
        found["security"] = [{name: []} for name in PROOFS]
    return found


def _is_described(kind: Any) -> bool:
    return kind is not None and kind is not str


def _add_jobs(components: Schema, jobs: Sequence[JobInfo]) -> None:
    """Let the bodies be one of a body for each job; without any, arguments stay open."""
    for kind, field in ((OperationBody, "args"), (BatchBody, "items"), (OnComplete, "args")):
        plain = components[kind.__name__]
        found = {f"{kind.__name__}.{job.name}": job for job in jobs}
        if not found:
            continue
        for name, job in found.items():
            components[name] = _job_body(plain, name, job, field)
        mapping = {job.name: REFS + name for name, job in found.items()}
        components[kind.__name__] = {
            "title": kind.__name__,
            "description": plain.get("description", ""),
            "oneOf": [{"$ref": ref} for ref in mapping.values()],
            "discriminator": {"propertyName": "job", "mapping": mapping},
        }


def _job_body(plain: Schema, name: str, job: JobInfo, field: str) -> Schema:
    """The body that queues one job; definitions inside its schema are found where that now stands."""
    place = f"{REFS}{name}/properties/{'args' if field == 'args' else 'items/items'}/$defs/"
    text = msgspec.json.encode(job.schema).replace(b'"#/$defs/', f'"{place}'.encode())
    arguments: Schema = msgspec.json.decode(text)
    held = arguments if field == "args" else plain["properties"][field] | {"items": arguments}
    required = {*plain["required"], *([field] if arguments.get("required") else [])}
    properties = plain["properties"] | {"job": {"const": job.name}, field: held}
    return plain | {
        "title": name,
        "description": job.description,
        "properties": properties,
        "required": sorted(required),
    }


class _Description:
    """Describes single routes."""

    def __init__(self, routes: Sequence[Route], known: dict[Any, Schema], components: Schema) -> None:
        self._routes = routes
        self._known = known
        self._components = components

    def operation(self, route: Route) -> Schema:
        summary, _, more = (route.view.__doc__ or "").strip().partition("\n")
        found: Schema = {
            "operationId": route.view.__name__,
            "tags": [route.view.__module__.rpartition(".")[2]],
            "summary": summary,
            "description": " ".join(more.split()),
            "parameters": [*self._in_path(route), *self._in_query(route)],
            "responses": {str(route.status): self._answer(route), **_problems(route)},
        }
        if route.is_public:
            found["security"] = []
        if route.method == "POST":
            found["parameters"].append(KEY_PARAMETER)
        if route.body is not None:
            found["requestBody"] = {
                "required": not bodies.may_be_empty(route.body),
                "content": {JSON: {"schema": self._known[route.body]}},
            }
        return found

    def _in_path(self, route: Route) -> list[Schema]:
        schema = {"type": "string", "pattern": f"^{ID.pattern}$"}
        return [
            {"name": name, "in": "path", "required": True, "schema": schema}
            for name in re.findall(r"{(\w+)}", route.template)
        ]

    def _in_query(self, route: Route) -> list[Schema]:
        properties = self._components[route.query.__name__]["properties"]
        return [_parameter(name, schema) for name, schema in properties.items()]

    def _answer(self, route: Route) -> Schema:
        found = {"description": "as asked for", "headers": _headers(*route.headers), "links": self._links(route)}
        if route.answer is not None:
            schema = self._known.get(route.answer, {"type": "string"})
            found["content"] = {media: {"schema": schema} for media in route.media}
        return found

    def _links(self, route: Route) -> Schema:
        """From an answer with an operation to all that can be asked of it."""
        if route.answer not in LINKED:
            return {}
        id = LINKED[route.answer]
        read = [other for other in self._routes if "{id}" in other.template and other.method == "GET"]
        names = [other.view.__name__ for other in read]
        return {name: {"operationId": name, "parameters": {"id": id}} for name in names}


def _parameter(name: str, schema: Schema) -> Schema:
    """A query parameter: it may be missing, but is never null."""
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice != {"type": "null"}]
    held = {key: value for key, value in choices[0].items() if key not in ("default", "description")}
    if "$ref" not in held and schema.get("default") is not None:
        held["default"] = schema["default"]
    description = choices[0].get("description") or schema.get("description") or ""
    return {"name": name, "in": "query", "description": description, "schema": held}


def _problems(route: Route) -> Schema:
    """All other answers, by status."""
    found: dict[int, list[str]] = {}
    for kind in route.all_problems:
        found.setdefault(PROBLEMS[kind][0], []).append(kind)
    return {str(status): _problem(status, kinds) for status, kinds in sorted(found.items())}


def _problem(status: int, kinds: Sequence[str]) -> Schema:
    told = "; ".join(f"`/problems/{kind}`: {PROBLEMS[kind][1]}" for kind in kinds)
    body = {
        "allOf": [
            {"$ref": f"{REFS}{ProblemBody.__name__}"},
            {"properties": {"type": {"enum": [f"/problems/{kind}" for kind in kinds]}, "status": {"const": status}}},
        ]
    }
    waits = {"Retry-After"} if status in (409, 503) else set[str]()
    return {"description": told, "headers": _headers(*waits), "content": {"application/problem+json": {"schema": body}}}


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}
