"""Who is refused, before anything happens, and what every answer carries."""

from __future__ import annotations

import dataclasses
import re
import socket

import pytest
from websockets.exceptions import InvalidStatus

from tests.web.client import ROOT, Server
from tests.web.conftest import messages_in
from tracker.settings import Settings
from tracker.store import Store
from web.app import create_app

OPERATIONS = "/api/v1/operations"
BODY = {"job": "copy", "args": {"path": "a"}}

ROUTES = [
    ("GET", "/"),
    ("GET", "/operations/op"),
    ("GET", "/operations/a%20b"),
    ("GET", "/static/0/app.js"),
    ("GET", "/nowhere"),
    ("GET", OPERATIONS),
    ("GET", f"{OPERATIONS}/none"),
    ("GET", f"{OPERATIONS}/none/children"),
    ("GET", f"{OPERATIONS}?limit=0"),
    ("GET", "/api/v1/jobs"),
    ("GET", "/api/v1/ws"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("HEAD", "/"),
    ("OPTIONS", OPERATIONS),
    ("POST", OPERATIONS),
    ("POST", "/api/v1/batches"),
    ("PUT", OPERATIONS),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_answer_carries_the_protecting_headers(server: Server, method: str, path: str) -> None:
    """Pages load only their own files, data loads nothing, no answer may be read or framed by other sites."""
    answer = server.ask(method, path)
    headers = answer.headers
    is_page = headers.get("content-type", "").startswith("text/html")
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert ("script-src 'self'" in policy) == is_page
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert headers["cache-control"] == ("no-cache" if is_page else "no-store")
    assert headers["x-request-id"]
    assert not [name for name in headers if name.startswith("access-control")]
    assert "gunicorn/" not in headers["server"]
    if answer.status >= 400 and method != "HEAD":
        assert answer.json["request_id"] == headers["x-request-id"]


def bad_origins(server: Server) -> list[str]:
    own = server.address
    port = own.rpartition(":")[2]
    return [
        "null",
        "https://evil.example",
        f"http://{own}.evil.example",
        f"http://evil.example/{own}",
        f"http://evil.example?{own}",
        f"http://evil-{own}",
        f"https://{own}",
        "http://127.0.0.1",
        f"http://127.0.0.1:{int(port) - 1}",
        f"http://localhost:{port}",
        f"http://{own}@evil.example",
        f"http://user@{own}",
        f"http://{own}/",
        "",
    ]


def test_no_foreign_origin_reaches_the_live_events(server: Server) -> None:
    """Each is answered 403 over HTTP: the connection is never upgraded."""
    origins = bad_origins(server)
    answers = []
    for origin in origins:
        with pytest.raises(InvalidStatus) as refused, server.watch(additional_headers={"Origin": origin}):
            pass
        answers.append((origin, refused.value.response.status_code))
    assert answers == [(origin, 403) for origin in origins]


def test_no_foreign_origin_can_queue(server: Server, store: Store) -> None:
    """Each is answered 403, and nothing was queued."""
    answers = [server.post(OPERATIONS, BODY, Origin=origin).status for origin in bad_origins(server)]
    assert (set(answers), messages_in(store)) == ({403}, 0)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_what_the_browser_calls_foreign_cannot_queue(server: Server, store: Store, site: str) -> None:
    """Also without an ``Origin`` header, and whatever the content type."""
    assert server.post(OPERATIONS, BODY, **{"Sec-Fetch-Site": site}).status == 403
    form = {"Sec-Fetch-Site": site, "Content-Type": "text/plain"}
    assert server.ask("POST", OPERATIONS, b"{}", form).status == 403
    assert messages_in(store) == 0


def test_the_own_page_may_queue_and_watch(server: Server) -> None:
    """The origin of the server's own pages is let through, in any case of letters that browsers send."""
    own = f"http://{server.address}"
    assert server.post(OPERATIONS, BODY, Origin=own, **{"Sec-Fetch-Site": "same-origin"}).status == 202
    with server.watch("operations", additional_headers={"Origin": own}) as watcher:
        assert watcher.until("snapshot")["operations"]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8420", "[::2]", "0.0.0.0", "localhost@evil"]
)
def test_a_rebound_name_is_refused(server: Server, host: str) -> None:
    """A foreign name that leads here makes no foreign page a page of this server."""
    answer = server.get("/healthz", Host=host)
    assert answer.status in (400, 421)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8420", "LOCALHOST:80"])
def test_this_machines_own_names_are_served(server: Server, host: str) -> None:
    """With any port: it may be forwarded."""
    assert server.get("/healthz", Host=host).status == 200


@pytest.mark.parametrize("path", ["/", OPERATIONS, "/api/v1/ws", "/nowhere"])
def test_a_token_in_a_url_is_refused(server: Server, path: str) -> None:
    """It would be kept by logs and histories; the answer does not repeat it."""
    answer = server.get(f"{path}?token=opensesame")
    assert answer.status == 400
    assert b"opensesame" not in answer.body


def test_an_unexpected_error_shows_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    """The answer has a request id and no cause; the server's log has both."""

    class Broken:
        def operations(self, **query: object) -> None:
            raise RuntimeError("secret detail")

    app = create_app(Settings(redis_url="redis://127.0.0.1:1/0"))
    app.extensions["tracker"] = dataclasses.replace(app.extensions["tracker"], history=Broken())
    answer = app.test_client().get(OPERATIONS, headers={"Host": "localhost"})
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert b"secret" not in answer.data
    assert b"Traceback" not in answer.data
    assert answer.get_json()["request_id"] in caplog.text
    assert "secret detail" in caplog.text


def test_static_files_are_kept_for_long_and_modules_have_their_type(server: Server) -> None:
    """Addresses change with the content, and browsers run modules only with the right type."""
    page = server.get("/").body.decode()
    links = [part.split('"')[0] for part in page.split('"/static/')[1:]]
    assert links
    for link in links:
        answer = server.get(f"/static/{link}")
        assert answer.status == 200
        assert "immutable" in answer.headers["cache-control"]
        assert "no-store" not in answer.headers["cache-control"]
        if link.endswith(".js"):
            assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "", "vendor", "%00"])
def test_only_static_files_are_served_as_such(server: Server, name: str) -> None:
    """Nothing outside their folder can be reached."""
    assets = server.get("/").body.decode().split('"/static/')[1].split("/")[0]
    assert server.get(f"/static/{assets}/{name}").status in (404, 308)


def test_a_broken_handshake_is_refused_over_http(server: Server) -> None:
    """A WebSocket request without key or of another version gets a problem, not an upgrade."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    good = {**upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    wrong = [upgrade, {**good, "Sec-WebSocket-Key": "short"}, {**good, "Sec-WebSocket-Version": "8"}, {}]
    assert [server.get("/api/v1/ws", **headers).status for headers in wrong] == [426] * 4
    assert server.get("/", **good).status == 400


def test_half_a_request_does_not_keep_others_waiting(server: Server) -> None:
    """A client that never finishes its request head costs nobody else an answer."""
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port))) as stalled:
        stalled.sendall(b"POST /api/v1/operations HTTP/1.1\r\nHost: localhost\r\n")
        assert server.get("/healthz").status == 200


def test_the_page_holds_nothing_inline() -> None:
    """The policy forbids inline scripts, styles and handlers, so a page that has some would be broken."""
    page = (ROOT / "web/templates/index.html").read_text()
    assert re.findall(r"<style|<script(?![^>]* src=)|\s(?:style|on\w+)=", page) == []
