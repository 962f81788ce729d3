"""Request bodies: what may be in them, and how a wrong one is told."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from tracker.limits import BATCH_LIMIT, LABELS_LIMIT
from tracker.queued import OnComplete
from web.limits import BATCH_BODY, OPERATION_BODY, OTHER_BODY, TEXT, UNWANTED_BODY
from web.problems import Problem, invalid_body

ShortText = Annotated[str, msgspec.Meta(max_length=TEXT)]
JobName = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT)]
Labels = Annotated[
    dict[str, Any],
    # Checked by ``check_labels``, which says more than a decoder could.
    msgspec.Meta(
        extra_json_schema={
            "maxProperties": LABELS_LIMIT,
            "propertyNames": {"minLength": 1, "maxLength": TEXT},
            "additionalProperties": {"type": "string", "maxLength": TEXT},
        }
    ),
]
Items = Annotated[list[dict[str, Any]], msgspec.Meta(extra_json_schema={"minItems": 1, "maxItems": BATCH_LIMIT})]


class OperationBody(msgspec.Struct, forbid_unknown_fields=True):
    """``POST /api/v1/operations``."""

    job: JobName
    args: dict[str, Any] = {}
    labels: Labels = {}


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """``POST /api/v1/batches``: one dictionary of arguments for each child."""

    job: JobName
    items: Items
    labels: Labels = {}
    title: ShortText = ""
    on_complete: OnComplete | None = None


LIMITS: dict[type[msgspec.Struct], int] = {OperationBody: OPERATION_BODY, BatchBody: BATCH_BODY}
"""Largest size of each, in bytes."""

Body = TypeVar("Body", bound=msgspec.Struct)

PLACE = re.compile(r" - at `\$(?P<path>.*)`$")
"""Where msgspec says the fault is, as ``$.items[3].path``."""

FIELD = re.compile(r"^Object (?:contains unknown|missing required) field `(?P<name>.*?)`")
"""What msgspec says of a field that should not or should be there."""


def read(kind: type[Body]) -> Body:
    """The request's body as a ``kind``, or what that is by default if there is none and nothing has to be in it.

    Raises ``Problem`` 400, 413, 415 or 422.
    """
    data = raw(LIMITS.get(kind, OTHER_BODY))
    if not data and may_be_empty(kind):
        return kind()
    if request.mimetype != "application/json":
        raise Problem("not-json", "send the body with the header `Content-Type: application/json`")
    try:
        body = msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise invalid_body(*pointer_and_detail(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("malformed-json", f"{error}"[:TEXT]) from None
    if isinstance(body, OperationBody | BatchBody):
        check_labels(body.labels)
    return body


def may_be_empty(kind: type[msgspec.Struct]) -> bool:
    """Whether nothing has to be said in such a body."""
    return not any(field.required for field in msgspec.structs.fields(kind))


def raw(limit: int) -> bytes:
    """The request's body as it came; raises ``Problem`` 413."""
    request.max_content_length = limit
    try:
        data = request.get_data()
    except RequestEntityTooLarge:
        _drain()
        data = None
    if data is None or len(data) > limit:
        raise Problem("too-large", f"this address takes at most {limit:,} bytes")
    return data


def _drain() -> None:
    """Read the body to its end, within reason: many clients hear no answer while they are still sending."""
    stream, left = request.environ["wsgi.input"], UNWANTED_BODY
    while left > 0 and (chunk := stream.read(min(left, 64 * 1024))):
        left -= len(chunk)


def check_labels(labels: dict[str, Any]) -> None:
    """Raise ``Problem`` 422 unless ``labels`` maps a few short texts to short texts."""
    if len(labels) > LABELS_LIMIT:
        raise invalid_body("/labels", f"an operation has at most {LABELS_LIMIT} labels, this one has {len(labels)}")
    for key, value in labels.items():
        if not key or len(key) > TEXT:
            raise invalid_body("/labels", f"the key of a label has 1 to {TEXT} characters")
        if not isinstance(value, str) or len(value) > TEXT:
            raise invalid_body(f"/labels/{_escaped(key)}", f"a label is a text of at most {TEXT} characters")


def pointer_and_detail(message: str) -> tuple[str, str]:
    """What msgspec says, as a JSON pointer and a sentence without the place.

    >>> pointer_and_detail("Expected `object`, got `int` - at `$.items[3]`")
    ('/items/3', 'Expected `object`, got `int`')
    >>> pointer_and_detail("Object contains unknown field `queue`")
    ('/queue', 'Object contains unknown field `queue`')
    """
    place = PLACE.search(message)
    detail = PLACE.sub("", message)
    parts = re.findall(r"\.([^.\[]+)|\[(\d+)\]", place["path"]) if place else []
    pointer = "".join(f"/{_escaped(name or index)}" for name, index in parts)
    field = FIELD.match(detail)
    return (f"{pointer}/{_escaped(field['name'])}" if field else pointer), detail


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
