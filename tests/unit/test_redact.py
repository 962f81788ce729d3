"""Text that leaves the process: no control characters, no secrets, bounded; prose stays as it is."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker import StepTracker, configure
from tracker.errors import SettingsError
from tracker.redact import block, bound, clean, line, redact, safe_labels, safe_text, tail, value
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


SECRETS = [
    # User and password of an address, escaped or not.
    ("postgres://bob:s3cr3t/x@db", "postgres://…@db"),
    ("postgres://bob:s3cr3t?x#y@db/z", "postgres://…@db/z"),
    ("postgres://bob:s3\"cr3t'<x@db/y", "postgres://…@db/y"),
    ("postgres://bob:my s3cr3t@db/y", "postgres://…@db/y"),
    ("postgres://bob:1234/s3cr3t@db", "postgres://…@db"),
    ("https://bob:s3cr3t@host/a?b=1", "https://…@host/a?b=1"),
    ('{"url":"http://u:s3cr3t@h","mail":"me@z.org"}', '{"url":"http://…@h","mail":"me@z.org"}'),
    ("dial bob:s3cr3t@db/x", "dial …@db/x"),
    ("dial bob:s3cr3t@db.local:5432", "dial …@db.local:5432"),
    # Command lines.
    ("psql --password s3cr3t --host db", "psql --password … --host db"),
    ("run --api-key s3cr3t", "run --api-key …"),
    ("run --api-key=s3cr3t", "run --api-key=…"),
    ("run -token 's3 cr3t' x", "run -token … x"),
    ("['psql', '--password', 's3cr3t']", "['psql', '--password', …]"),
    ("curl -u bob:s3cr3t https://h/", "curl -u bob:… https://h/"),
    ("['curl', '--user', 'bob:s3cr3t']", "['curl', '--user', 'bob:…']"),
    # Headers: all of the line, or up to the closing quote.
    ("Authorization: ApiKey s3cr3t", "Authorization: ApiKey …"),
    ("Authorization: AWS4-HMAC-SHA256 Credential=x, Signature=s3cr3t", "Authorization: AWS4-HMAC-SHA256 …"),
    ('authorization: Digest username="x", response="s3cr3t"', "authorization: Digest …"),
    ("curl -H 'Authorization: Negotiate s3cr3t' https://h/", "curl -H 'Authorization: Negotiate …' https://h/"),
    ("{'Authorization': b'Basic s3cr3t', 'n': 1}", "{'Authorization': …, 'n': 1}"),
    ("[('Authorization', 'Basic s3cr3t'), ('Accept', 'a')]", "[('Authorization', …), ('Accept', 'a')]"),
    ("[(b'cookie', b'a=s3cr3t')]", "[(b'cookie', …)]"),
    ("Cookie: a=s3cr3t; b=s3cr3t", "Cookie: …"),
    ("Set-Cookie: session=s3cr3t; Path=/", "Set-Cookie: …"),
    ("BEARER s3cr3t", "BEARER …"),
    # Values in every form.
    ("{'password': b's3cr3t'}", "{'password': …}"),
    ("password=r's3cr3t' x", "password=… x"),
    ("{'password': ['s3cr3t', \"s3]cr3t\"]}", "{'password': …}"),
    ('f(password=("s3cr3t",), n=1)', "f(password=…, n=1)"),
    ('{"password": "a\\"s3cr3t"}', '{"password": …}'),
    ('{\\"password\\": \\"s3cr3t\\", \\"n\\": 1}', '{\\"password\\": …, \\"n\\": 1}'),
    ('password="a\ns3cr3t" x', "password=… x"),
    ('password="never closed s3cr3t', "password=…"),
    ("password=a,s3cr3t x", "password=… x"),
    ("password=a;b&c)d's3cr3t", "password=…"),
    ("Server=db;Password=s3cr3t;Database=x", "Server=db;Password=…;Database=x"),
    ("password: |\n  s3cr3t\n  s3cr3t\nuser: bob", "password: …\nuser: bob"),
    ("<password>s3cr3t</password>", "<password>…</password>"),
    ('<db:secret kind="a">s3cr3t</db:secret>', '<db:secret kind="a">…</db:secret>'),
    # Names.
    ("DB_PASS=s3cr3t", "DB_PASS=…"),
    ("pass=s3cr3t", "pass=…"),
    ("pw=s3cr3t", "pw=…"),
    ("SMTP_PASS: secretive", "SMTP_PASS: …"),
    ("private_key=s3cr3t", "private_key=…"),
    ('{"secretKey": "s3cr3t"}', '{"secretKey": …}'),
    ("encryption_key: secretive", "encryption_key: …"),
    ("AccountName=x;AccountKey=s3cr3t==;Suffix=y", "AccountName=x;AccountKey=…;Suffix=y"),
    ("credentials=s3cr3t", "credentials=…"),
    ("session=s3cr3t", "session=…"),
    ("X-Auth-Token: hunter", "X-Auth-Token: …"),
    ("refresh_token: abcdefg", "refresh_token: …"),
    ("spring.datasource.password=s3cr3t", "spring.datasource.password=…"),
    ("os.environ['DB_PASSWORD'] = 's3cr3t'", "os.environ['DB_PASSWORD'] = …"),
    ("https://h/x?sig=s3cr3t&a=1", "https://h/x?sig=…&a=1"),
    ("https://h/x?X-Amz-Signature=s3cr3t", "https://h/x?X-Amz-Signature=…"),
    ("https://h/x?key=s3cr3t", "https://h/x?key=…"),
    ("https://h/x?a=1&amp;code=s3cr3t", "https://h/x?a=1&amp;code=…"),
    # A word behind "password:" is a password, and so is a number; prose is two words, see below.
    ("Reset password: send", "Reset password: …"),
    ("password: 1234", "password: …"),
    ("api_token=12345678", "api_token=…"),
    # Tokens that tell by themselves what they are.
    ("github_pat_" + "a1" * 15, "…"),
    ("glpat-" + "a1" * 10, "…"),
    ("sk_live_" + "a1" * 12, "…"),
    ("rk_live_" + "a1" * 12, "…"),
    ("sk-proj-" + "a1" * 12, "…"),
    ("AIza" + "a1" * 17, "…"),
    ("ya29." + "a1" * 12, "…"),
    ("SG." + "a1" * 11 + "." + "a1" * 20, "…"),
    ("npm_" + "a1" * 18, "…"),
    ("pypi-AgEI" + "a1" * 20, "…"),
    ("hf_" + "a1" * 17, "…"),
    ("dop_v1_" + "a1" * 32, "…"),
    ("whsec_" + "a1" * 16, "…"),
    ("xapp-1-" + "A1" * 16, "…"),
    ("xoxb-" + "1a" * 16, "…"),
    ("ASIA" + "A1" * 8, "…"),
    ("eyJhbGciOiJIUzI1NiIsIn.eyJzdWIiOiIxMjM0.abc_-", "…"),
    ("to hooks.slack.com/services/T00/B00/s3cr3t", "to hooks.slack.com/services/…"),
    (
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\ns3cr3t\n-----END PGP PRIVATE KEY BLOCK-----\nafter",
        "…\nafter",
    ),
    ("key -----BEGIN EC PRIVATE KEY----- never closed", "key …"),
]


@pytest.mark.parametrize(("text", "expected"), SECRETS)
def test_secrets_are_masked_whole_in_the_forms_they_come_in(text: str, expected: str) -> None:
    """One that is masked in part is worse than one that is not, since it looks done."""
    assert redact(text) == expected


@pytest.mark.parametrize("text", [text for text, _ in SECRETS])
def test_names_are_masked_as_other_texts_are(text: str) -> None:
    """The way of a name through ``line`` is a shorter one, and no secret may slip through it."""
    masked = line(text, 1000)
    assert "…" in masked
    assert not any(secret in masked for secret in ("s3cr3t", "secretive", "a1a1a1a1"))


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
        "Check tokens: 12 valid",
        "max_tokens=4096",
        "prompt_tokens: 1234",
        "tokens=[101, 2023, 102]",
        '{"total_tokens": 12, "token_budget": 4096}',
        "Secrets: rotated 3",
        "Reset password: send mail",
        "Read /etc/passwd: 12 entries",
        "pwd: /home/x",
        "PWD=/home/x",
        "Authorization: granted",
        "Authorization: granted to bob",
        "Cookie: accepted",
        "Session: morning",
        "First pass: 120 files",
        "Pass: done",
        "pass_rate=0.9",
        "api_key_count=3",
        "token_type=bearer",
        "PASSWORD_FILE=/run/secrets/x",
        "the bearer 1st",
        "task-sk-learn-something-long-enough-name",
        "primary_key=3, sort_key: name",
        "https://h/x?page=2&sort_key=name&status_code=200",
        "signature=(a, b)",
        "KeyError: 'password'",
        "InvalidToken: bad",
        "TokenError: invalid syntax",
        "missing: ['password', 'email', 'name']",
        "argument --token: expected one argument",
        "required: --token, --host",
        "use --password to log in",
        "https://h:8080/a@b",
        "https://example.org/@user/post",
        "see http://h/x and write to me@example.org",
        "registry:5000/image@sha256:0123",
        "oci://registry:5000/image@sha256:0123",
        "git@example.org:owner/repo",
        "mailto:me@example.org",
        "run --user 1000:1000 image",
        "secret::Vault",
        "vault secret://path",
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
        ("hearts ❤\ufe0f and keys 1\ufe0f\u20e3", "hearts ❤\ufe0f and keys 1\ufe0f\u20e3"),
        ("line\u2028separators\u2029 too", "line separators  too"),
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


HOSTILE = [
    "a.b:", "token-", "\x1b]", "://", "://a:b c", "://a:1@", "a:b@c", "user:pw@host.", "Bearer ", "bearer a",
    "eyJ", "-eyJ", "sk-", "sk-a ", "SG.aaaaaaaaaaaa", "pypi-A ", "xoxb-", "-----BEGIN ",
    "-----BEGIN RSA PRIVATE KEY-----",
    'password="', "password='", 'password=\\"', "password=[", 'password=("', "password=,", "password: |\n x", "pw=a,",
    "password=a\"b'c", "password:\\", "'password', 'x", "('password', 'x'", "<password>", "<password x", "<password>x",
    "--password ", "--pass'", "-u a:", "Authorization: ", "authorization: 'x", "Cookie: a=", "&sig=a", "tokens: 1", "a",
    "_", "=", ",;&", "\\", "'\"", " ", "\n", "\u200b", "\ufe0f",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("frame", ["{}", "password={}", "x://{}@", "{}password"])
def test_hostile_text_takes_no_long_time(piece: str, frame: str) -> None:
    """No pattern's cost explodes with the length of the text: a fraction of a second per megabyte, not minutes."""
    text = frame.format(piece * (250_000 // len(piece)))
    begun = time.process_time()
    line(text, len(text))
    tail(text, len(text) // 8)
    assert time.process_time() - begun < 2


WORDS = st.sampled_from(
    [
        "password",
        "token",
        "Authorization",
        "Cookie",
        "api_key",
        "bob",
        "x1",
        "Basic",
        "--password",
        "https",
        "eyJ" + "a1" * 12,
    ]
)
MARKS = st.sampled_from([*"=:,;&'\"\\/@?()[]{}<>| \n-…", "://", ": ", "='", '": "', "', '"])


@given(st.lists(WORDS | MARKS | st.text(max_size=3), max_size=24).map("".join))
def test_masking_a_masked_text_changes_nothing(text: str) -> None:
    """A text may be masked where it is made and again where it is shown."""
    masked = redact(text)
    assert redact(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "x token=" + "a" * 700 + " then dial postgres://admin:S3cret" + "x" * 200 + "@db/x",
        "x eyJ" + "a1" * 350 + ".a then dial postgres://admin:S3cret" + "x" * 200 + "@db/x",
        "postgres://admin:S3cret" + "x" * 900 + "@db/x",
    ],
)
def test_half_a_secret_at_the_end_of_what_is_looked_at_does_not_come_back(text: str) -> None:
    """What is masked makes room, and into it moved what had been cut in the middle, unrecognisable."""
    assert "S3cret" not in line(text)
    assert "S3cret" not in block(text, 200)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://admin:" + "S3cret" * 20 + "@db/x ok",
        "password=" + "S3cret" * 20 + "\nok",
        "-----BEGIN RSA PRIVATE KEY-----\n" + "S3cretS3cretS3cretS3cretS3cretS3cret\n" * 9 + "ok",
        "-----BEGIN RSA PRIVATE KEY-----\n" + "S3cret \n" * 9 + "-----END RSA PRIVATE KEY-----\n" + "ok",
    ],
)
@pytest.mark.parametrize("limit", [10, 15, 20])
def test_the_rest_of_a_secret_at_the_beginning_of_a_tail_goes(text: str, limit: int) -> None:
    """Its own beginning, by which it would be known, was cut off."""
    shown = tail(text, limit)
    assert "cret" not in shown
    assert shown.endswith("ok")


