"""Text that leaves the process: no control characters, no secrets, bounded; prose stays as it is."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tracker import StepTracker, configure
from tracker.errors import SettingsError
from tracker.redact import bound, clean, line, redact, safe_text, tail, value
from tracker.testing import capture_events


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:pw@h", "redis://…@h"),
        ("amqp://user:p@ss@host:5672/v", "amqp://…@host:5672/v"),
        ("Authorization: Basic dXNlcjpwdw==", "Authorization: Basic …"),
        ("Bearer xyz", "Bearer …"),
        ("bearer eyJ0.abc1", "bearer …"),
        ("key AKIAABCDEFGHIJKLMNOP used", "key … used"),
        ("aws_secret_access_key = abc/def", "aws_secret_access_key = …"),
        ("password=hunter2 host=db", "password=… host=db"),
        ("db_password: swordfish", "db_password: …"),
        ("{'token': 'abc', 'n': 1}", "{'token': …, 'n': 1}"),
        ('{"api_key":"a b c"}', '{"api_key":…}'),
        ("https://h/x?token=abc&y=1", "https://h/x?token=…&y=1"),
        ("ghp_" + "a1" * 18, "…"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", "…"),
    ],
)
def test_secrets_are_masked(text: str, expected: str) -> None:
    """User info, authorization, keys and key-value pairs."""
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "the token is not valid",
        "Unexpected token: '}'",
        "token == expected",
        "unexpected token: a name",
        "the secret of life",
        "bearer of bad news",
        "write to me@example.org",
        "http://example.org/a@b",
        "secretary: Bob",
        "tokenizer: bert1",
        "Step 3: hashing",
    ],
)
def test_ordinary_prose_survives(text: str) -> None:
    """A word alone is no secret."""
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;aGVsbG8=\x07copy", "copy"),
        ("\x9b2Jcleared", "cleared"),
        ("a\x00b\x07c\x1b", "abc"),
        ("left\u202egnp.exe", "leftgnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("two\r\nlines\tand more", "two lines and more"),
        ("\ud800", "\ufffd"),
        ("Grüße 你好 ✅", "Grüße 你好 ✅"),
    ],
)
def test_control_characters_are_dropped(text: str, expected: str) -> None:
    """Nothing that moves a cursor, sets a title or hides text."""
    assert clean(text) == expected


def test_long_text_ends_in_an_ellipsis_and_long_tracebacks_begin_with_one() -> None:
    """The limit counts the ellipsis."""
    assert clean("x" * 300) == "x" * 199 + "…"
    assert bound("abc", 3) == "abc"
    assert tail("a" * 100 + "end", 10) == "…aaaaaaend"


def test_a_secret_at_the_limit_is_not_cut_in_half() -> None:
    """Masking comes before cutting."""
    assert "hunter2" not in line("x" * 190 + "redis://:hunter2hunter2@cache")


def test_an_object_without_readable_text_has_a_stand_in() -> None:
    """str() of foreign objects may raise."""

    class Silent:
        def __str__(self) -> str:
            raise ValueError

    assert safe_text(Silent()) == "<Silent whose text cannot be read>"


@pytest.mark.parametrize("text", ["a.b:" * 9000, "token-" * 6000 + ":", "\x1b]" * 9000, "://" * 9000, "Bearer " * 5000])
def test_hostile_text_takes_no_long_time(text: str) -> None:
    """No pattern's cost explodes with the length of the text (a minute instead of milliseconds)."""
    begun = time.process_time()
    line(text, 8192)
    assert time.process_time() - begun < 5


@pytest.fixture
def rule() -> Iterator[Callable[[Callable[[str], str]], None]]:
    """Sets a rule of the user's own for one test."""
    yield lambda rule: configure(redact=rule)
    configure(redact=str)


def test_a_rule_of_ones_own_sees_every_text_that_leaves(rule: Callable[[Callable[[str], str]], None]) -> None:
    """Titles, names, details, log lines and errors; after the rules there are already."""
    rule(lambda text: text.replace("ACME", "customer"))
    with (
        pytest.raises(ValueError, match="ACME"),
        capture_events() as events,
        StepTracker("Import ACME", display="quiet") as tracker,
        tracker.step("Read ACME") as step,
    ):
        step.detail = "ACME, password=hunter2"
        step.log("ACME line")
        raise ValueError("ACME failed")
    told = repr([event.data for event in events])
    assert "ACME" not in told
    assert "hunter2" not in told
    assert step.detail == "customer, password=…"
    assert tracker._run is not None
    assert tracker._run.error is not None
    assert "ACME" not in tracker._run.error.traceback


@pytest.mark.parametrize("failing", [lambda text: 1 / 0, lambda text: None, lambda text: text.encode()])
def test_a_rule_that_fails_masks_everything_and_is_said_once(
    rule: Callable[[Any], None], failing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing leaves unseen, and the work does not notice."""
    rule(failing)
    with StepTracker("Import", display="quiet") as tracker:
        tracker.step("Read")
        tracker.step("Write")
    assert [step.name for step in tracker.steps] == ["…", "…"]
    assert len(caplog.records) == 1
    assert "configure(redact=…)" in caplog.text


def test_what_a_rule_gives_is_cleaned_as_well(rule: Callable[[Any], None]) -> None:
    """Escape sequences and line breaks do not come in by the back door, nor do long texts."""
    rule(lambda text: f"\x1b[31m{text}\x1b[0m\nsecond" + "x" * 1000)
    name = line("name")
    assert name.startswith("name second")
    assert len(name) == 200


def test_a_rule_has_to_be_a_function() -> None:
    """A wrong value is an error where it is given."""
    with pytest.raises(SettingsError, match="function"):
        configure(redact="secret")  # type: ignore[arg-type]


def test_known_names_are_still_cut_to_the_limit_that_is_asked_for() -> None:
    """A name once seen as harmless is no licence to be long elsewhere."""
    assert line("a long and harmless name") == "a long and harmless name"
    assert line("a long and harmless name", 6) == "a lon…"


def test_arguments_are_masked_by_key_and_content_at_every_depth() -> None:
    """Whatever the nesting, the length and the type."""
    given = {
        "path": "a.txt",
        "password": "hunter2",
        "nested": [{"api_key": "k", "url": "postgres://u:p@db/x"}, ("a", 1, None, True)],
        "many": list(range(500)),
        "long": "x" * 5000,
        "object": object,
        3: "\x1b[31mred",
    }
    safe = value(given)
    assert safe["password"] == "…"
    assert safe["nested"] == [{"api_key": "…", "url": "postgres://…@db/x"}, ["a", 1, None, True]]
    assert (len(safe["many"]), len(safe["long"]), safe["3"]) == (200, 2048, "red")
    deep: list[Any] = []
    deep.append(deep)
    assert "…" in repr(value(deep))
