"""What an answer means, how long one is waited for, and what is never sent or said."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sources.answering import Answer, answering
from tests.sources.conftest import Start
from tests.support import free_address
from tracker.cli import exit_codes
from tracker.cli.source import Wanted, answers, http
from tracker.cli.source.remote import Remote
from tracker.doctor import shown_settings
from tracker.errors import (
    KINDS,
    InvalidArguments,
    NotAllowed,
    NotFound,
    ServerUnavailable,
    SettingsError,
    StoreUnavailable,
    TrackerError,
)
from tracker.settings import Settings
from tracker.version import __version__
from web.problems import PROBLEMS

TOKEN = "s3cret-t0ken"
PAGE = b'{"items": [], "next": null}'
HTML = Answer(200, b"<!doctype html><h1>Welcome</h1>", type="text/html")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked for longer than a moment."""
    monkeypatch.setattr(http, "PATIENCE", 0.0)
    monkeypatch.setattr(http, "UNKNOWN", 0.0)


def problem(status: int, kind: str, detail: str, **headers: str) -> Answer:
    body = json.dumps(
        {"type": f"/problems/{kind}", "title": "T", "status": status, "request_id": "1", "detail": detail}
    )
    return Answer(status, body.encode(), headers, "application/problem+json")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:8420",
        "ftp://host",
        "http://",
        "http://a b",
        "http://h:99999",
        "http://h/?x=1",
        "http://[::1",
        "x",
    ],
)
def test_what_is_no_address_is_told_before_anything_is_asked(address: str) -> None:
    """In one line, which shows how one looks."""
    with pytest.raises(SettingsError, match=r"http://127\.0\.0\.1:8420") as caught:
        Remote(address)
    assert "\n" not in str(caught.value)


def test_a_login_in_an_address_is_refused_and_not_repeated() -> None:
    """It would be written into logs with the address."""
    with pytest.raises(SettingsError) as caught:
        Remote("https://me:hunter2@tracker.example.org")
    assert "hunter2" not in str(caught.value)
    assert "TRACKER_TOKEN" in str(caught.value)


def test_the_doctor_shows_neither_a_login_nor_the_token() -> None:
    """Also of an address that no command would take."""
    shown = shown_settings(Settings(server="https://me:hunter2@tracker.example.org/x", token=TOKEN))
    assert (shown["TRACKER_SERVER"], shown["TRACKER_TOKEN"]) == ("https://tracker.example.org/x", "set, not shown")


@pytest.mark.parametrize(
    "address", ["http://tracker.example.org", "http://192.0.2.7:8420", "http://localhost.evil.org"]
)
def test_a_token_is_not_sent_where_others_can_read_it(address: str) -> None:
    """Over plain HTTP it stays on this machine; without a token plain HTTP may be meant."""
    with pytest.raises(SettingsError, match="https") as caught:
        Remote(address, TOKEN)
    assert TOKEN not in str(caught.value)
    Remote(address)
    Remote(address.replace("http:", "https:"), TOKEN)
    Remote("http://127.0.0.2:8420", TOKEN)


def test_a_token_that_no_header_can_carry_is_refused_and_not_shown() -> None:
    """A line's end in it would be another header."""
    with pytest.raises(SettingsError) as caught:
        Remote("http://127.0.0.1", "a\r\nX-Evil: b")
    assert "Evil" not in str(caught.value)


