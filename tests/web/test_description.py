"""What the description of the API says is what the server does: asked at random, in sequences, and with nonsense."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import wait_for
from tests.web.client import Server, serving, working
from tracker.store import Store
from tracker.tokens import Role, add

LONGEST = 300
"""Seconds after which a trial is ended."""


HOOKS = """
import uuid
import schemathesis

@schemathesis.hook
def before_load_schema(context, raw_schema):
    # A batch of as many items as there may be is queued elsewhere; here it would take all the time there is.
    for name, schema in raw_schema["components"]["schemas"].items():
        if name.startswith("BatchBody."):
            del schema["properties"]["items"]["maxItems"]
            # What follows a batch may hold no secrets and no control characters, which no schema says.
            del schema["properties"]["on_complete"]

@schemathesis.hook
def before_call(context, case, kwargs):
    # A key that is used again with another body is rightly refused; here each request has one of its own.
    key = (case.headers or {}).get("Idempotency-Key")
    if key and len(key) < 200 and key.isascii() and key.isprintable() and " " not in key:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
"""

CONFIG = """
[checks.positive_data_acceptance]
# 410: whoever makes a cursor up is told to go on from another one.
expected-statuses = ["2xx", "404", "409", "410"]
"""


def trial(server: Server, folder: Path, examples: int, *more: str) -> subprocess.CompletedProcess[str]:
    """Everything Schemathesis can think of, against the real server; the stream has no end, so it is left out."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}openapi.json", *more]
    command += ["--exclude-path", "/api/v1/stream", "--max-examples", str(examples), "--seed", "7"]
    command += ["--generation-database", "none", "--no-color", "--request-timeout", "20"]
    (folder / "hooks.py").write_text(HOOKS)
    (folder / "schemathesis.toml").write_text(CONFIG)
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST)


@pytest.mark.parametrize("examples", [5, pytest.param(100, marks=pytest.mark.soak)])
@pytest.mark.timeout(LONGEST + 60)
def test_the_server_does_what_its_description_says(
    redis_url: str, namespace: str, tmp_path: Path, examples: int
) -> None:
    """Every answer is one that is described, to good requests and bad ones; none is a fault of the server."""
    environment = {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace, "TRACKER_STATE_DIR": str(tmp_path)}
    store = Store(redis_url, namespace)
    with (
        working(environment, tmp_path / "worker.log", "tests.web.jobs:app"),
        serving(redis_url, namespace, tmp_path / "web.log", environment) as server,
    ):
        wait_for(lambda: any(job.workers for job in store.jobs()), 60)
        done = trial(server, tmp_path, examples)
    store.client.disconnect()
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    # The server's own word for requests that are not even HTTP.
    told = [line for line in (tmp_path / "web.log").read_text().splitlines() if "Invalid request from" not in line]
    assert told == []


@pytest.mark.timeout(LONGEST + 60)
def test_where_there_are_tokens_the_description_says_so_and_it_is_true(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """Whatever is not described as public refuses whoever has no token, a wrong one, or one in the wrong place."""
    file = tmp_path / "tokens"
    token, _ = add(file, "ada", Role.OPERATOR, None)
    environment = {"TRACKER_TOKENS_FILE": str(file), "TRACKER_STATE_DIR": str(tmp_path)}
    # Nobody guesses a token, so logging in is left out; and without a worker nothing can be queued.
    more = ["--header", f"Authorization: Bearer {token}", "--exclude-path", "/api/v1/login"]
    more += ["--checks", "ignored_auth,status_code_conformance,response_schema_conformance"]
    with serving(redis_url, namespace, tmp_path / "web.log", environment) as server:
        done = trial(server, tmp_path, 2, *more)
        described = server.get("/openapi.json", Authorization=f"Bearer {token}").json
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    operations = [one for methods in described["paths"].values() for one in methods.values()]
    public = {one["operationId"] for one in operations if one.get("security") == []}
    assert public == {"healthz", "readyz", "log_in", "log_out"}
    assert described["security"] == [{"token": []}, {"login": []}]
