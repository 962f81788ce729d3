"""Text that leaves the process: no control characters, no secrets, bounded; prose stays as it is."""

from __future__ import annotations

import time

import pytest

from tracker.redact import bound, clean, line, redact, safe_text, tail


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