def test_a_request_says_who_asks_and_shows_the_token() -> None:
    """With the path that the address has."""
    with answering(Answer(body=PAGE)) as server:
        Remote(server.url + "/base/", TOKEN).operations(Wanted(status="error", name="a&b"), limit=3)
    (asked,) = server.asked
    assert asked.path == "/base/api/v1/operations?status=error&name=a%26b&limit=3"
    assert asked.headers["User-Agent"] == f"tracker/{__version__}"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_proxy_of_the_environment_never_sees_what_is_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """But does what is for others."""
    with answering(Answer(body=PAGE)) as proxy, answering(Answer(body=PAGE)) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        Remote(server.url).operations(Wanted())
        assert proxy.asked == []
        Remote("http://tracker.invalid").operations(Wanted())
    assert [asked.path.partition("?")[0] for asked in proxy.asked] == ["http://tracker.invalid/api/v1/operations"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_but_told(status: int, hasty: None) -> None:
    """It could carry the token elsewhere."""
    with answering(Answer(body=PAGE)) as elsewhere:
        moved = Answer(status, b"", {"Location": f"{elsewhere.url}/new/api/v1/operations?limit=50"})
        with answering(moved) as server, pytest.raises(ServerUnavailable, match=f"use '{elsewhere.url}/new'"):
            Remote(server.url, TOKEN).operations(Wanted())
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        Answer(200, b'{"other": "json"}'),
        Answer(200, b"[" * 100_000),
        Answer(200, b"\xff\xfe"),
        Answer(404, b"<h1>404</h1>", type="text/html"),
        Answer(500, b"oops", type="text/plain"),
        Answer(418, b"{}", type="application/problem+json"),
    ],
)
def test_what_is_no_tracker_is_told_as_that(answer: Answer, hasty: None) -> None:
    """One line, whatever it says; nobody reads HTML in a terminal."""
    with answering(answer) as server, pytest.raises(ServerUnavailable, match="is no tracker") as caught:
        Remote(server.url).operations(Wanted())
    assert "<" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "token", "said"),
    [(401, "", "set TRACKER_TOKEN"), (401, TOKEN, "does not take the token"), (403, TOKEN, "does not allow this")],
)
def test_who_is_not_let_in_is_told_so(status: int, token: str, said: str) -> None:
    """Exit code 6, and the token is not in the words."""
    answer = Answer(status, b"<h1>no</h1>", type="text/html")
    with answering(answer) as server, pytest.raises(NotAllowed, match=said) as caught:
        Remote(server.url, token).operations(Wanted())
    assert exit_codes.of_error(caught.value) == exit_codes.NOT_ALLOWED
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("error", KINDS)
def test_a_problem_becomes_the_error_it_was_made_of(error: type[TrackerError], hasty: None) -> None:
    """With the same words, so that exit codes and lines are those of Redis read directly."""
    kind = KINDS[error]
    with answering(problem(PROBLEMS[kind][0], kind, "These words.")) as server, pytest.raises(error) as caught:
        Remote(server.url).operation("a")
    assert (type(caught.value), str(caught.value)) == (error, "These words.")


def test_a_problem_of_a_body_is_one_of_its_arguments() -> None:
    """Exit code 2; and of a kind that is not known here, plain."""
    with answering(problem(422, "invalid-body", "No.")) as server, pytest.raises(InvalidArguments):
        Remote(server.url).submit("copy", {}, {})
    with answering(problem(400, "of-tomorrow", "Not yet.")) as server, pytest.raises(TrackerError, match="Not yet"):
        Remote(server.url).operation("a")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_is_busy_is_asked_again(status: int) -> None:
    """Also by POST, which the server knows again by its key."""
    busy = Answer(status, b"<h1>later</h1>", type="text/html")
    with answering(busy, busy, Answer(body=PAGE)) as server:
        assert Remote(server.url).operations(Wanted()).items == []
    with answering(busy, Answer(202, b'{"id": "a"}')) as server:
        assert Remote(server.url).submit("copy", {"path": "x"}, {}) == "a"
    first, second = server.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


def test_two_requests_have_two_keys() -> None:
    """Else the second would be answered as the first."""
    with answering(Answer(202, b'{"id": "a"}')) as server:
        for _ in range(2):
            Remote(server.url).submit("copy", {}, {})
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 2


def test_a_first_request_that_is_still_answered_is_waited_for() -> None:
    """It was sent, and its answer was lost."""
    with answering(problem(409, "idempotency-in-progress", "wait"), Answer(202, b'{"id": "a"}')) as server:
        assert Remote(server.url).submit("copy", {}, {}) == "a"


def test_it_is_asked_again_when_the_server_says_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would take longer than people wait is an error at once."""
    pauses = list[float]()
    monkeypatch.setattr(http.time, "sleep", pauses.append)
    later = problem(503, "store-unavailable", "Redis is away", **{"Retry-After": "3"})
    with answering(later, Answer(body=PAGE)) as server:
        Remote(server.url).operations(Wanted())
    assert pauses[0] >= 3
    never = problem(503, "store-unavailable", "Redis is away", **{"Retry-After": "3600"})
    with answering(never) as server, pytest.raises(StoreUnavailable, match="Redis is away"):
        Remote(server.url).operations(Wanted())
    assert len(server.asked) == 1


def test_half_an_answer_is_none() -> None:
    """It is asked for again."""
    with answering(Answer(body=PAGE[:9], length=len(PAGE)), Answer(body=PAGE)) as server:
        assert Remote(server.url).operations(Wanted()).items == []


def test_an_answer_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its size nor its slowness costs more than a bound."""
    monkeypatch.setattr(http, "LARGEST", 1_000)
    with answering(Answer(body=b" " * 200_000)) as server, pytest.raises(ServerUnavailable, match="without end"):
        Remote(server.url).operations(Wanted())