def test_lines_end_in_one_way_only() -> None:
    """Whoever splits the text by lines finds the same lines, whatever their rule."""
    text = block("a\rb\r\nc\u2028d\u2029e\x0bf\x0cg\x85h\x1ci", 100)
    assert text == "a\nb\nc\nd\ne\nf\ng\nh\ni"


@pytest.mark.parametrize(
    "hidden",
    [
        *"\u034f\u115f\u3164\uffa0\u17b4\u180b\u200d\ufe01\ufe0f\U0001bca0\U0001d173\U000e0100\ufdd0\uffff\U0010fffe",
        "\u200b\ufe0f",
    ],
)
def test_characters_that_show_nothing_do_not_hide_a_secret(hidden: str) -> None:
    """Nor do they leave at all."""
    assert line(f"pass{hidden}word=x") == "password=…"
    assert line(f"Process{hidden} file") == "Process file"


def test_labels_are_masked_by_their_key() -> None:
    """Nothing else about such a value tells that it is a secret."""
    labels = {"password": "hunter2", "api_key": "k", "passw\u200bord": "x", "tokens": "12", "tenant": "acme"}
    assert safe_labels(labels) == {"password": "…", "api_key": "…", "tokens": "12", "tenant": "acme"}


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
    arguments = {
        "path": "a.txt",
        "password": "hunter2",
        "nested": [{"api_key": "k", "url": "postgres://u:p@db/x"}, ("a", 1, None, True)],
        "many": list(range(500)),
        "long": "x" * 5000,
        "object": object,
        3: "\x1b[31mred",
    }
    safe = value(arguments)
    assert safe["password"] == "…"
    assert safe["nested"] == [{"api_key": "…", "url": "postgres://…@db/x"}, ["a", 1, None, True]]
    assert (len(safe["many"]), len(safe["long"]), safe["3"]) == (200, 2048, "red")
    deep: list[Any] = []
    deep.append(deep)
    assert "…" in repr(value(deep))
