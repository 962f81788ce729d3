"""``telemetry.setup`` and ``telemetry.teardown``: a private OpenTelemetry environment and its local service.

Owns the ``telemetry`` folder in the state folder: the environment, the environment file, the record of the running
service, its log. The service itself is ``telemetry_service.py``, run by the private environment's Python.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from tracker import StepTracker
from tracker.celery import job
from tracker.settings import Settings
from workers.operations.commands import CommandFailed, run_command
from workers.operations.telemetry_control import TelemetryError, exclusive, launch, running, stop
from workers.operations.writing import replacing

REQUIREMENT = "opentelemetry-sdk>=1.20,<2"
VENV_TIMEOUT, INSTALL_TIMEOUT, CHECK_TIMEOUT = 120.0, 300.0, 60.0
"""Seconds each program may take."""

SCRIPT = Path(__file__).with_name("telemetry_service.py")
STEPS = ("Installing dependencies", "Configuring environment", "Running validation", "Starting telemetry service")
INSTALL, CONFIGURE, VALIDATE, START = STEPS
STOP = "Stopping telemetry service"


def set_up() -> None:
    """Install OpenTelemetry into a private environment, validate it and start a local service; safe to repeat.

    Raises ``CommandFailed`` when a program fails and ``TelemetryError`` when what it did is not what was expected.
    """
    settings = Settings.from_env()
    home = _home(settings)
    with StepTracker("Setting up telemetry", steps=STEPS) as tracker, exclusive(home):
        with tracker.step(INSTALL) as step:
            step.detail = _install(home)
        with tracker.step(CONFIGURE) as step:
            step.detail = _configure(home, settings.namespace)
        with tracker.step(VALIDATE) as step:
            step.detail = _validate(home)
        with tracker.step(START) as step:
            step.detail = _start(home)


def tear_down() -> None:
    """Stop the local service; the environment stays, so that the next setup is quick. Says when nothing ran."""
    home = _home(Settings.from_env())
    with StepTracker("Stopping telemetry", steps=[STOP]) as tracker, tracker.step(STOP) as step, exclusive(home):
        step.detail = _stop(home)


def _home(settings: Settings) -> Path:
    home = (settings.state_dir / "telemetry").absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def _python(home: Path) -> str:
    return f"{home / 'venv' / 'bin' / 'python'}"


def _install(home: Path) -> str:
    try:
        return f"already installed: {_installed(home)}"
    except CommandFailed:
        make = [sys.executable, "-I", "-m", "venv", "--clear", f"{home / 'venv'}"]
        run_command("Making the environment", make, timeout=VENV_TIMEOUT)
    pip = [_python(home), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    run_command("Installing opentelemetry-sdk", [*pip, REQUIREMENT], timeout=INSTALL_TIMEOUT)
    return _installed(home)


def _installed(home: Path) -> str:
    """What is installed, as ``NAME VERSION``; raises ``CommandFailed`` if the environment cannot be used."""
    code = "import importlib.metadata, opentelemetry.sdk.trace; print(importlib.metadata.version('opentelemetry-sdk'))"
    version = run_command("Loading opentelemetry-sdk", [_python(home), "-I", "-c", code], timeout=CHECK_TIMEOUT)
    return f"opentelemetry-sdk {version.strip()}"


def _configure(home: Path, namespace: str) -> str:
    """Write the environment file, unless there is one: what people changed in it stays."""
    path = home / "telemetry.env"
    if path.exists():
        return "kept telemetry.env"
    values = {
        "OTEL_SERVICE_NAME": "tracker",
        "OTEL_RESOURCE_ATTRIBUTES": f"service.namespace={namespace}",
        "OTEL_TRACES_SAMPLER": "always_on",
    }
    with replacing(path) as file:
        file.write("".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items()).encode())
    return "wrote telemetry.env"


def _environment(home: Path) -> dict[str, str]:
    """The environment file as a mapping; raises ``TelemetryError`` naming the line that cannot be read."""
    values: dict[str, str] = {}
    lines = (home / "telemetry.env").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not (key.strip() and equals):
            raise TelemetryError(f"telemetry.env cannot be read in line {number}; write NAME=VALUE, or delete the file")
        values[key.strip()] = "".join(shlex.split(value))
    return values


def _validate(home: Path) -> str:
    """Have the environment make a span and read it back."""
    environment = _environment(home)
    command = [_python(home), "-I", f"{SCRIPT}", "check"]
    output = run_command("Validation", command, timeout=CHECK_TIMEOUT, env=environment)
    try:
        found = json.loads(output)
    except ValueError as error:
        raise TelemetryError("Validation failed: the span did not come back; queue telemetry.setup again") from error
    expected = environment.get("OTEL_SERVICE_NAME", found["service"])
    if found["span"] != "validation" or found["service"] != expected:
        raise TelemetryError(f"Validation failed: the span came from service {found['service']!r}, not {expected!r}")
    return f"span read back from service {found['service']}"


def _start(home: Path) -> str:
    found = running(home)
    if found:
        return f"already running at {found.url} (process {found.pid})"
    command = [_python(home), "-I", f"{SCRIPT}", "serve"]
    started = launch(home, command, _environment(home))
    return f"answers at {started.url} (process {started.pid})"


def _stop(home: Path) -> str:
    found = running(home)
    stop(home, found)
    return f"stopped process {found.pid}" if found else "no telemetry service was running"


@job(name="telemetry.setup")
def setup() -> None:
    """Install OpenTelemetry into a private environment of this machine and start a local service."""
    set_up()


@job(name="telemetry.teardown")
def teardown() -> None:
    """Stop the local service of this machine."""
    tear_down()
