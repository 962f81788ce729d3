"""What the deployment files and the wheel promise, started for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.support import free_port, wait_for
from tests.test_packaging import crowded, installed, wheel

__all__ = ["crowded", "installed", "wheel"]


def answer(url: str) -> str:
    """The body of a page, empty while nobody answers well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return str(response.read().decode())
    except OSError:
        return ""


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    wait_for(lambda: answer(f"{url}/readyz") or process.poll() is not None, 60)
    assert process.poll() is None, log.read_text()


def test_the_procfile_starts_a_working_system(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """honcho runs web and worker; both are ready, and end when it is told to."""
    program = tmp_path / "bin" / "tracker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m tracker "$@"\n')
    program.chmod(0o755)
    bind, log = f"127.0.0.1:{free_port()}", tmp_path / "log"
    environment = os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TRACKER_REDIS_URL": redis_url,
        "TRACKER_NAMESPACE": namespace,
        "TRACKER_BIND": bind,
        "TRACKER_STATE_DIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "honcho", "-f", str(ROOT / "Procfile"), "-d", str(tmp_path), "start"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        wait_until_ready(process, f"http://{bind}", log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert not answer(f"http://{bind}/healthz")


@pytest.mark.timeout(180)
def test_the_installed_wheel_runs_a_whole_system(installed: Path, crowded: Path, tmp_path: Path) -> None:
    """In a folder that has its own `web` and `workers`: all assets are there, and a job runs to its end."""
    bind, log = f"127.0.0.1:{free_port()}", tmp_path / "up.log"
    url = f"http://{bind}"
    (tmp_path / "hello.txt").write_text("hello\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "TRACKER_BIND": bind,
        "TRACKER_STATE_DIR": str(tmp_path / "state"),
        "TRACKER_DATA_ROOT": str(tmp_path),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [installed / "bin" / "tracker", "up"], cwd=crowded, env=environment, stdout=output, stderr=output
        )
    try:
        wait_until_ready(process, url, log)
        page = answer(url)
        script = page.partition('type="module" src="')[2].partition('"')[0]
        assert "import" in answer(url + script)
        command = [installed / "bin" / "tracker", "submit", "files.process", "--arg", "path=hello.txt"]
        done = subprocess.run(
            [*command, "--wait", "--exit-status", "--json"],
            cwd=crowded, env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["operation"]["status"] == "complete"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 130, log.read_text()
    assert not answer(f"{url}/healthz")
