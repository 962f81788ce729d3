"""A job's argument schema: made from its signature, and held against what is sent."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import Meta

from tracker.celery.schema import schema_of, validate
from tracker.errors import InvalidArguments, TrackerError


def job(path: Annotated[str, Meta(min_length=1)], copies: int = 1, tags: list[str] | None = None) -> None:
    """A job."""


SCHEMA = schema_of(job)


def test_a_signature_gives_types_bounds_and_defaults() -> None:
    """Every parameter by name; nothing else is taken."""
    assert SCHEMA["required"] == ["path"]
    assert SCHEMA["properties"]["path"] == {"type": "string", "minLength": 1}
    assert SCHEMA["properties"]["copies"]["default"] == 1
    assert SCHEMA["additionalProperties"] is False


def test_secrets_are_marked() -> None:
    """Forms hide what is typed into them, and nobody shows what was given."""

    def signs_in(user: str, api_key: str, password: str = "") -> None: ...

    properties = schema_of(signs_in)["properties"]
    marked = {"type": "string", "writeOnly": True, "format": "password"}
    assert properties == {"user": {"type": "string"}, "api_key": marked, "password": marked | {"default": ""}}


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({}, "/args/path"),
        ({"path": 1}, "/args/path"),
        ({"path": ""}, "/args/path"),
        ({"path": "a", "copies": "many"}, "/args/copies"),
        ({"path": "a", "tags": ["x", 2]}, "/args/tags"),
        ({"path": "a", "a/b~c": 1}, "/args/a~1b~0c"),
        ({"path": "a", "queue": "other"}, "/args/queue"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_pointer_to_it(arguments: dict[str, Any], pointer: str) -> None:
    """A pointer as in RFC 6901, and a sentence that names the argument to those who see no pointer."""
    with pytest.raises(InvalidArguments) as refused:
        validate(SCHEMA, arguments, "/args")
    assert refused.value.pointer.startswith(pointer)
    assert pointer.removeprefix("/args/").replace("~1", "/").replace("~0", "~") in str(refused.value)


def test_what_fits_is_taken() -> None:
    """With and without what has a default."""
    validate(SCHEMA, {"path": "a"}, "/args")
    validate(SCHEMA, {"path": "a", "copies": 2, "tags": ["x"]}, "/args")


def test_a_message_stays_short_however_long_the_argument() -> None:
    """The refusal does not echo ten thousand characters."""
    with pytest.raises(InvalidArguments) as refused:
        validate(SCHEMA, {"path": "a", "copies": "x" * 10_000}, "/args")
    assert len(str(refused.value)) <= 300


def test_a_signature_that_has_no_schema_is_refused_at_declaration() -> None:
    """A parameter without a type, or one that cannot be given by name."""

    def untyped(path) -> None:  # type: ignore[no-untyped-def]
        """No hint."""

    def positional(path: str, /) -> None:
        """No name."""

    for function in (untyped, positional):
        with pytest.raises(TrackerError, match="path"):
            schema_of(function)
