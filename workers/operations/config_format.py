"""Reading and writing configuration text: YAML and JSON, chosen by the file's suffix.

Owns parsing that loses nothing silently (a key given twice is refused) and the form in which files are written.
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from workers.operations.config_schema import ConfigError

FORMATS = {".yaml": "YAML", ".yml": "YAML", ".json": "JSON"}
"""The format of a suffix."""

CONSTRUCTION = (ValueError, KeyError, IndexError, TypeError, AttributeError)
"""What PyYAML lets through when a value does not fit its own tag, such as ``!!bool maybe``."""

MERGE_LIMIT = 10_000
"""Most entries that YAML's merge keys may give one mapping; nested merges grow exponentially."""


def format_of(place: PurePath) -> str:
    """``"YAML"`` or ``"JSON"``; raises ``ConfigError`` for another suffix.

    >>> format_of(PurePath("service.yml"))
    'YAML'
    """
    name = FORMATS.get(place.suffix.lower())
    if name is None:
        raise ConfigError(f"The suffix {place.suffix!r} is not known; name the file .yaml, .yml or .json")
    return name


def parse(content: bytes, form: str) -> Any:
    """The data in ``content``; raises ``ConfigError`` with line and column."""
    try:
        text = content.decode("utf-8-sig")
        return yaml.load(text, _Loader) if form == "YAML" else _json(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"The configuration is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"The configuration is not valid YAML: {_yaml_reason(error)}") from error
    except json.JSONDecodeError as error:
        reason = f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise ConfigError(f"The configuration is not valid JSON: {reason}") from error
    except RecursionError as error:
        raise ConfigError(f"The configuration is not valid {form}: it is nested too deeply") from error
    except CONSTRUCTION as error:
        raise ConfigError(f"The configuration is not valid {form}: {error}") from error


def render(data: Any, form: str) -> bytes:
    """``data`` as text of that format, keys in the given order."""
    if form == "JSON":
        return json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n"
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)
    return text.encode()


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:80]!r} is there twice")
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _yaml_reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    reason = f"{getattr(error, 'problem', None) or 'it cannot be read'}".replace("\n", " ")
    return f"{reason} in line {mark.line + 1}, column {mark.column + 1}" if mark else reason


class _Loader(yaml.SafeLoader):
    """The safe loader, except that it refuses a key given twice and merges that grow without bound."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise ConstructorError(None, None, f"the key {key.value[:80]!r} is there twice", key.start_mark)
            seen.add(key.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MERGE_LIMIT:
            raise ConstructorError(None, None, f"merge keys give more than {MERGE_LIMIT} entries", node.start_mark)
