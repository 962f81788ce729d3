"""The rules: every sentence of the contract that can be checked after the fact, each as one function.

Run it over a trial's folder: ``python -m tests.checker.check FOLDER`` prints what is wrong and exits with 1 if
anything is.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.checker.history import RUN_ENDS, STEP_ENDS, History, Intent, Seen, Stored, StoredRun, load


class Violation(NamedTuple):
    """A sentence of the contract that was broken, and where."""

    rule: str
    about: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.about}"


class State(NamedTuple):
    """How far a run has come: its own status, and that of each step that has begun."""

    status: str
    steps: dict[int, str]


class Passage(NamedTuple):
    """All states that a run passed through by its producer's journal, and the first of them that may be stored."""

    operation: str
    states: list[State]
    earliest: int


def check(history: History) -> list[Violation]:
    """Everything that is wrong."""
    passages = {title: run for journal in history.journals.values() for title, run in passages_of(journal)}
    found = [*stored_once(history.stored), *nothing_missing(history.stored, passages)]
    found += counts_add_up(history.stored)
    for name, seen in history.watchers.items():
        found += [*in_order(name, seen), *outcomes_final(name, seen), *nothing_invented(name, seen, passages)]
        found += [*ends_up_right(name, seen, history.stored), *counts_seen_add_up(name, seen)]
    return found


def passages_of(journal: list[Intent]) -> Iterator[tuple[str, Passage]]:
    """The runs of one producer. One that left well, or said ``safe``, has told what it had done until then."""
    states: dict[str, list[State]] = {}
    operations: dict[str, str] = {}
    earliest: dict[str, int] = {}
    for intent in journal:
        if intent.act in ("safe", "left"):
            earliest = {title: len(run) for title, run in states.items()}
        elif intent.act == "start":
            states[intent.title], operations[intent.title] = [State("running", {})], intent.operation
        else:
            states[intent.title].append(_after(states[intent.title][-1], intent))
    for title, run in states.items():
        yield title, Passage(operations[title], run, earliest.get(title, 0))


def _after(state: State, intent: Intent) -> State:
    if intent.act == "end":
        return State(intent.status, state.steps)
    others = {index: status for index, status in state.steps.items() if index != intent.step}
    return State(state.status, others if intent.status == "pending" else {**others, intent.step: intent.status})


def state_of(run: StoredRun) -> State:
    return State(run.status, {index: status for index, status in run.steps.items() if status != "pending"})


def stored_once(stored: list[Stored]) -> Iterator[Violation]:
    """Each run is stored once, attempts are numbered 1, 2, 3 …, Redis and archive never tell two stories."""
    places: dict[str, list[str]] = defaultdict(list)
    for operation in stored:
        numbers = sorted(run.attempt for run in operation.runs)
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("once", f"{operation.operation} has the attempts {numbers}")
        for run in operation.runs:
            places[run.title].append(f"{operation.where}:{operation.operation}:{run.run}")
    for title, found in places.items():
        if len({place.partition(":")[2] for place in found}) > 1 or len(set(found)) < len(found):
            yield Violation("once", f"the run {title!r} is stored as {', '.join(found)}")


def nothing_missing(stored: list[Stored], passages: dict[str, Passage]) -> Iterator[Violation]:
    """Every run is stored in a state it passed through, and not in an earlier one than its producer may have lost."""
    runs = {run.title: (operation, run) for operation in stored for run in operation.runs}
    for title in runs.keys() - passages.keys():
        yield Violation("invented", f"the run {title!r} is stored, and in no journal")
    for title, passage in passages.items():
        if title not in runs:
            if passage.earliest:
                yield Violation("missing", f"the run {title!r} is not stored")
            continue
        operation, run = runs[title]
        if operation.operation != passage.operation:
            yield Violation("invented", f"the run {title!r} is stored under {operation.operation}")
        yield from _in_a_state_of(title, state_of(run), passage)


def _in_a_state_of(title: str, state: State, passage: Passage) -> Iterator[Violation]:
    possible = passage.states[max(0, passage.earliest - 1) :]
    if state in possible:
        return
    if state in passage.states:
        yield Violation("missing", f"the run {title!r} is stored as it was long before: {state}")
    else:
        yield Violation("missing", f"the run {title!r} is stored as {state}, which it never was; last {possible[-1]}")


def counts_add_up(stored: list[Stored]) -> Iterator[Violation]:
    """A parent's counts are those of its children."""
    by_id = {operation.operation: operation for operation in stored if operation.where == "archive"}
    by_id |= {operation.operation: operation for operation in stored if operation.where == "redis"}
    below: dict[str, Counter[str]] = defaultdict(Counter)
    for operation in by_id.values():
        if operation.parent:
            below[operation.parent][operation.status] += 1
    for id, operation in by_id.items():
        counts = {status: number for status, number in operation.children.items() if number and status != "total"}
        if counts != dict(below[id]) or operation.children.get("total", 0) != below[id].total():
            yield Violation("counts", f"{id} counts {operation.children}, its children are {dict(below[id])}")


