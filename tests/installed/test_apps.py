"""Apps of many kinds: pools, brokers, settings, and those that do not install anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installed.conftest import ROOT, Shop
from tests.support import wait_for
from tracker.embedded import ensure_server
from tracker.model import Status


@pytest.fixture(scope="module", params=["threads", "solo", "gevent"])
def pooled(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A worker that runs its tasks in another way than in processes of their own."""
    shop = Shop(redis_url, tmp_path_factory.mktemp("pool"), request.param)
    yield shop
    shop.stop()


def test_tasks_are_operations_in_any_pool(pooled: Shop) -> None:
    """Each with its own steps, error and parent."""
    ids = [pooled.send("shop.steps", number) for number in range(6)]
    assert [pooled.ended(id).title for id in ids] == [f"Order {number}" for number in range(6)]
    failed = pooled.ended(pooled.send("shop.fails"))
    assert (failed.status, failed.error and failed.error.type) == (Status.ERROR, "ValueError")
    parent = pooled.send("shop.parent", 3)
    pooled.once(parent, lambda found: found.children.complete == 3)
    assert {child.parent for child in pooled.history.children(parent).items} == {parent}


def test_a_cancelled_task_ends_and_its_worker_goes_on_in_any_pool(pooled: Shop) -> None:
    """Also where it shares a thread with the worker itself."""
    id = pooled.send("shop.busy")
    pooled.once(id, lambda found: found.step)
    assert pooled.store.cancel(id, "ada")
    assert pooled.ended(id).status is Status.CANCELLED
    assert pooled.ended(pooled.send("shop.steps")).status is Status.COMPLETE


def test_the_broker_may_be_another_server_than_the_one_for_events(redis_url: str, tmp_path: Path) -> None:
    """Nothing of the tracker is in the first, nothing of Celery in the second."""
    events = ensure_server(tmp_path / "events")
    shop = Shop(redis_url, tmp_path, TRACKER_REDIS_URL=events.url)
    try:
        assert shop.ended(shop.script("print(shop.steps.delay(1))")).status is Status.COMPLETE
        broker = shop.app.connection().default_channel.client
        assert not broker.keys(f"tracker:{{{shop.namespace}}}:*")
        assert all(key.startswith(b"tracker:") for key in shop.store.client.redis.keys("*"))
    finally:
        shop.stop()
        events.stop()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where Python finds what an installed package says of itself to Celery."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["celery.commands"]
    folder = tmp_path / "steptracker-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: steptracker\nVersion: 1\n")
    lines = [f"{name} = {place}" for name, place in declared.items()]
    (folder / "entry_points.txt").write_text("\n".join(["[celery.commands]", *lines]))
    return f"{ROOT}:{tmp_path}"


def test_celery_has_a_command_that_looks_into_the_app(redis_url: str, path: str, tmp_path: Path) -> None:
    """With the settings that the app has; without any, events are where its broker is."""
    shop = Shop(redis_url, tmp_path)
    try:
        id = shop.send("shop.steps", 9)
        shop.ended(id)
        environment = os.environ | shop.environment | {"PYTHONPATH": path}
        command = [sys.executable, "-m", "celery", "-A", "tests.installed.shop", "tracker"]
        listed = subprocess.run([*command, "ls", "--json"], env=environment, cwd=ROOT, capture_output=True, text=True)
        assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [id], listed.stderr
        refused = subprocess.run([*command, "worker"], env=environment, cwd=ROOT, capture_output=True, text=True)
        assert (refused.returncode, refused.stderr) == (
            2, "tracker: worker is not for an app; start it with `celery -A yourapp worker`\n",
        )  # fmt: skip
    finally:
        shop.stop()


def test_a_setting_that_there_is_not_is_refused_in_one_line(redis_url: str, path: str, tmp_path: Path) -> None:
    """With the one that was probably meant; tasks are not harmed by it."""
    code = "import tests.installed.shop as shop; shop.app.conf.tracker_namespaces = 'x'; app = shop.app"
    (tmp_path / "wrong.py").write_text(code)
    environment = os.environ | {
        "SHOP_BROKER": redis_url, "SHOP_QUEUE": "wrong", "PYTHONPATH": path,
    }  # fmt: skip
    command = [sys.executable, "-m", "celery", "-A", "wrong", "tracker", "ls"]
    refused = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr == (
        "tracker: app.conf has tracker_namespaces, which is no setting of the tracker; "
        "did you mean tracker_namespace?\n"
    )


@pytest.fixture(scope="module")
def plain(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A worker of an app in which nothing is installed."""
    folder = tmp_path_factory.mktemp("plain")
    shop = Shop(redis_url, folder, app="tests.installed.plain", TRACKER_REDIS_URL=redis_url)
    yield shop
    shop.stop()


def test_a_task_may_opt_in_by_its_base_class(plain: Shop) -> None:
    """And no other one is tracked."""
    others = [plain.send("plain.other") for _ in range(3)]
    assert plain.ended(plain.send("plain.opted")).status is Status.COMPLETE
    for id in others:
        plain.app.AsyncResult(id).get(timeout=20)
    assert {found.name for found in plain.history.operations().items} == {"plain.opted"}


def test_a_cancelled_block_ends_its_task_and_not_its_process(plain: Shop) -> None:
    """The same processes run tasks afterwards, and Celery's own result says REVOKED."""

    def pids() -> set[int]:
        """Both of the worker's, once each has run a task."""
        seen: set[int] = set()

        def are_both_seen() -> bool:
            sent = [plain.send("plain.pid") for _ in range(10)]
            seen.update(plain.app.AsyncResult(id).get(timeout=20) for id in sent)
            return len(seen) >= 2

        wait_for(are_both_seen)
        return seen

    before = pids()
    id = plain.send("plain.busy")
    found = wait_for(lambda: next((op for op in plain.history.operations().items if op.title == "Busy"), None))
    assert plain.store.cancel(found.id, "ada")
    assert plain.ended(found.id).status is Status.CANCELLED
    assert wait_for(lambda: plain.app.AsyncResult(id).state == "REVOKED")
    assert pids() == before