def test_an_address_where_nobody_answers_says_what_to_check(hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, without a name, or silent: exit code 5."""
    address = f"http://{free_address()}"
    with pytest.raises(ServerUnavailable, match=f"{address} cannot be reached: the connection was refused; check"):
        Remote(address).operations(Wanted())
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ServerUnavailable, match="a host that nobody knows") as caught:
        Remote("http://tracker.invalid").operations(Wanted())
    assert exit_codes.of_error(caught.value) == exit_codes.UNREACHABLE


@pytest.mark.parametrize(("has_answered", "least", "most"), [(False, 0.2, 2.0), (True, 2.0, 8.0)])
def test_where_nobody_ever_answered_a_refusal_is_soon_believed(
    monkeypatch: pytest.MonkeyPatch, has_answered: bool, least: float, most: float
) -> None:
    """A mistyped address is told within two seconds; a server that was there is waited for while it restarts."""
    with answering(Answer(body=PAGE)) as server:
        remote = Remote(server.url)
        if has_answered:
            remote.operations(Wanted())
    pauses = list[float]()
    monkeypatch.setattr(http.time, "sleep", pauses.append)
    monkeypatch.setattr(http, "elapsed", lambda: sum(pauses))
    with pytest.raises(ServerUnavailable, match="the connection was refused"):
        remote.operations(Wanted())
    assert least < sum(pauses) <= most


def test_a_server_that_says_nothing_is_not_waited_for_long(hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has taken the connection, and that is all."""
    monkeypatch.setattr(http, "TIME_LIMIT", 0.3)
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerUnavailable, match="no answer in time"):
            Remote(address).operations(Wanted())
    assert time.monotonic() - begun < 8


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of this machine's address, signed by nobody else."""
    made = tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made), "-out", str(tmp_path / "public.pem")]
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here; on Debian and Ubuntu: apt install openssl")
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    made.write_text(made.read_text() + (tmp_path / "public.pem").read_text())
    return made


def test_a_certificate_counts_if_this_machine_trusts_it(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the token would go to whoever stands in between."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with answering(Answer(body=PAGE), tls=context) as server:
        with pytest.raises(ServerUnavailable, match="cannot be trusted: self-signed certificate"):
            Remote(server.url, TOKEN).operations(Wanted())
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert Remote(server.url, TOKEN).operations(Wanted()).items == []


def test_ids_never_become_other_addresses() -> None:
    """What is no id is not asked for."""
    with answering(Answer(body=PAGE)) as server:
        for id in ("", "..", "a/b", "a?b", "a#b", "ä", "x" * 129):
            with pytest.raises(NotFound):
                Remote(server.url).operation(id)
    assert server.asked == []


def test_every_kind_of_error_has_a_problem() -> None:
    """The one table of both ends."""
    assert set(KINDS.values()) <= set(PROBLEMS)
    assert set(answers.ERRORS) <= set(PROBLEMS)


def test_nothing_but_the_core_is_needed() -> None:
    """A laptop that only watches has neither Celery nor a web server."""
    absent = ("celery", "kombu", "flask", "gunicorn", "jsonschema", "prometheus_client", "simple_websocket", "yaml")
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}));"
        "import tracker.cli.source.remote, tracker.cli.source.live, tracker.cli.source.resuming;"
        "print('websockets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_command_never_shows_the_token(start: Start, remote: dict[str, str]) -> None:
    """Neither in what it says nor in its arguments; where it is not taken, exit code 6."""
    with answering(Answer(401, b"no", type="text/plain")) as server:
        environment = {**remote, "TRACKER_SERVER": server.url, "TRACKER_TOKEN": TOKEN}
        commands = [
            start(environment, *words) for words in (["ls"], ["watch", "abc"], ["submit", "copy", "--args", "{}"])
        ]
        assert [command.code() for command in commands] == [exit_codes.NOT_ALLOWED] * 3
        told = start(environment, "doctor")
        told.code()
    assert not any(TOKEN in command.out + command.err for command in [*commands, told])
    assert "TRACKER_TOKEN" in told.out


@pytest.mark.parametrize(
    ("address", "code"), [("localhost:8420", exit_codes.USAGE), ("http://tracker.invalid", exit_codes.UNREACHABLE)]
)
def test_an_address_that_is_wrong_is_one_line_and_an_exit_code(
    start: Start, remote: dict[str, str], address: str, code: int
) -> None:
    """Whatever command it was meant for."""
    command = start({**remote, "http_proxy": "", "HTTP_PROXY": ""}, "show", "a", "--server", address)
    assert (command.code(), command.out) == (code, "")
    assert command.err.count("\n") == 1
    assert address in command.err
