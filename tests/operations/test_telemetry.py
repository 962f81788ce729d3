"""``telemetry.setup`` and ``telemetry.teardown`` with a real environment, real processes and a real service."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.operations.conftest import Told
from tests.support import wait_for
from workers.operations import telemetry
from workers.operations.commands import CommandFailed, clean_env, run_command
from workers.operations.telemetry import INSTALL, START, STEPS, STOP, set_up, tear_down
from workers.operations.telemetry_control import TelemetryError, exclusive, launch, running


def call(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
    """Status and content of the service's answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, body)
        with connection.getresponse() as answer:
            return answer.status, json.loads(answer.read())


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def home(state_dir: Path) -> Iterator[Path]:
    """The telemetry folder; whatever service a failed test left running is ended."""
    folder = state_dir / "telemetry"
    folder.mkdir()
    yield folder
    left = running(folder)
    if left is not None:
        os.kill(left.pid, signal.SIGTERM)


def set_up_or_skip() -> None:
    """Run the setup; a machine that cannot reach its package registry skips, one that promises to (CI) fails."""
    try:
        set_up()
    except CommandFailed as error:
        if "Installing" in f"{error}" and os.environ.get("CI") != "true":
            pytest.skip(f"the package registry cannot be reached: {error}")
        raise


@pytest.mark.timeout(600)
def test_setup_installs_validates_and_starts_and_teardown_stops(home: Path, told: Told) -> None:
    """The whole life: a real install, a span read back, a service that counts spans, a second setup, the end."""
    set_up_or_skip()

    assert told.complete == list(STEPS)
    assert told.ended(INSTALL)["detail"].startswith("opentelemetry-sdk 1.")
    service = running(home)
    assert service is not None
    assert service.url in told.ended(START)["detail"]
    assert (home / "telemetry.env").stat().st_mode & 0o077 == 0
    status, health = call(service.port, "GET", "/healthz")
    assert (status, health["pid"], health["spans"]) == (200, service.pid, 1)
    assert told.ended(INSTALL)["detail"] == f"opentelemetry-sdk {health['version']}"
    assert call(service.port, "POST", "/v1/spans", b'{"spans": [{"name": "a"}, {"name": "b"}]}') == (202, {"spans": 3})

    told.events.clear()
    set_up()

    assert told.ended(INSTALL)["detail"].startswith("already installed")
    assert told.ended(START)["detail"] == f"already running at {service.url} (process {service.pid})"

    told.events.clear()
    tear_down()

    assert told.ended(STOP)["detail"] == f"stopped process {service.pid}"
    assert not listens(service.port)
    assert not (home / "service.json").exists()

    told.events.clear()
    tear_down()

    assert told.ended(STOP)["detail"] == "no telemetry service was running"


FAKE_SDK = {
    "opentelemetry/sdk/trace/__init__.py": """
class Span:
    def end(self): pass

class TracerProvider:
    def get_tracer(self, name): return self
    def start_span(self, name): return Span()
""",
    "opentelemetry_sdk-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: opentelemetry-sdk\nVersion: 1.0\n",
}
"""Just enough of the package to start the service without installing anything."""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The service's command with this Python, which sees a stand-in for OpenTelemetry."""
    for name, content in FAKE_SDK.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    start = f"import sys, runpy; sys.path.insert(0, {f'{tmp_path}/site'!r}); script = sys.argv.pop(1); "
    code = f"{start}runpy.run_path(script, run_name='__main__')"
    return [sys.executable, "-I", "-c", code, f"{telemetry.SCRIPT}", "serve"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"spans": 1}',
        b'{"spans": [{}]}',
        b'{"spans": [{"name": 1}]}',
        b"[" * 50_000,
        b"x" * 2**21,
    ],
)
def test_the_service_refuses_what_is_no_list_of_spans(home: Path, command: list[str], body: bytes) -> None:
    """A bad body is answered with 400 and counts nothing."""
    service = launch(home, command, {})

    try:
        status, answer = call(service.port, "POST", "/v1/spans", body)
    except (ConnectionError, http.client.HTTPException):
        status, answer = 400, {}  # A body over the limit may be cut off while it is still being sent.

    assert (status, "spans" in answer) == (400, False)
    assert call(service.port, "GET", "/healthz")[1]["spans"] == 1
    assert call(service.port, "GET", "/else")[0] == 404


