"""The same commands twice: straight to Redis, and to a real web server, in a namespace that both show."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Command
from tests.sources.asking import Asker, Told, asking
from tests.web.client import Server, serving
from tracker.archive import Archive
from tracker.cli.source import Source
from tracker.cli.source.direct import Direct
from tracker.cli.source.remote import Remote
from tracker.history import History
from tracker.settings import Settings
from tracker.store import Hold, JobInfo, Store

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}

CLOCK = re.compile(r"^\d\d:\d\d:\d\d", re.MULTILINE)
"""When a line was written, which is the command's own time."""


Both = Callable[..., Told]
Start = Callable[..., Command]


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What reads straight from the archive leaves it open, as its process ends soon; this one does not."""
    opened: list[Archive] = []

    def of(settings: Settings, store: Store) -> History:
        opened.append(Archive(settings.archive, settings.namespace))
        return History(store, opened[-1])

    monkeypatch.setattr(History, "of", of)
    yield
    for archive in opened:
        archive.close()


@pytest.fixture(scope="session")
def shared(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The namespace of these tests, as the environment names it; a recorder that does nothing keeps it."""
    namespace = f"sources-{uuid.uuid4().hex[:12]}"
    store = Store(redis_url, namespace)
    store.append([Hold("recorder", 36_000)])
    store.publish_jobs("gone", [JobInfo("idle", SCHEMA, f"queue-{namespace}")])
    store.withdraw_worker("gone")
    store.client.disconnect()
    folder = tmp_path_factory.mktemp("sources")
    return {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace, "TRACKER_STATE_DIR": str(folder / "state")}


@pytest.fixture(scope="session")
def server(shared: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The web server of that namespace, with heartbeats at a pace at which a test can hear some."""
    log = tmp_path_factory.mktemp("sources-web") / "server.log"
    more = {"TRACKER_STATE_DIR": shared["TRACKER_STATE_DIR"]}
    with serving(shared["TRACKER_REDIS_URL"], shared["TRACKER_NAMESPACE"], log, more, heartbeat=0.5) as server:
        yield server


@pytest.fixture
def store(shared: dict[str, str]) -> Iterator[Store]:
    """Where tests make things happen, with a live worker that runs the job ``copy``; ``idle`` no worker runs."""
    store = Store(shared["TRACKER_REDIS_URL"], shared["TRACKER_NAMESPACE"])
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, f"queue-{store.keys.namespace}", description="Copy a file.")])
    yield store
    store.client.disconnect()


@pytest.fixture
def id() -> str:
    """An id that nobody else uses, so that tests share the namespace and nothing in it."""
    return f"id-{uuid.uuid4().hex}"


@pytest.fixture
def direct(shared: dict[str, str]) -> dict[str, str]:
    """The environment of a command that reads Redis and the archive itself."""
    return _environment() | shared


@pytest.fixture
def remote(server: Server, tmp_path: Path) -> dict[str, str]:
    """The environment of a command on a machine that has neither."""
    return _environment() | {"TRACKER_SERVER": server.url, "TRACKER_STATE_DIR": str(tmp_path / "nothing")}


@pytest.fixture(params=["direct", "remote"])
def way(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a command, each way."""
    environment: dict[str, str] = request.getfixturevalue(request.param)
    return environment


@pytest.fixture
def source(way: dict[str, str]) -> Source:
    """The source that a command of that environment would use."""
    settings = Settings.from_env(way)
    return Remote(settings.server, settings.token) if settings.server else Direct(settings)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start ``tracker ARGUMENTS`` in an environment; all of them have ended with the test."""
    started: list[Command] = []

    def begin(environment: dict[str, str], *arguments: str) -> Command:
        command = Command(arguments, environment, None, "/")
        started.append(command)
        return command

    yield begin
    for command in started:
        command.close()


@pytest.fixture(scope="session")
def askers(
    shared: dict[str, str], server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Asker, Asker]]:
    """A process that runs commands straight to Redis, and one that runs them over HTTP."""
    nothing = str(tmp_path_factory.mktemp("remote") / "nothing")
    over_http = {"TRACKER_SERVER": server.url, "TRACKER_STATE_DIR": nothing}
    with asking(_environment() | shared) as first, asking(_environment() | over_http) as second:
        yield first, second


@pytest.fixture
def both(askers: tuple[Asker, Asker]) -> Both:
    """Run a command both ways; what it says, which is the same."""

    def run(*arguments: str) -> Told:
        for asker in askers:
            asker.send(*arguments)
        answers = [asker.answer() for asker in askers]
        first, second = (told._replace(out=CLOCK.sub("…", told.out)) for told in answers)
        assert second == first
        return first

    return run


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    return kept | {"LANG": "C.UTF-8"}
