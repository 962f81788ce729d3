"""What the cells of a row mean never changes: files are full of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tracker.archive.packing import pack, pack_id
from tracker.archive.rows import Details, take_parts
from tracker.model import (
    Again,
    CancelRequest,
    Children,
    Error,
    Parts,
    QueuePart,
    RunPart,
    Status,
    StepState,
    StepStatus,
    Verdict,
    Worker,
)

PARENT = "0197c3a0-0000-7000-8000-000000000001"

TEXTS: dict[int | str, str] = {
    1: "job",
    2: "a title",
    3: "q",
    4: "anna",
    5: "node-3",
    6: "1.0",
    7: "shop",
    8: "Read",
    9: "rows",
    10: "tenant",
}

QUEUE = [90.0, 1, 2, 3, 7, True, True, {10: "acme"}, 95.0, True, [4, 91.0, "task", "r0", True]]
VERDICT = [3, 200.0, 4, b"\x01\x23\x45\x67\x89\xab", "silent", ["E", "gone", ["A"], 2], ["quiet"]]
RUN = [
    *(b"\x01\x23\x45\x67\x89\xab", 100.0, 8.0, 2**22, 1, True, 2, [5, 4711, 3]),
    *(-(2**22), 1, True, True, 6, 7, 2, ["E", "no", ["A", "B"], 2], 2**23),
]
STEP = [8, 2**21, 1.5, 10.0, 20.0, 9, 1, "detail", "error", 5.0, 2, "slow", True, "of a newer version"]


PARTS = Parts(
    id="op",
    rev=9,
    attempt=2,
    queue=QueuePart(
        name="job",
        created=90.0,
        title="a title",
        queue="q",
        eta=95.0,
        parent=PARENT,
        batch=True,
        index=7,
        labels={"tenant": "acme"},
        whole=True,
        again=Again("anna", 91.0, "task", "r0", resumes=True),
    ),
    run=RunPart(
        run="0123456789ab",
        name="job",
        title="a title",
        created=99.0,
        started=100.0,
        status=Status.ERROR,
        total=2,
        ended=109.0,
        duration=8.0,
        worker=Worker("node-3", 4711, "q"),
        parent=PARENT,
        labels={"tenant": "acme"},
        error=Error("E", "no", ["A", "B"], "Trace", 2),
        next_at=110.0,
        release="1.0",
        app="shop",
        warned=2,
    ),
    verdict=Verdict(Status.LOST, 200.0, "anna", "0123456789ab", "silent", Error("E", "gone", ["A"], "", 2), ["quiet"]),
    steps={
        3: StepState(
            index=3,
            name="Read",
            status=StepStatus.ERROR,
            started=100.5,
            duration=1.5,
            current=10.0,
            total=20.0,
            unit="rows",
            detail="detail",
            error="error",
            warn_after=5.0,
            warned=2,
            warning="slow",
            reused=True,
        ),
        4: StepState(4, "Read", StepStatus.COMPLETE),
        9: StepState(9, "Read", StepStatus.COMPLETE),
    },
    children=Children(8, 1, 1, 2, 1, 2, 1, 30),
    cancel=CancelRequest("anna", 150.0, "r0"),
)
"""What these rows say, with the traceback that is kept beside them."""


def row_with(**columns: Any) -> Any:
    """A row as the database gives it, with lists packed."""
    packed = {name: pack(value) if isinstance(value, list) else value for name, value in columns.items()}
    return SimpleNamespace(**packed)


def test_every_cell_means_what_it_meant() -> None:
    """Of each kind of value, with no field at its usual value, and of a step also what a newer version has added."""
    outside, steps = [QUEUE, VERDICT, [8, 1, 1, 2, 1, 2, 1, 30], [4, 150.0, "r0"]], [3, STEP, [8], 9, [8]]
    row = row_with(
        key=b"op", parent=pack_id(PARENT), rev=9, attempt=2, outside=outside, head=RUN, current=None, steps=steps
    )
    assert take_parts(row, lambda cell: TEXTS.get(cell, str(cell)), {2: Details(traceback="Trace")}) == PARTS