def in_order(name: str, seen: list[Seen]) -> Iterator[Violation]:
    """Between two resets a watcher sees every rev of each operation, and no step go back.

    Unless the operation had left Redis, and was told of once more by somebody who had got no answer.
    """
    revs: dict[str, int] = {}
    steps: defaultdict[str, defaultdict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    """Of each operation, by run."""
    for record in seen:
        if record.what == "reset":
            revs.clear()
            steps.clear()
            continue
        if record.what == "first":  # All of its runs are told once more.
            steps.pop(record.operation, None)
        last = revs.get(record.operation, 0)
        if record.rev < last:
            yield Violation("order", f"{name} saw {record.operation} at rev {record.rev} after {last}")
        if record.rev > last + {"event": 1, "final": 0}.get(record.what, record.rev):
            yield Violation("gap", f"{name} saw {record.operation} at rev {record.rev} next after {last}")
        revs[record.operation] = record.rev
        for index, status in record.steps.items():
            before = steps[record.operation][record.run].get(index, "pending")
            if before != status and (before in STEP_ENDS or status == "pending"):
                yield Violation("order", f"{name} saw step {index} of {record.title!r} go from {before} to {status}")
            steps[record.operation][record.run][index] = status


def outcomes_final(name: str, seen: list[Seen]) -> Iterator[Violation]:
    """A run that was seen with an outcome is never seen with another one, while it is in Redis.

    To be lost is no outcome.
    """
    known: defaultdict[str, dict[str, str]] = defaultdict(dict)
    """Of each operation, by run."""
    for record in seen:
        if record.what == "reset":
            known.clear()  # What a store has lost may have been the outcome.
        if record.what == "first":
            known.pop(record.operation, None)
        outcomes = known[record.operation]
        before = outcomes.get(record.run)
        if record.run and before and record.status != before:
            yield Violation("outcome", f"{name} saw {record.title!r} {before}, then {record.status}")
        if record.run and record.status in RUN_ENDS:
            outcomes[record.run] = record.status


def nothing_invented(name: str, seen: list[Seen], passages: dict[str, Passage]) -> Iterator[Violation]:
    """A watcher sees no state of a step that its producer did not write down."""
    known = {
        (title, index, status)
        for title, passage in passages.items()
        for state in passage.states
        for index, status in state.steps.items()
    }
    for record in seen:
        for index, status in record.steps.items():
            if status != "pending" and (record.title, index, status) not in known:
                yield Violation("invented", f"{name} saw step {index} of {record.title!r} {status}")


def ends_up_right(name: str, seen: list[Seen], stored: list[Stored]) -> Iterator[Violation]:
    """What a watcher shows at the end is what is stored: nothing it was to see has passed it by."""
    last_reset = max((place for place, record in enumerate(seen) if record.what == "reset"), default=0)
    seen = seen[last_reset:]
    by_id = {operation.operation: operation for operation in stored}
    final = {record.operation: record for record in seen if record.what in ("final", "last")}
    for record in seen:
        if record.operation and record.operation not in final:
            final[record.operation] = record
            yield Violation("gap", f"{name} saw {record.operation}, and does not show it at the end")
    for id, record in final.items():
        if record.what in ("final", "last") and id in by_id:
            yield from _shows(name, record, by_id[id])


def _shows(name: str, record: Seen, operation: Stored) -> Iterator[Violation]:
    newest = max(operation.runs, key=lambda run: run.attempt, default=None)
    if record.status != operation.status:
        yield Violation("gap", f"{name} shows {record.operation} {record.status}, stored is {operation.status}")
    if newest is not None and record.run != newest.run:
        yield Violation("gap", f"{name} shows the run {record.run} of {record.operation}, not {newest.run}")
    elif newest is not None and record.what == "final" and record.steps != newest.steps:
        yield Violation("gap", f"{name} shows {record.operation} at {record.steps}, stored is {newest.steps}")


def counts_seen_add_up(name: str, seen: list[Seen]) -> Iterator[Violation]:
    """At every look a total is the sum of its parts."""
    for record in seen:
        counts = record.children
        if counts and counts["total"] != sum(number for status, number in counts.items() if status != "total"):
            yield Violation("counts", f"{name} saw {record.operation} with {counts}")


def main(arguments: list[str]) -> int:
    """Check the trial in a folder."""
    violations = check(load(Path(arguments[0])))
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
