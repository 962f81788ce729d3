"""The releases of Celery that are supported, each in an environment of its own with the redis-py that it allows.

Asked for with ``-m versions``, as their packages have to be fetched.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installed.conftest import ROOT, Shop
from tests.support import wait_for
from tracker.model import Status

pytestmark = [pytest.mark.versions, pytest.mark.timeout(300)]


def interpreter(folder: Path, celery: str) -> str:
    """A Python that has that release of Celery, and what the tracker needs."""
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, f"celery[redis]=={celery}", *core], check=True, timeout=240)
    return python


@pytest.fixture(scope="module", params=["5.5.*", "5.6.*", "5.7.*"])
def shop(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A prefork worker of that release."""
    folder = tmp_path_factory.mktemp("version")
    shop = Shop(redis_url, folder, python=interpreter(folder / "venv", request.param))
    yield shop
    shop.stop()


def test_tasks_are_operations(shop: Shop, tmp_path: Path) -> None:
    """With steps, errors, children, retries, cancels and the deaths of processes."""
    assert shop.ended(shop.script("print(shop.steps.delay(1))")).title == "Order 1"
    assert shop.ended(shop.send("shop.fails")).status is Status.ERROR
    parent = shop.send("shop.chained")
    shop.once(parent, lambda found: found.children.complete == 6)
    assert shop.ended(shop.send("shop.again", 0)).attempt == 2
    assert shop.ended(shop.send("shop.replaced")).attempt == 2
    assert shop.ended(shop.send("shop.dies")).status is Status.LOST
    assert shop.ended(shop.send("shop.dies_once", str(tmp_path / "died"))).attempt == 2
    assert shop.ended(shop.send("shop.hard")).status in (Status.LOST, Status.ERROR)
    id = shop.send("shop.busy")
    shop.once(id, lambda found: found.step)
    assert shop.store.cancel(id, "ada")
    assert shop.ended(id).status is Status.CANCELLED
    wait_for(lambda: shop.app.AsyncResult(id).state == "REVOKED")
