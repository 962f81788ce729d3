"""The releases of Celery that are supported, each in an environment of its own with the redis-py that it allows.

Asked for with ``-m versions``, as their packages have to be fetched.
"""

from __future__ import annotations

import os
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


def interpreter(folder: Path, celery: str, *more: str) -> str:
    """A Python that has that release of Celery, what the tracker needs, and more packages."""
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, f"celery[redis]=={celery}", *core, *more], check=True, timeout=240)
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


SETTINGS = """
import os
SECRET_KEY = "x"
INSTALLED_APPS = ["orders"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CELERY_BROKER_URL = os.environ["SHOP_BROKER"]
CELERY_TASK_DEFAULT_QUEUE = os.environ["SHOP_QUEUE"]
CELERY_TRACKER_NAMESPACE = os.environ["SHOP_QUEUE"]
"""

APP = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
from celery import Celery
from tracker.celery import install
app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
install(app)
"""

TASKS = """
from celery import shared_task
from tracker import StepTracker
@shared_task
def pack(number):
    from django.contrib.auth import get_user_model  # Only where Django is set up.
    with StepTracker(f"Pack {number}", steps=["One"]) as tracker:
        tracker.step("One")
"""


def test_a_django_project_needs_the_same_two_lines(redis_url: str, tmp_path: Path) -> None:
    """Its settings are Django's, its tasks are found by themselves, and its views send them."""
    project = {
        "project/__init__.py": "from project.celery import app",
        "project/settings.py": SETTINGS,
        "project/celery.py": APP,
        "orders/__init__.py": "",
        "orders/tasks.py": TASKS,
    }
    for name, text in project.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    python = interpreter(tmp_path / "venv", "5.7.*", "Django")
    shop = Shop(redis_url, tmp_path, app="project", python=python, PYTHONPATH=f"{tmp_path}:{ROOT}")
    try:
        code = "import django; django.setup(); from orders.tasks import pack; print(pack.delay(3))"
        environment = os.environ | {name: text for name, text in shop.environment.items() if "TRACKER" not in name}
        sent = subprocess.run(
            [python, "-c", f"import project; {code}"], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert sent.returncode == 0, sent.stderr
        found = shop.ended(sent.stdout.strip())
        assert (found.name, found.title, found.status) == ("orders.tasks.pack", "Pack 3", Status.COMPLETE)
    finally:
        shop.stop()
