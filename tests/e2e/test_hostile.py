"""Hostile names, from a script to every screen: they are shown as text, and do nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import System
from tests.support import wait_for

NAMES = {
    "markup": "[/bold] [link=https://example.org]x[/link] :bomb:",
    "html": '<script>window.taken=1</script><img src=x onerror="window.taken=1">',
    "escapes": "\x1b]0;taken\x07\x1b[2J\x1b[31mred\x9b5m\u202edesrever\u200b",
    "long": "x" * 10_000,
    "lines": "one\r\ntwo\ttab\x00nul",
}

SCRIPT = """
import json, sys
from tracker import StepTracker
for key, name in json.loads(sys.argv[1]).items():
    try:
        with StepTracker(name, id="hostile-" + key, name=name, labels={name: name}, display="quiet") as tracker:
            with tracker.step(name) as step:
                step.detail = name
            with tracker.step("fails"):
                raise ValueError(name)
    except ValueError:
        pass
"""


@pytest.fixture(scope="module")
def hostile(system: System) -> list[str]:
    """Operations whose every text is hostile; their ids."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(NAMES)]
    subprocess.run(command, env=system.environment, check=True, timeout=60)
    return [f"hostile-{key}" for key in NAMES]


@pytest.mark.browser
def test_pages_show_hostile_names_as_text(system: System, hostile: list[str], page: Page) -> None:
    """No script runs, no element appears, and nothing makes the page wider than the window."""
    for path in ("", *(f"/operations/{id}" for id in hostile)):
        page.goto(system.url + path)
        page.get_by_role("main").get_by_text("fails").first.wait_for()
        assert page.evaluate("window.taken") is None
        assert page.locator("img, main script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_terminals_get_no_control_characters(system: System, hostile: list[str]) -> None:
    """Line breaks, and tabs between the columns of a list: nothing moves the cursor or sets the title."""
    for command in (["ls"], ["ls", "--json"], *(["show", id] for id in hostile), ["watch", hostile[2]]):
        output, errors = system.tracker(*command).communicate(timeout=30)
        assert output
        controls = {sign for sign in output + errors if unicodedata.category(sign) in ("Cc", "Cf")}
        assert controls <= {"\n", "\t"}, command


def test_markup_is_shown_as_it_was_written(system: System, hostile: list[str]) -> None:
    """Brackets are neither eaten nor turned into a link or a picture."""
    output, errors = system.tracker("show", "hostile-markup").communicate(timeout=30)
    assert not errors
    assert "[/bold] [link=https://example.org]x[/link] :bomb:" in output


def test_long_names_are_cut_where_they_enter(system: System, hostile: list[str]) -> None:
    """Two hundred characters are enough for a name."""
    operation = wait_for(lambda: system.get("/api/v1/operations/hostile-long"))
    texts = [operation["title"], operation["name"], *operation["labels"], *operation["labels"].values()]
    texts += [text for step in operation["steps"] for text in (step["name"], step.get("detail", ""))]
    assert max(map(len, texts)) == 200
