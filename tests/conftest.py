"""Fixtures that several test files share."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.lanes import Lanes
from tests.support import Clock
from tracker import _sink, event_bus
from tracker import clock as clocks
from tracker.bus import BusEvent
from tracker.embedded import ensure_server
from tracker.testing import capture_events

LEFT_ALONE = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGCHLD,
    signal.SIGTSTP,
)
"""Signals of which the tests are to keep the handlers."""

# No test depends on how fast the machine is.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of the caller reaches a test, of ours or of Python; none writes into the caller's own state folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("TRACKER_", "PYTHON"))]:
            patch.delenv(name)
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state-home")))
        yield


@pytest.fixture(scope="session", autouse=True)
def usual_signals() -> None:
    """Processes started by tests take signals as usual, also where the tests run with nohup or in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def process_state() -> dict[str, object]:
    """What a test could leave behind in this process for all that come after it, on whichever worker they run."""
    signals = {number.name: signal.getsignal(number) for number in LEFT_ALONE}
    environment = {name: text for name, text in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {"signal handlers": signals, "environment": environment, "current folder": os.getcwd()}


@pytest.fixture(autouse=True)
def leaves_the_process_alone() -> Iterator[None]:
    """No test depends on another one having run, or not, before it."""
    before = process_state()
    yield
    changed = [name for name, found in process_state().items() if found != before[name]]
    assert not changed, f"the test leaves other {', '.join(changed)} behind"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server of this test session, on a free port."""
    server = ensure_server(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.stop()


@pytest.fixture
def events() -> Iterator[list[BusEvent]]:
    """Everything the bus tells while the test runs."""
    with capture_events() as captured:
        yield captured


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    """The bus connected to lanes for one test."""
    made = Lanes()
    event_bus.connect(lambda: made)
    yield made
    event_bus.connect(_sink)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which this process judges silence, standing still but for the test."""
    clock = Clock()
    monkeypatch.setattr(clocks, "elapsed", clock)
    return clock


@pytest.fixture
def namespace() -> str:
    """A namespace that nobody else uses, so that tests share the server and nothing in it."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """An empty state folder of one test."""
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path
