"""Why children have failed, over HTTP, against a real server and a real Redis."""

from __future__ import annotations

import pytest

from tests.store.making import NOW, batch_of, blob, ended, head, started
from tests.web.client import Server
from tracker.history import failures
from tracker.history.reads import Reads
from tracker.model import Error, Status, StepState, StepStatus
from tracker.store import Store

PATH = "/api/v1/operations"


def fail(store: Store, child: str, message: str, *, step: str = "Read", type: str = "NotFound") -> None:
    """The child runs, and fails at a step."""
    failed = StepState(1, step, StepStatus.ERROR, NOW, 1.0)
    end = head("r1", Status.ERROR, error=Error(type, message, step=1))
    store.append([started(child, parent="b"), blob(child, end, seq=2, parent="b", steps=[failed])])


def test_children_that_failed_alike_are_one_group(server: Server, store: Store) -> None:
    """However many there are: told by what went wrong, where, how often and with examples, the most frequent first."""
    ids = batch_of(store, 9)
    fail(store, ids[0], "disk full", type="OSError")
    for number, child in enumerate(ids[1:6]):
        fail(store, child, f"no file {number}.txt of 0197a1b2-0000-7000-8000-00000000000{number}")
    fail(store, ids[6], "no file 7.txt of abcdef0123", step="Write")
    store.append([started(ids[7], parent="b"), ended(ids[7], parent="b")])
    answer = server.get(f"{PATH}/b/failures").json
    assert answer == {
        "items": [
            {"type": "NotFound", "message": "no file ….txt of …", "step": "Read", "count": 5, "examples": ids[1:4]},
            {"type": "OSError", "message": "disk full", "step": "Read", "count": 1, "examples": [ids[0]]},
            {
                "type": "NotFound",
                "message": "no file 7.txt of abcdef0123",
                "step": "Write",
                "count": 1,
                "examples": [ids[6]],
            },
        ],
        "looked_at": 7,
        "next": None,
    }
    assert server.get(f"{PATH}/{ids[0]}/failures").json == {"items": [], "looked_at": 0, "next": None}
    assert server.get(f"{PATH}/never/failures").status == 404


def test_only_so_many_are_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told of a huge batch is bounded, and says by how much."""
    monkeypatch.setattr(failures, "LOOKED_AT", 3)
    monkeypatch.setattr(failures, "GROUPS", 1)
    for child in batch_of(store, 5):
        fail(store, child, "disk full" if child != "b.1" else "else")
    found = failures.failures_of(Reads(store, None), "b")
    assert (found.looked_at, [group.count for group in found.items]) == (3, [2])
