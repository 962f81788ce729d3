"""The public surface: few names, each explained, with an example that runs, and typed."""

from __future__ import annotations

import doctest
import inspect
import pydoc
import weakref
from pathlib import Path

import pytest
from rich.pretty import pretty_repr

import tracker
from tracker import Step, StepTracker
from tracker.bus import EventBus

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "python-api.md").read_text()


def documented(name: str) -> object:
    """What carries the docstring: of a ready-made object, its class."""
    found = getattr(tracker, name)
    return found if inspect.isclass(found) or inspect.isfunction(found) else type(found)


def test_there_are_at_most_fifteen_names_in_order() -> None:
    """What is not listed is not promised."""
    assert len(tracker.__all__) <= 15
    assert tracker.__all__ == sorted(tracker.__all__)


@pytest.mark.parametrize("name", tracker.__all__)
def test_every_name_is_explained_with_an_example_that_runs(name: str) -> None:
    """A docstring, a doctest in it that passes, and a row in the documentation."""
    found = documented(name)
    assert inspect.getdoc(found)
    assert f"| `{name}` |" in DOCS
    tests = doctest.DocTestFinder(recurse=False).find(found, name, globs={"__name__": "example", "tracker": tracker})
    assert sum(len(test.examples) for test in tests), f"the docstring of {name} has no example"
    runner = doctest.DocTestRunner()
    for test in tests:
        vars_of = __import__(found.__module__, fromlist=["_"])
        test.globs.update(vars(vars_of))
        assert runner.run(test).failed == 0


@pytest.mark.parametrize("kind", [StepTracker, Step, EventBus])
def test_every_public_method_is_explained(kind: type) -> None:
    """Also properties; what begins with an underscore is nobody's business."""
    missing = [
        name
        for name, member in vars(kind).items()
        if not name.startswith("_")
        and (callable(member) or isinstance(member, property))
        and not inspect.getdoc(member)
    ]
    assert missing == []


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers look for this file."""
    assert (ROOT / "tracker" / "py.typed").exists()


def test_a_step_is_shown_as_one_line_and_can_be_asked_about() -> None:
    """Rich shows no field of it, as a kept result may be among them; ``help`` and weak references work."""
    with StepTracker("Work", display="quiet") as work, work.step("Read") as step:
        assert pretty_repr([step]) == "[<Step 1 'Read' running>]"
        assert "advance" in pydoc.render_doc(step, renderer=pydoc.plaintext)
        assert weakref.ref(step)() is step
