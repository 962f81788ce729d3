"""Makers of records, as the store would tell them: plain ones by hand, and odd ones by chance."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from tracker.compose import compose
from tracker.model import (
    Again,
    CancelRequest,
    Children,
    Error,
    LogLine,
    Parts,
    QueuePart,
    RunPart,
    Status,
    StepState,
    StepStatus,
    Verdict,
    Worker,
)
from tracker.record import Attempt, Record

NOW = 1_800_000_000.25


def run(id: str = "r1", status: Status = Status.COMPLETE, **fields: Any) -> RunPart:
    """One run, ended a second after it began if its status says so."""
    started = fields.pop("started", NOW)
    ended = None if status in (Status.RUNNING, Status.QUEUED) else started + 1
    fields = {"name": "job", "title": "A title", "created": started, "ended": ended} | fields
    return RunPart(run=id, started=started, status=status, **fields)


def steps(count: int = 3, seconds: float = 0.5) -> dict[int, StepState]:
    """Steps that completed one after the other."""
    made = [
        StepState(index, f"Step {index}", StepStatus.COMPLETE, NOW + index, seconds) for index in range(1, count + 1)
    ]
    return {step.index: step for step in made}


def record(id: str, head: RunPart | None = None, *, rev: int = 5, attempt: int = 1, **fields: Any) -> Record:
    """One operation with one run."""
    aside = {name: fields.pop(name) for name in ("earlier", "logs", "results") if name in fields}
    head = run() if head is None else head
    parts = Parts(id, rev, attempt, run=head, **({"steps": steps()} | fields))
    return Record(parts, **aside)


def child(id: str, parent: str, index: int, status: Status = Status.COMPLETE, **fields: Any) -> Record:
    """One operation that was queued under another."""
    queue = QueuePart("job", NOW, parent=parent, index=index)
    return record(id, run(status=status, parent=parent), queue=queue, **fields)


def shown(parts: Parts | None) -> Parts:
    """``parts`` as lists have them: with the one step that people see there."""
    assert parts is not None
    current = compose(parts).step
    held = {index: step for index, step in parts.steps.items() if current and index == current.index}
    return replace(parts, steps=held)


LOST = Verdict(Status.LOST, NOW, "worker", "r1", error=Error("WorkerLostError", "signal 9", traceback="…"))
"""What may have been judged of an earlier run."""

SETTLED = Verdict(Status.ERROR, NOW, "children", error=Error("BatchError", "3 of 50 did not complete"))
"""What children made of a batch that an earlier run had dispatched."""

# ---- by chance -----------------------------------------------------------------------------------

texts = st.text(max_size=12)
names = st.sampled_from(["", "Read", "Write", "日本 ✅"]) | texts
ids = st.from_regex("[A-Za-z0-9._:-]{1,128}", fullmatch=True) | st.uuids().map(str)
more_ids = ids | st.builds(lambda id, index: f"{id}.{index}", st.uuids().map(str), st.integers(1, 9))
times = st.floats(1.6e9, 1.9e9) | st.floats(0, 4e9) | st.sampled_from([0.0, 1e300, 5e-324, NOW])
numbers = st.none() | st.floats(allow_nan=False)
seconds = st.none() | st.floats(0, 1e6)
counts = st.integers(0, 10**6)
labels = st.dictionaries(names, texts, max_size=3)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda held: st.lists(held, max_size=3) | st.dictionaries(texts, held, max_size=3),
    max_leaves=6,
)
errors = st.builds(
    Error, names, texts, st.lists(texts, max_size=3), st.just("") | st.text(max_size=900), counts, st.lists(texts)
)
workers = st.builds(Worker, names, counts, names)
runs = st.builds(
    RunPart,
    run=st.from_regex("[0-9a-f]{12}", fullmatch=True) | names,
    name=names,
    title=texts,
    created=times,
    started=times,
    status=st.sampled_from(Status),
    total=st.none() | counts,
    ended=st.none() | times,
    duration=seconds,
    worker=st.none() | workers,
    parent=st.just("") | more_ids,
    labels=labels,
    error=st.none() | errors,
    next_at=st.none() | times,
    release=names,
    app=names,
    warned=counts,
)
queues = st.builds(
    QueuePart,
    name=names,
    created=times,
    title=texts,
    queue=names,
    eta=st.none() | times,
    parent=st.just("") | more_ids,
    batch=st.booleans(),
    index=st.integers(0, 10_000),
    args=st.none() | st.dictionaries(texts, plain_values, max_size=3),
    labels=labels,
    whole=st.booleans(),
    again=st.none() | st.builds(Again, names, times, more_ids, names, st.booleans()),
)
verdicts = st.builds(
    Verdict, st.sampled_from(Status), times, names, names, texts, st.none() | errors, st.lists(names, max_size=2)
)
requests = st.builds(CancelRequest, names, times, names)
children = st.builds(Children, **dict.fromkeys(Children.__struct_fields__, counts))
step_states = st.builds(
    StepState,
    index=st.integers(0, 10**6),
    name=names,
    status=st.sampled_from(StepStatus),
    started=st.none() | times,
    duration=seconds,
    current=numbers,
    total=numbers,
    unit=names,
    detail=texts,
    error=texts,
    warn_after=seconds,
    warned=counts,
    warning=texts,
    reused=st.booleans(),
)


def step_lists(largest: int = 4) -> st.SearchStrategy[list[StepState]]:
    """Steps of one run, by index."""
    found = st.lists(step_states, max_size=largest, unique_by=lambda step: step.index)
    return found.map(lambda steps: sorted(steps, key=lambda step: step.index))


@st.composite
def records(draw: st.DrawFn, id: str | None = None) -> Record:
    """Any record that a store could tell."""
    heads = draw(st.lists(runs, max_size=3, unique_by=lambda run: run.run))
    first = draw(st.integers(1, 5))
    judged = st.sampled_from([None, LOST, SETTLED])
    attempts = [Attempt(number, head, draw(step_lists()), draw(judged)) for number, head in enumerate(heads, first)]
    queue = draw(st.none() | queues if attempts else queues)
    waits = queue is not None and queue.again is not None and draw(st.booleans())
    newest = attempts[-1] if attempts and not waits else None
    parts = Parts(
        id=draw(more_ids) if id is None else id,
        rev=draw(counts),
        attempt=attempts[-1].number if attempts else 0,
        queue=queue,
        run=newest.run if newest else None,
        verdict=draw(st.none() | verdicts),
        steps={step.index: step for step in newest.steps} if newest else {},
        children=draw(children),
        cancel=draw(st.none() | requests),
    )
    results = draw(st.dictionaries(texts, st.binary(max_size=20), max_size=2))
    lines = draw(line_lists([0, *(run.number for run in attempts)]))
    return Record(parts, attempts if waits else attempts[:-1], lines, results)


@st.composite
def line_lists(draw: st.DrawFn, attempts: list[int]) -> list[LogLine]:
    """Log lines of runs with these numbers, in order."""
    return [
        LogLine(number, draw(times), draw(texts), draw(counts), draw(st.sampled_from(["", "warning"])), attempt)
        for attempt in attempts
        for number in range(1, draw(st.integers(0, 3)) + 1)
    ]
