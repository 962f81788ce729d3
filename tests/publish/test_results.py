"""What makes two calls the same, and what a result has to be; no store is needed to know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tracker import TrackerError
from tracker.results import fingerprint, plain_json


class Unlisted(dict[str, int]):
    """A mapping that cannot be looked into."""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("not now")

    def items(self) -> object:  # type: ignore[override]
        raise RuntimeError("not now")


class Mute(PurePosixPath):
    """A path without a text."""

    def __str__(self) -> str:
        raise RuntimeError("not now")


def holding_itself() -> list[object]:
    held: list[object] = []
    held.append(held)
    return held


def of_a_million_paths() -> list[object]:
    """Twenty lists, each of which holds the one before twice."""
    held: list[object] = []
    for _ in range(20):
        held = [held, held]
    return held


def nested(depth: int) -> list[object]:
    held: list[object] = []
    for _ in range(depth):
        held = [held]
    return held


@pytest.mark.parametrize(
    ("one", "other"),
    [({1: "a"}, {"1": "a"}), ((1,), [1]), (1, True), (1, 1.0), ("1", 1), (["ab", "c"], ["a", "bc"]), ([[]], [[], []])],
)
def test_arguments_that_only_look_alike_are_different(one: object, other: object) -> None:
    """A result is never taken for that of another call."""
    assert fingerprint((one,), {}) not in (None, fingerprint((other,), {}))
    assert fingerprint((), {"given": one}) != fingerprint((), {"given": other})


def test_the_order_of_named_arguments_does_not_matter() -> None:
    """Nor that of a dictionary: neither says anything."""
    assert fingerprint((), {"a": 1, "b": 2}) == fingerprint((), {"b": 2, "a": 1})
    assert fingerprint((), {"a": 1, "b": 2}) != fingerprint((), {"a": 2, "b": 1})


@pytest.mark.parametrize("made", [Unlisted, Mute, holding_itself, of_a_million_paths, object])
def test_arguments_that_cannot_be_read_are_the_same_as_none(made: type[object]) -> None:
    """Whatever they do when looked at, the work hears nothing of it and waits for nothing."""
    assert fingerprint((made(),), {}) is None


@pytest.mark.parametrize(
    "result", [holding_itself(), of_a_million_paths(), nested(20_000)], ids=["itself", "paths", "deep"]
)
def test_a_result_that_would_never_fit_is_refused(result: object) -> None:
    """At once, in one line that names the step, before any JSON is made of it."""
    with pytest.raises(TrackerError, match="'Read'"):
        plain_json("Read", result)
