"""A schema as a form, and what is typed or pasted as arguments: pure functions, run in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from tests.browser.conftest import Script
from tracker.celery.schema import schema_of

Asked = Callable[[str], Any]


class Level(Enum):
    LOW = "low"
    HIGH = "high"


def job(
    path: Annotated[str, Meta(min_length=1, description="below the data root")],
    password: str,
    level: Level,
    size: Literal[1, 2] = 1,
    copies: Annotated[int, Meta(ge=1, le=9)] = 1,
    ratio: float | None = None,
    dry: bool = False,
    tags: list[str] | None = None,
    options: dict[str, int] | None = None,
    note: str = "",
) -> None:
    """A job with one argument of each kind."""


def copy(path: str) -> None:
    """A job with one."""


PRELUDE = f"""
const {{ fieldsOf, argumentOf, argumentsOf, labelsOf }} = await import('/schema.js');
const {{ itemsOf, cells }} = await import('/items.js');
const fields = fieldsOf({json.dumps(schema_of(job))});
const single = fieldsOf({json.dumps(schema_of(copy))});
const told = (call) => {{ try {{ return call(); }} catch (error) {{ return error.message; }} }};
"""
"""`fields` are those of ``job``, `single` that of ``copy``."""


@pytest.fixture(scope="module")
def asked(script: Script) -> Asked:
    """What an expression over the modules comes to."""
    return lambda expression: script(f"return {expression};")


def test_each_argument_is_a_field_of_its_kind(asked: Asked) -> None:
    """Also what may be null, what is named in the schema's definitions, and what is secret."""
    kinds = asked("Object.fromEntries(fields.map((field) => [field.name, field.kind]))")
    assert kinds == {
        "path": "text",
        "password": "secret",
        "level": "choice",
        "size": "choice",
        "copies": "number",
        "ratio": "number",
        "dry": "flag",
        "tags": "lines",
        "options": "json",
        "note": "text",
    }
    assert asked("fields.filter((field) => field.required).map((field) => field.name)") == ["path", "password", "level"]
    assert asked("fields[2].choices") == ["high", "low"]


def test_a_field_says_what_may_stand_there(asked: Asked) -> None:
    """Its description, its bounds, and what holds when it is left out."""
    hints = asked("Object.fromEntries(fields.map((field) => [field.name, field.hint]))")
    assert hints["path"] == "below the data root"
    assert hints["copies"] == "1 to 9 · otherwise 1"
    assert hints["password"] == ""


def test_texts_become_arguments_of_the_right_type(asked: Asked) -> None:
    """And what is left empty is left out, so that the job's own default holds."""
    typed = {
        "path": " a b ",
        "password": "s",
        "level": "low",
        "size": "2",
        "copies": "3",
        "ratio": "0.5",
        "dry": "true",
        "tags": "x\n\n y \n",
        "options": '{"a": 1}',
    }
    assert asked(f"argumentsOf(fields, {json.dumps(typed)})") == {
        "args": {
            "path": " a b ",
            "password": "s",
            "level": "low",
            "size": 2,
            "copies": 3,
            "ratio": 0.5,
            "dry": True,
            "tags": ["x", "y"],
            "options": {"a": 1},
        },
        "faults": {},
    }
    few = asked("argumentsOf(fields, { path: 'a', password: '', level: 'low', copies: ' ' })")
    assert few == {"args": {"path": "a", "password": "", "level": "low"}, "faults": {}}


def test_what_cannot_be_meant_is_told_at_its_field(asked: Asked) -> None:
    """Before anything is sent."""
    typed = {"copies": "1.5", "ratio": "much", "level": "middle", "options": "{a}", "tags": ""}
    assert asked(f"argumentsOf(fields, {json.dumps(typed)}).faults") == {
        "path": "is needed",
        "level": "is none of high, low",
        "copies": "is no whole number",
        "ratio": "is no number",
        "options": 'is no JSON; texts stand in "quotes"',
    }


def test_labels_are_pairs(asked: Asked) -> None:
    """Divided by commas or lines."""
    assert asked("labelsOf(' tenant=acme, env = prod\\na=b=c')") == {"tenant": "acme", "env": "prod", "a": "b=c"}
    assert asked("told(() => labelsOf('tenant'))") == "tenant is no label; write name=value"


@pytest.mark.parametrize(
    ("text", "fields", "form", "items"),
    [
        ("a.txt\n\n b.txt \r\n", "single", "a value of path a line", [{"path": "a.txt"}, {"path": "b.txt"}]),
        ("path\na.txt", "single", "CSV", [{"path": "a.txt"}]),
        (
            'path,password,level,copies\n"a,""b""",x,low,2\nc,,high,',
            "fields",
            "CSV",
            [
                {"path": 'a,"b"', "password": "x", "level": "low", "copies": 2},
                {"path": "c", "password": "", "level": "high"},
            ],
        ),
        (
            "path\tpassword\tlevel\na b\t\tlow",
            "fields",
            "columns with tabs",
            [{"path": "a b", "password": "", "level": "low"}],
        ),
        ('{"path": "a"}\n{"path": "b"}', "single", "a JSON object a line", [{"path": "a"}, {"path": "b"}]),
        ('[{"path": "a"},\n {"path": "b"}]', "single", "a JSON array", [{"path": "a"}, {"path": "b"}]),
        (" \n", "single", "", []),
    ],
)
def test_a_pasted_list_is_understood(asked: Asked, text: str, fields: str, form: str, items: list[Any]) -> None:
    """Whichever of the usual forms it has."""
    found = asked(f"itemsOf({json.dumps(text)}, {fields})")
    assert (found["form"], found["items"], found["faults"]) == (form, items, [])


def test_lines_that_cannot_be_meant_are_told_by_number(asked: Asked) -> None:
    """And where more than one argument is needed, that a line of names is missing."""
    listed = asked("""itemsOf('{"path": "a"}\\n\\n{oops\\n[]\\n{"path": "b"}', single)""")
    assert listed["lines"] == [1, 5]
    assert listed["faults"] == [{"line": 3, "text": "is no JSON"}, {"line": 4, "text": "is no object of arguments"}]
    table = asked("itemsOf('path,password,level\\na,b,c\\na,b,low,4', fields).faults")
    assert table == [
        {"line": 2, "text": "level is none of high, low"},
        {"line": 3, "text": "has 4 columns, the first line names 3"},
    ]
    assert asked("itemsOf('a.txt', fields).faults") == [
        {"line": 1, "text": "begin with a line of argument names, such as path,password,level"}
    ]
