"""Where there are tokens: who is let in, what they may do, how a browser logs in, and what taking a token back does."""

from __future__ import annotations

import os
import re
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support import wait_for
from tests.web.client import Server, serving
from tests.web.conftest import SCHEMA, messages_in
from tests.web.guarded import Guarded, bearer, morsel
from tests.web.test_server import start
from tracker.ids import new_id
from tracker.settings import Settings
from tracker.store import JobInfo, Store
from tracker.tokens import VARIABLE, Role, add, digest_of, login_of, new_token
from web.access import COOKIE, PUBLIC
from web.app import create_app

OPERATIONS = "/api/v1/operations"
BODY = {"job": "copy", "args": {"path": "a"}}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def jobs(store: Store) -> None:
    """A worker runs ``copy``."""
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, f"queue-{store.keys.namespace}")])


def all_routes() -> list[tuple[str, str, str]]:
    """Endpoint, method and an address of everything that is served."""
    app = create_app(Settings(redis_url="redis://127.0.0.1:1/0"))
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?\w+>", "none", rule.rule)
        found += [(rule.endpoint, method, path) for method in sorted((rule.methods or set()) - {"HEAD"})]
    return found


SHELLS = [path for endpoint, _, path in all_routes() if endpoint.startswith("pages.") and endpoint not in PUBLIC]


@pytest.mark.parametrize(("endpoint", "method", "path"), all_routes())
def test_a_stranger_gets_nothing_but_what_is_public(guarded: Guarded, endpoint: str, method: str, path: str) -> None:
    """Pages lead to the log-in, everything else is 401; what is public says nothing of what is tracked."""
    answer = guarded.server.ask(method, path, {} if method in ("POST", "PUT") else None)
    if endpoint in PUBLIC:
        assert answer.status not in (401, 403)
    elif path in SHELLS:
        assert (answer.status, answer.headers["location"]) == (303, f"/login?next={path}")
    else:
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json["type"] == "/problems/not-logged-in"


def test_what_is_public_is_this_and_no_more() -> None:
    """Whoever makes something public changes this line, and thinks of what it says."""
    known = {endpoint for endpoint, _, _ in all_routes()}
    assert known >= PUBLIC
    pages = {"pages.static", "login.page"}
    assert pages | {"health.healthz", "health.readyz", "login.log_in", "login.log_out"} == PUBLIC


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/static/"])
def test_a_stranger_does_not_learn_what_there_is(guarded: Guarded, path: str) -> None:
    """An address that does not exist is answered like one that does."""
    assert guarded.server.get(path).status == 401


@pytest.mark.parametrize(("endpoint", "method", "path"), all_routes())
def test_a_viewer_looks_at_everything_and_changes_nothing(
    guarded: Guarded, store: Store, endpoint: str, method: str, path: str
) -> None:
    """Reading is never refused, and everything else always, before it has done anything."""
    if endpoint == "stream.stream":
        return  # Has no end; see below.
    answer = guarded.ask(method, path, guarded.viewer, BODY if method in ("POST", "PUT") else None)
    if method == "GET" or endpoint in PUBLIC:
        assert answer.status not in (401, 403)
    else:
        assert (answer.status, answer.json["type"]) == (403, "/problems/not-allowed")
        assert "vic may look and not act" in answer.json["detail"]
    assert messages_in(store) == 0


def test_an_operator_acts_and_it_is_kept_who(guarded: Guarded) -> None:
    """By name, where only an address was known before."""
    queued = guarded.ask("POST", OPERATIONS, guarded.operator, BODY)
    assert queued.status == 202
    cancelled = guarded.ask("POST", f"{queued.headers['location']}/cancel", guarded.operator)
    assert cancelled.json["cancel"]["by"] == "ada"
    assert guarded.ask("DELETE", queued.headers["location"], guarded.operator).status == 204


def wrong_proofs(token: str) -> list[dict[str, str]]:
    login = login_of(token)
    proofs = [new_token(), token[:-1], f"{token}x", token.upper(), login, digest_of(login), "", "a b", "\xff"]
    headers = [bearer(proof) for proof in proofs]
    headers += [{"Authorization": value} for value in (token, f"Basic {token}", f"Token {token}", "Bearer")]
    headers += [
        {"Cookie": f"{COOKIE}={value}"} for value in (token, digest_of(login), login[:-1], "", f"{login}x", "\xff\xfe")
    ]
    # What is said in a header counts: a page cannot be let in by a cookie beside it.
    return [*headers, {"Cookie": f"{COOKIE}={login}", **bearer(new_token())}]


def test_nothing_but_a_token_lets_anybody_in(guarded: Guarded, store: Store) -> None:
    """Not a part of it, not what the file or a browser keeps of it, not the token where it does not belong."""
    proofs = wrong_proofs(guarded.operator)
    assert [guarded.server.ask("POST", OPERATIONS, BODY, JSON | proof).status for proof in proofs] == [401] * len(
        proofs
    )
    assert messages_in(store) == 0


