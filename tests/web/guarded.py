"""A server that wants tokens, as tests of all that asks it hold it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

from tests.web.client import Answer, Server, serving
from tracker.tokens import VARIABLE, Role, add
from web.access import COOKIE


@dataclass
class Guarded:
    """The server, the tokens of two people, and the file that says so."""

    server: Server
    file: Path
    operator: str
    """Of ada."""
    viewer: str
    """Of vic."""

    def ask(self, method: str, path: str, token: str, body: object = None) -> Answer:
        return self.server.ask(method, path, body, bearer(token))

    def log_in(self, token: str, **headers: str) -> Answer:
        return self.server.ask("PUT", "/api/v1/login", {"token": token}, headers)

    def cookie(self, token: str) -> dict[str, str]:
        """The header of a browser that is logged in."""
        return {"Cookie": f"{COOKIE}={morsel(self.log_in(token)).value}"}

    def take_back(self, name: str) -> None:
        """Remove the line of ``name``."""
        rows = self.file.read_text().splitlines(True)
        self.file.write_text("".join(row for row in rows if not row.startswith(f"{name} ")))


def bearer(token: str) -> dict[str, str]:
    """The header of a program."""
    return {"Authorization": f"Bearer {token}"}


def morsel(answer: Answer) -> Morsel[str]:
    """The cookie that an answer sets."""
    return SimpleCookie(answer.headers["set-cookie"])[COOKIE]


@contextmanager
def guarding(redis_url: str, namespace: str, folder: Path) -> Iterator[Guarded]:
    """Such a server, with its file in ``folder``."""
    file = folder / "tokens"
    operator, viewer = add(file, "ada", Role.OPERATOR, None)[0], add(file, "vic", Role.VIEWER, None)[0]
    with serving(redis_url, namespace, folder / "log", {VARIABLE: str(file)}, heartbeat=0.3) as server:
        yield Guarded(server, file, operator, viewer)
