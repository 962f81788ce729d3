"""Warnings, time limits, kept results and last words, from a script to the page."""

from __future__ import annotations

import subprocess
import sys

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import System

SCRIPT = """
import time
from tracker import StepTracker, event_bus
for resume in (False, True):
    try:
        with StepTracker("Nightly import", id="nightly", resume=resume, display="quiet",
                         steps=["Load", "Check", "Import", "Publish"]) as tracker:
            tracker.run("Load", len, "orders")
            with tracker.step("Check", warn_after=0.001) as step:
                step.warn("row 7 has no name")
                step.warn("row 9 has <b>no</b> name")
                time.sleep(0.01)
            with tracker.step("Import") as step, StepTracker("Read file", display="quiet") as inner:
                for row in inner.track("Parse", range(5000), unit="rows"):
                    if row == 812:
                        inner.log("line 812 of orders.csv")
                        raise ValueError("Invalid field 'model_id'")
    except ValueError:
        event_bus.flush(10)
"""


@pytest.mark.browser
def test_the_page_says_what_is_unusual_and_what_was_said_last(system: System, page: Page) -> None:
    """A word for each: reused, over its time, warnings; and the lines logged last, with the whole path."""
    subprocess.run([sys.executable, "-c", SCRIPT], env=system.environment, check=True, timeout=60)
    page.goto(f"{system.url}/operations/nightly")
    main = page.get_by_role("main")
    main.get_by_text("line 812 of orders.csv").wait_for()
    for text in ("attempt 2", "2 warnings", "reused", "over ", "row 9 has <b>no</b> name", "at step 3/4", "not run"):
        assert main.get_by_text(text).first.is_visible(), text
    path = main.get_by_label("Where it failed").inner_text().split("\n")
    assert path == ["Nightly import", "Import", "Read file", "Parse"]
    page.screenshot(path=str(system.folder / "warnings.png"), full_page=True)