def test_a_browser_logs_in_once_and_out_again(guarded: Guarded) -> None:
    """It is told who it is; what it keeps cannot be read by scripts, nor is it sent by other sites' pages."""
    answer = guarded.log_in(guarded.operator)
    assert answer.json == {"name": "ada", "role": "operator", "until": None}
    kept = morsel(answer)
    assert (kept["httponly"], kept["samesite"], kept["path"], kept["secure"]) == (True, "Lax", "/", "")
    assert int(kept["max-age"]) == 30 * 86_400
    assert guarded.operator not in answer.headers["set-cookie"]
    logged_in = {"Cookie": f"{COOKIE}={kept.value}"}
    assert guarded.server.get("/", **logged_in).status == 200
    assert guarded.server.get("/api/v1/login", **logged_in).json["name"] == "ada"
    assert guarded.server.ask("POST", OPERATIONS, BODY, JSON | logged_in).status == 202
    left = morsel(guarded.server.ask("DELETE", "/api/v1/login", headers=logged_in))
    assert (left.value, left["max-age"]) == ("", "0")


def test_a_proxy_may_want_a_password_besides(guarded: Guarded) -> None:
    """What a browser sends for that is not taken for a token, and does not stand in the way of the log-in."""
    both = {"Authorization": "Basic YTpi", **guarded.cookie(guarded.viewer)}
    assert guarded.server.get(OPERATIONS, **both).status == 200


def test_a_wrong_token_leaves_nothing_in_the_browser(guarded: Guarded) -> None:
    """The answer says what to do, and does not repeat what was given."""
    wrong = new_token()
    answer = guarded.log_in(wrong)
    assert answer.status == 401
    assert "set-cookie" not in answer.headers
    assert "ask whoever runs this server" in answer.json["detail"]
    assert wrong.encode() not in answer.body
    for odd in (b'{"token": "\\ud800"}', b'{"token": "\\u0000"}', '{"token": "ключ"}'.encode(), b'{"token": ""}'):
        assert guarded.server.ask("PUT", "/api/v1/login", odd, JSON).status in (400, 401)


def test_the_cookie_is_for_tls_where_the_proxy_speaks_it(guarded: Guarded) -> None:
    """A proxy on this machine is believed when it says so."""
    assert morsel(guarded.log_in(guarded.viewer, **{"X-Forwarded-Proto": "https"}))["secure"] is True


def test_a_browser_forgets_when_the_token_ends(guarded: Guarded) -> None:
    """And not before 30 days are over otherwise."""
    token, holder = add(guarded.file, new_id(), Role.VIEWER, 2)
    answer = guarded.log_in(token)
    assert answer.json["until"] == holder.until
    assert 2 * 86_400 <= int(morsel(answer)["max-age"]) <= 3 * 86_400


def test_other_sites_can_neither_log_in_nor_use_a_log_in(guarded: Guarded, store: Store) -> None:
    """A page elsewhere gets nothing done with the cookie of a browser it runs in."""
    logged_in = guarded.cookie(guarded.operator)
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert guarded.log_in(guarded.operator, **foreign).status == 403
        assert guarded.server.ask("POST", OPERATIONS, BODY, JSON | logged_in | foreign).status == 403
        assert guarded.server.get("/api/v1/stream", **logged_in, **foreign).status == 403
    with pytest.raises(InvalidStatus) as refused:
        watch(guarded, {**logged_in, "Origin": "https://evil.example"})
    assert refused.value.response.status_code == 403
    assert messages_in(store) == 0


def watch(guarded: Guarded, headers: dict[str, str]) -> None:
    with guarded.server.watch("operations", additional_headers=headers) as watcher:
        watcher.until("snapshot")


