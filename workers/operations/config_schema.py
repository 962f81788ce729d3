"""The two versions of an LLM service's configuration, and the way from the first to the second.

Owns what is valid in each version and how v1 becomes v2. Pure: no files, no steps.
"""

from __future__ import annotations

import reprlib
from typing import Annotated, Any, Literal

import msgspec

NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Level = Literal["debug", "info", "warning", "error"]

_bounded = reprlib.Repr()
_bounded.maxlevel = 2
_bounded.maxstring = _bounded.maxother = 80


class ConfigError(Exception):
    """A configuration cannot be migrated; the message is one line and names the field."""


class AlreadyMigrated(ConfigError):
    """The configuration has the new version; there is nothing to do."""


class Part(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all parts: an unknown field is refused, because a migration would lose it."""


class ModelV1(Part):
    """A model: by ``model_id`` (``PROVIDER/NAME``, which v1 never checked), or by ``provider`` and ``name``."""

    model_id: Any = None
    provider: NonEmpty | None = None
    name: NonEmpty | None = None
    max_tokens: Positive | None = None
    temperature: Temperature | None = None
    api_key_env: NonEmpty | None = None


class ConfigV1(Part):
    """Version 1: flat."""

    version: Literal[1]
    models: Annotated[list[ModelV1], msgspec.Meta(min_length=1)]
    default_model: NonEmpty | None = None
    log_level: Level = "info"
    request_timeout: Seconds = 60.0
    telemetry_enabled: bool = False
    telemetry_endpoint: NonEmpty | None = None


class Parameters(Part):
    """What is sent along with every request to a model."""

    max_tokens: Positive | None = None
    temperature: Temperature | None = None


class Credentials(Part):
    """Where the key is found: the name of an environment variable, never the key itself."""

    env: NonEmpty


class ModelV2(Part):
    """A model; its key in ``models`` is ``PROVIDER/NAME``."""

    provider: NonEmpty
    name: NonEmpty
    parameters: Parameters | None = None
    credentials: Credentials | None = None


class ServiceV2(Part):
    """The service itself; ``request_timeout`` in seconds."""

    log_level: Level
    request_timeout: Seconds


class TelemetryV2(Part):
    """Whether and where traces are sent."""

    enabled: bool
    endpoint: NonEmpty | None = None


class DefaultsV2(Part):
    """What is used when a request names nothing."""

    model: NonEmpty


class ConfigV2(Part):
    """Version 2: nested, models by key."""

    version: Literal[2]
    service: ServiceV2
    telemetry: TelemetryV2
    defaults: DefaultsV2
    models: Annotated[dict[str, ModelV2], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        for key, model in self.models.items():
            if key != f"{model.provider}/{model.name}":
                raise ValueError(f"the key {key!r} is not its model's PROVIDER/NAME")
        if self.defaults.model not in self.models:
            raise ValueError("defaults.model is not one of the models")


def validate_v1(data: Any) -> ConfigV1:
    """The old configuration as values; raises ``ConfigError`` naming the field that is wrong."""
    version = data.get("version") if isinstance(data, dict) else None
    if type(version) is int and version == 2:
        raise AlreadyMigrated("The configuration already has version 2; there is nothing to migrate")
    if type(version) is not int or version != 1:
        raise ConfigError(
            f"Invalid field 'version' in the configuration: it must be the number 1, not {_short(version)}"
        )
    try:
        config = msgspec.convert(data, ConfigV1)
    except msgspec.ValidationError as error:
        raise ConfigError(f"The old configuration is not valid: {_told(error)}") from error
    for index, model in enumerate(config.models):
        _check_named(index, model)
    return config


def validate_v2(data: Any) -> ConfigV2:
    """The new configuration as values; raises ``ConfigError`` naming the field that is wrong."""
    try:
        return msgspec.convert(data, ConfigV2)
    except msgspec.ValidationError as error:
        raise ConfigError(f"The new configuration is not valid: {_told(error)}; the file was not changed") from error


def transform(old: ConfigV1) -> dict[str, Any]:
    """Version 2 of ``old``, as plain data in the order it is written; raises ``ConfigError`` naming the field."""
    models: dict[str, ModelV2] = {}
    for index, model in enumerate(old.models):
        provider, name = _identity(index, model)
        key = f"{provider}/{name}"
        if key in models:
            raise _invalid("model_id" if model.model_id is not None else "name", index, f"{_short(key)} is there twice")
        models[key] = _model(provider, name, model)
    new = ConfigV2(
        version=2,
        service=ServiceV2(log_level=old.log_level, request_timeout=old.request_timeout),
        telemetry=TelemetryV2(enabled=old.telemetry_enabled, endpoint=old.telemetry_endpoint),
        defaults=DefaultsV2(model=_default(old.default_model, models)),
        models=models,
    )
    plain: dict[str, Any] = msgspec.to_builtins(new)
    return plain


def _check_named(index: int, model: ModelV1) -> None:
    by_parts = model.provider is not None and model.name is not None
    half = (model.provider is None) != (model.name is None)
    if half or by_parts == (model.model_id is not None):
        raise ConfigError(
            f"The old configuration is not valid: models[{index}] must have either 'model_id', or 'provider' and 'name'"
        )


def _identity(index: int, model: ModelV1) -> tuple[str, str]:
    if model.provider is not None and model.name is not None:
        return model.provider, model.name
    if not isinstance(model.model_id, str):
        raise _invalid("model_id", index, f"it must be text such as acme/large, not {_short(model.model_id)}")
    provider, slash, name = model.model_id.partition("/")
    if not (provider and slash and name) or model.model_id.split() != [model.model_id]:
        raise _invalid(
            "model_id", index, f"write it as PROVIDER/NAME, such as acme/large, not {_short(model.model_id)}"
        )
    return provider, name


def _model(provider: str, name: str, model: ModelV1) -> ModelV2:
    parameters = Parameters(max_tokens=model.max_tokens, temperature=model.temperature)
    return ModelV2(
        provider=provider,
        name=name,
        parameters=parameters if parameters != Parameters() else None,
        credentials=Credentials(env=model.api_key_env) if model.api_key_env else None,
    )


def _default(wanted: str | None, models: dict[str, ModelV2]) -> str:
    """The key of the default model: v1 named it by id or by bare name; without one, the first model counts."""
    if wanted is None:
        return next(iter(models))
    found = [key for key, model in models.items() if wanted in (key, model.name)]
    if len(found) != 1:
        reason = "is not one of the models" if not found else "fits more than one model; write it as PROVIDER/NAME"
        raise ConfigError(f"Invalid field 'default_model' in configuration schema: {_short(wanted)} {reason}")
    return found[0]


def _invalid(field: str, index: int, reason: str) -> ConfigError:
    return ConfigError(f"Invalid field '{field}' in configuration schema: models[{index}].{field}: {reason}")


def _told(error: msgspec.ValidationError) -> str:
    """msgspec's message with the field as people write it: ``models[0].name`` rather than ``$.models[0].name``."""
    text = f"{error}".replace("`$.", "`").replace("`$`", "the top level")
    return " ".join(text.split())[:300]


def _short(value: object) -> str:
    """A value as a message may repeat it: quoted, on one line, bounded."""
    return _bounded.repr(value)
