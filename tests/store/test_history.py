"""The read facade: one operation, its children, lists, and the id behind a prefix."""

from __future__ import annotations

import pytest

from tests.store.making import batch_of, ended, queued, started
from tracker.errors import NotFound, TrackerError
from tracker.history import History
from tracker.store import Store


@pytest.fixture
def history(store: Store) -> History:
    return History(store)


def test_one_operation_has_its_steps_and_a_list_has_not(store: Store, history: History) -> None:
    """Lists stay small."""
    store.append([started("a")])
    assert history.operation("a").steps == []
    assert history.operations().items[0].steps is None


def test_what_is_not_there_is_not_found_whatever_it_is_called(history: History) -> None:
    """Also names that no id could have."""
    for id in ("nothing", "", "../x", "a b", "x" * 500, "a\x1b[31m"):
        with pytest.raises(NotFound):
            history.operation(id)
        with pytest.raises(NotFound):
            history.find(id)
    with pytest.raises(NotFound):
        history.children("nothing")


def test_children_come_in_the_order_they_were_queued_and_by_status(store: Store, history: History) -> None:
    """Also beyond nine, where text would sort otherwise."""
    ids = batch_of(store, 12)
    store.append([started(ids[3], parent="b"), ended(ids[3])])
    assert [child.id for child in history.children("b").items] == ids
    assert [child.id for child in history.children("b", status="complete").items] == [ids[3]]
    assert history.operations().items[0].id == "b"


def test_the_beginning_of_an_id_is_enough_if_it_is_unique(store: Store, history: History) -> None:
    """An ambiguous one is refused with the number of candidates."""
    store.append([queued("abc-1"), queued("abc-2"), queued("xyz")])
    assert history.find("x") == "xyz"
    assert history.find("abc-2") == "abc-2"
    with pytest.raises(TrackerError, match="2 operations"):
        history.find("abc")


def test_a_page_that_nobody_gave_out_is_refused(history: History) -> None:
    """With one line that says what to do."""
    with pytest.raises(TrackerError, match="next"):
        history.operations(page="garbage")