@pytest.mark.parametrize("way", ["token", "cookie"])
def test_who_is_let_in_watches_live(guarded: Guarded, way: str) -> None:
    """With a WebSocket, or a stream; a stranger's is never upgraded."""
    headers = bearer(guarded.viewer) if way == "token" else guarded.cookie(guarded.viewer)
    watch(guarded, headers)
    request = urllib.request.Request(f"{guarded.server.url}api/v1/stream", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as stream:
        assert b"hello" in b"".join(stream.readline() for _ in range(4))
    with pytest.raises(InvalidStatus) as refused:
        watch(guarded, {"Cookie": f"{COOKIE}=nobody"})
    assert refused.value.response.status_code == 401


def test_taking_a_token_back_ends_what_it_has_open(guarded: Guarded) -> None:
    """Within seconds, with the reason and a close code of its own; those of others stay."""
    name = new_id()
    token, _ = add(guarded.file, name, Role.OPERATOR, None)
    request = urllib.request.Request(f"{guarded.server.url}api/v1/stream", headers=bearer(token))
    mine, others = bearer(token), bearer(guarded.viewer)
    with (
        guarded.server.watch("operations", additional_headers=mine) as watcher,
        guarded.server.watch("operations", additional_headers=others) as other,
        closing(urllib.request.urlopen(request, timeout=20)) as stream,
    ):
        guarded.take_back(name)
        assert "no longer good" in watcher.until("bye")["reason"]
        with pytest.raises(ConnectionClosed):
            watcher.until("never")
        assert watcher.socket.close_code == 4401
        assert b'"bye"' in stream.read()
        seen = len(other.seen)
        other.until("heartbeat")
        assert "bye" not in {message["type"] for message in other.seen[seen:]}
    assert guarded.ask("GET", OPERATIONS, token).status == 401


def test_a_file_that_is_spoiled_lets_nobody_in_until_it_is_mended(guarded: Guarded) -> None:
    """Better nobody than everybody; health is still told, so that nobody restarts the server for it."""
    good = guarded.file.read_text()
    guarded.file.write_text("spoiled\n")
    try:
        wait_for(lambda: guarded.ask("GET", OPERATIONS, guarded.operator).status == 401)
        assert guarded.server.get("/healthz").status == 200
    finally:
        guarded.file.write_text(good)
    assert guarded.ask("GET", OPERATIONS, guarded.operator).status == 200


def test_any_name_leads_here(guarded: Guarded) -> None:
    """Behind a proxy the server has the name under which people know it; a log-in counts under its own name only."""
    host = {"Host": "tracker.example.org"}
    assert guarded.server.get("/healthz", **host).status == 200
    assert guarded.server.get(OPERATIONS, **host).status == 401
    own = host | bearer(guarded.operator) | {"Origin": "http://tracker.example.org", "Sec-Fetch-Site": "same-origin"}
    assert guarded.server.ask("POST", OPERATIONS, BODY, JSON | own).status == 202


def test_the_log_in_leads_back_to_where_somebody_wanted_to(guarded: Guarded) -> None:
    """With the query, which other parts of the address cannot be taken for."""
    answer = guarded.server.get("/history?status=error&q=a%26b")
    assert answer.headers["location"] == "/login?next=/history%3Fstatus%3Derror%26q%3Da%2526b"


def test_no_token_is_ever_logged(guarded: Guarded) -> None:
    """Neither good ones nor wrong ones; that somebody tries is."""
    wrong = new_token()
    guarded.ask("GET", OPERATIONS, wrong)
    guarded.log_in(wrong)
    guarded.ask("GET", OPERATIONS, guarded.operator)
    log = wait_for(lambda: "nobody's" in (text := guarded.server.log.read_text()) and text)
    assert not [token for token in (wrong, guarded.operator, guarded.viewer) if token in log]


def test_below_a_base_path_and_on_every_address(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """With tokens other machines may reach it; page, log-in and cookie stand below the path."""
    file = tmp_path / "tokens"
    token, _ = add(file, "ada", Role.OPERATOR, None)
    more = {VARIABLE: str(file), "TRACKER_BASE_PATH": "/t", "TRACKER_BIND": "0.0.0.0:0"}
    with serving(redis_url, namespace, tmp_path / "log", more) as server:
        assert server.get("/t/workers").headers["location"] == "/t/login?next=/t/workers"
        assert b'data-base="/t"' in server.get("/t/login").body
        kept = morsel(server.ask("PUT", "/t/api/v1/login", {"token": token}))
        assert kept["path"] == "/t/"
        assert server.get("/t/workers", Cookie=f"{COOKIE}={kept.value}").status == 200


def test_without_tokens_nobody_has_to_log_in(server: Server) -> None:
    """The page for it leads on, and everybody is told that everything is allowed."""
    assert (server.get("/login").status, server.get("/login").headers["location"]) == (303, "/")
    everybody = {"name": "", "role": "operator", "until": None}
    answer = server.ask("PUT", "/api/v1/login", {"token": "any"})
    assert (answer.json, "set-cookie" in answer.headers) == (everybody, False)
    assert server.get("/api/v1/login").json == everybody


@pytest.mark.parametrize("content", [None, "nonsense\n"])
def test_it_does_not_start_with_a_file_it_cannot_read(tmp_path: Path, content: str | None) -> None:
    """Exit code 2, and one line that names the variable, the file and the reason."""
    file = tmp_path / "tokens"
    if content is not None:
        file.write_text(content)
        os.chmod(file, 0o600)
    ended = start(TRACKER_BIND="127.0.0.1:0", **{VARIABLE: str(file)})
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert VARIABLE in ended.stderr
    assert str(file) in ended.stderr