def test_a_service_that_dies_at_once_shows_its_reason(home: Path) -> None:
    """The last line of its log is the error, and no record of it is left."""
    command = [sys.executable, "-I", f"{telemetry.SCRIPT}", "serve"]

    with pytest.raises(TelemetryError, match=r"did not answer: .*No package metadata was found for opentelemetry"):
        launch(home, command, {})

    assert not (home / "service.json").exists()


def test_teardown_leaves_a_process_alone_that_only_has_the_recorded_id(home: Path, told: Told) -> None:
    """After a restart of the machine the recorded process id may be anybody's: it has to answer as ours first."""
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
        socket.create_server(("127.0.0.1", 0)) as closed,
    ):
        port = closed.getsockname()[1]
        closed.close()
        (home / "service.json").write_text(json.dumps({"id": "x", "pid": other.pid, "port": port}))

        tear_down()

        assert other.poll() is None
        other.kill()
    assert told.ended(STOP)["detail"] == "no telemetry service was running"
    assert not (home / "service.json").exists()


def test_a_service_of_another_id_is_not_taken_for_ours(home: Path, command: list[str]) -> None:
    """Another state folder's service may have the recorded port by now."""
    service = launch(home, command, {})
    record = home / "service.json"
    ours = record.read_text()
    record.write_text(ours.replace(service.id, "0" * 32))

    assert running(home) is None
    tear_down()
    assert listens(service.port)

    record.write_text(ours)
    tear_down()
    wait_for(lambda: not listens(service.port))


@pytest.mark.parametrize("operation", [set_up, tear_down])
def test_only_one_telemetry_operation_works_at_a_time(home: Path, operation: Callable[[], None]) -> None:
    """The second is told so at once rather than mixing both installations."""
    with exclusive(home), pytest.raises(TelemetryError, match="Another telemetry operation is at work"):
        operation()


def test_a_failing_program_gives_one_line_without_credentials() -> None:
    """What the program said last is the reason; user and password of a URL are cut out."""
    code = "import sys; sys.exit('Looking\\nERROR: https://me:hunter2@registry.example/ refused\\n')"

    with pytest.raises(CommandFailed, match=r"^Installing x failed: ERROR: https://registry.example/ refused$"):
        run_command("Installing x", [sys.executable, "-c", code], timeout=60)


def test_a_failing_program_gives_bounded_output() -> None:
    """A program that prints megabytes does not fill the screen."""
    with pytest.raises(CommandFailed) as caught:
        run_command("Talking", [sys.executable, "-c", "import sys; sys.exit('x' * 1_000_000)"], timeout=60)

    assert len(f"{caught.value}") < 600


def test_a_program_that_hangs_is_stopped() -> None:
    """The time limit ends the program and says so."""
    with pytest.raises(CommandFailed, match=r"took longer than 0\.2 s"):
        run_command("Waiting", [sys.executable, "-c", "import signal; signal.pause()"], timeout=0.2)


def test_a_program_that_is_not_there_says_so() -> None:
    """No traceback for a missing interpreter."""
    with pytest.raises(CommandFailed, match="could not be started: No such file"):
        run_command("Starting", ["/nowhere/python"], timeout=1)


def test_programs_do_not_see_the_settings_of_the_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords in TRACKER_* stay here, and Python's own variables do not bend the other environment."""
    monkeypatch.setenv("TRACKER_REDIS_URL", "redis://:secret@localhost/0")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")

    assert not {"TRACKER_REDIS_URL", "PYTHONPATH"} & set(clean_env())
    assert clean_env()["PATH"] == os.environ["PATH"]


def test_an_environment_file_that_people_changed_is_kept_and_read(home: Path) -> None:
    """Comments and quotes are understood; a line that cannot be read is named."""
    path = home / "telemetry.env"
    telemetry._configure(home, "team a")
    assert telemetry._environment(home)["OTEL_RESOURCE_ATTRIBUTES"] == "service.namespace=team a"

    path.write_text("# mine\n\nOTEL_SERVICE_NAME='my service'\n")
    assert telemetry._configure(home, "default") == "kept telemetry.env"
    assert telemetry._environment(home) == {"OTEL_SERVICE_NAME": "my service"}

    path.write_text("OTEL_SERVICE_NAME=a\nnonsense\n")
    with pytest.raises(TelemetryError, match="in line 2"):
        telemetry._environment(home)
