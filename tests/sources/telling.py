"""What watchers are told, as what they make of it: each step change and outcome, whatever else comes with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tracker.cli.source.items import Events, Item, Reset, Snapshot

Turn = tuple[str, str, str]
"""Id of an operation, ``status`` or the index of a step, and the status it has got."""


class Turns:
    """Folds what is told into what has turned; progress and log lines turn nothing."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, operation: dict[str, Any], step: dict[str, Any] | None) -> Iterator[Turn]:
        """What an event turns. A step that is pending has not begun."""
        if step is not None and (step["status"] != "pending" or (operation["id"], str(step["index"])) in self._known):
            yield from self._turn(operation["id"], str(step["index"]), step["status"])
        yield from self._turn(operation["id"], "status", operation["status"])

    def show(self, operation: dict[str, Any]) -> list[Turn]:
        """What a snapshot shows that was not known."""
        return [turn for step in (*(operation.get("steps") or ()), None) for turn in self.of(operation, step)]

    def _turn(self, id: str, what: str, status: str) -> Iterator[Turn]:
        if self._known.get((id, what)) != status:
            self._known[(id, what)] = status
            yield id, what, status


def turns(lines: Iterable[dict[str, Any]]) -> list[Turn]:
    """What the lines of ``tracker watch --json`` tell behind their first snapshots."""
    found, seen = list[Turn](), Turns()
    for line in lines:
        if line["type"] == "snapshot":
            turned = seen.show(line["operation"])
            found += turned if found else []
        elif line["type"] == "reset":
            found.append(("", "reset", line["reason"]))
        else:
            found += seen.of(line["operation"], line.get("step"))
    return found


def by_operation(found: Iterable[Turn]) -> dict[str, list[Turn]]:
    """In order for each operation; across operations nothing is promised."""
    sorted_out: dict[str, list[Turn]] = {}
    for turn in found:
        sorted_out.setdefault(turn[0], []).append(turn)
    return sorted_out


def lines(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    """What a source tells, as ``tracker watch --json`` would print it."""
    import msgspec

    for item in items:
        if isinstance(item, Snapshot):
            for operation in item.operations:
                yield {"type": "snapshot", "operation": msgspec.to_builtins(operation)}
        elif isinstance(item, Events):
            yield from (msgspec.to_builtins(event) for event in item.events)
        elif isinstance(item, Reset):
            yield {"type": "reset", "reason": item.reason}
