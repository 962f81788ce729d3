"""The schema of a job's arguments: made from its signature, and held against what somebody sends."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, get_type_hints

import msgspec

from tracker.errors import InvalidArguments, TrackerError
from tracker.secret_names import names_secret

SECRET = msgspec.Meta(extra_json_schema={"writeOnly": True, "format": "password"})
"""What the schema says of an argument that is never shown: forms hide what is typed."""


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the keyword arguments of ``function``; unknown arguments are refused.

    Raises ``TrackerError`` for a parameter without a type hint, or of a kind that has no name.
    """
    hints = get_type_hints(function, include_extras=True)
    fields = [_field(function, parameter, hints) for parameter in inspect.signature(function).parameters.values()]
    arguments = msgspec.defstruct("Arguments", fields, forbid_unknown_fields=True, kw_only=True)
    schema = msgspec.json.schema(arguments)
    definitions = schema["$defs"]
    flat: dict[str, Any] = definitions.pop("Arguments")
    return flat | ({"$defs": definitions} if definitions else {})


def _field(function: Callable[..., Any], parameter: inspect.Parameter, hints: dict[str, Any]) -> Any:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TrackerError(f"job {function.__name__}: {parameter} cannot be given by name; use plain parameters")
    if parameter.name not in hints:
        raise TrackerError(f"job {function.__name__}: parameter {parameter.name!r} needs a type hint")
    hint = hints[parameter.name]
    if names_secret(parameter.name):
        hint = Annotated[hint, SECRET]
    return (parameter.name, hint) if parameter.default is parameter.empty else (parameter.name, hint, parameter.default)


def validate(schema: dict[str, Any], arguments: dict[str, Any], pointer: str) -> None:
    """Hold ``arguments`` (found at ``pointer`` of the request) against a job's schema.

    Raises ``InvalidArguments`` naming the first offending field.
    """
    validate_all(schema, [(pointer, arguments)])


def validate_all(schema: dict[str, Any], given: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """As ``validate``, for many arguments, each behind its pointer: what is known of the schema is found out once."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)
    for pointer, arguments in given:
        error = next(validator.iter_errors(arguments), None)
        if error is not None:
            inside = [str(part) for part in error.absolute_path]
            told = f"{'.'.join(inside)}: {error.message}" if inside else error.message
            path = "".join(f"/{_escaped(part)}" for part in inside + _named(error))
            raise InvalidArguments(_bounded(told), pointer + path)


def _named(error: Any) -> list[str]:
    """The field that is missing, or that nobody knows: the validator names it in its message only."""
    if error.validator == "required":
        return [name for name in error.validator_value if name not in error.instance][:1]
    if error.validator == "additionalProperties":
        return [name for name in error.instance if name not in error.schema.get("properties", {})][:1]
    return []


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _bounded(message: str) -> str:
    return message if len(message) <= 300 else message[:299] + "…"
