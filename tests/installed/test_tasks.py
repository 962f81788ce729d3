"""What becomes of the tasks of an app that has the tracker installed, on a real prefork worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed.conftest import Shop
from tests.support import wait_for
from tracker.model import EventType, Operation, Status, StepStatus


def brief(shop: Shop) -> dict[str, int]:
    """How many executions of each task were counted and not kept."""
    found: dict[str, int] = {}
    for (_, name), count in shop.store.brief.waiting().items():
        found[name] = found.get(name, 0) + count
    return found


def children(shop: Shop, id: str, count: int) -> list[Operation]:
    """The children of an operation, once there are so many and all have ended."""
    shop.once(id, lambda found: found.children.total == count and found.children.complete == count)
    return shop.history.children(id).items


def test_a_task_with_steps_is_an_operation(shop: Shop) -> None:
    """Also if whoever sent it knows nothing of the tracker."""
    found = shop.ended(shop.send("shop.steps", 3))
    assert (found.name, found.title, found.status) == ("shop.steps", "Order 3", Status.COMPLETE)
    assert [step.status for step in found.steps or []] == [StepStatus.COMPLETE] * 2
    assert found.worker is not None
    assert (found.worker.host, found.worker.queue) == ("node-7", shop.queue)
    assert found.worker.pid != shop.worker.pid
    assert found.args is None


def test_the_first_block_of_a_task_is_told_with_its_beginning(shop: Shop) -> None:
    """The operation never shows without its title, and no second event corrects the first."""
    id = shop.send("shop.steps", 5)
    shop.ended(id)
    told = [event for change in shop.store.events(id, "0-0", 100).items for event in change.events]
    assert told[0].head is not None
    assert (told[0].type, told[0].head.title) == (EventType.OPERATION_START, "Order 5")
    assert EventType.OPERATION_UPDATE not in [event.type for event in told]


def test_a_task_is_queued_from_the_moment_it_is_sent(shop: Shop) -> None:
    """With its queue, and with the time before which it will not begin."""
    id = shop.script("print(shop.steps.apply_async((1,), countdown=3_600))")
    found = shop.once(id, lambda found: found.status is Status.QUEUED)
    assert (found.name, found.title, found.attempt) == ("shop.steps", "shop.steps", 0)
    assert found.next_at is not None
    assert found.next_at - found.created == pytest.approx(3_600, abs=5)
    parts = shop.store.operation(id)
    assert parts is not None
    assert parts.queue is not None
    assert parts.queue.queue == shop.queue
    shop.app.control.revoke(id)


def test_a_task_sent_by_the_app_runs_as_the_operation_that_was_queued(shop: Shop) -> None:
    """It is listed under the time when it was sent, and what it waited can be seen."""
    found = shop.ended(shop.script("print(shop.steps.delay(4))"))
    assert (found.title, found.attempt) == ("Order 4", 1)
    assert found.started is not None
    assert found.created < found.started


@pytest.mark.parametrize("name", ["shop.based", "shop.shared"])
def test_any_base_class_and_shared_tasks_are_tracked(shop: Shop, name: str) -> None:
    """Once, not twice."""
    found = shop.ended(shop.send(name))
    assert (found.status, found.attempt, len(found.steps or [])) == (Status.COMPLETE, 1, 1)


def test_what_is_over_at_once_is_counted_and_not_kept(shop: Shop) -> None:
    """And what is excluded is neither."""
    before = brief(shop).get("shop.quick", 0)
    ids = shop.script("print(*[shop.quick.delay(1) for _ in range(5)], shop.ping.delay())").split()
    wait_for(lambda: brief(shop).get("shop.quick", 0) == before + 5)
    assert [id for id in ids if shop.store.operation(id) is not None] == []
    assert "shop.ping" not in brief(shop)


def test_what_takes_longer_is_kept_though_it_has_no_steps(shop: Shop, tmp_path: Path) -> None:
    """While it runs it is seen as well."""
    id = shop.send("shop.lasts", str(tmp_path / "pipe"))
    running = shop.once(id, lambda found: found.status is Status.RUNNING)
    wait_for(lambda: shop.store.client.redis.time()[0] > (running.started or 0) + 3)
    with open(tmp_path / "pipe", "w") as pipe:
        pipe.write("go on")
    assert shop.ended(id).status is Status.COMPLETE


def test_an_exception_is_stored_with_where_it_came_from(shop: Shop) -> None:
    """And Celery's own result is what it would have been."""
    id = shop.send("shop.fails")
    found = shop.ended(id)
    assert found.status is Status.ERROR
    assert found.error is not None
    assert (found.error.type, found.error.message) == ("ValueError", "sold out")
    assert "raise ValueError" in found.error.traceback
    assert wait_for(lambda: shop.app.AsyncResult(id).state == "FAILURE")


def test_a_retry_is_queued_in_between_with_the_time_it_begins(shop: Shop) -> None:
    """One operation, two attempts."""
    id = shop.send("shop.again", 2)
    waits = shop.once(id, lambda found: found.status is Status.QUEUED and found.attempt == 1)
    assert waits.next_at is not None
    assert waits.error is not None
    assert (waits.error.type, waits.error.message, waits.error.path) == ("ValueError", "not yet", ["Again", "One"])
    done = shop.ended(id)
    assert (done.status, done.attempt, done.parent) == (Status.COMPLETE, 2, "")
    assert (done.next_at, done.error, done.created) == (None, None, waits.created)
    first, _ = shop.history.attempts(id)
    assert first.error == waits.error


def test_a_task_that_was_retried_too_often_has_failed(shop: Shop) -> None:
    """At its last attempt."""
    id = shop.send("shop.gives_up")
    shop.once(id, lambda found: found.attempt == 1 and found.status is Status.QUEUED)
    shop.store.cancel(id, "ada")  # Celery's default is to wait for three minutes.
    assert shop.ended(id).status is Status.CANCELLED


def test_ignore_is_an_end_like_any_other(shop: Shop) -> None:
    """It says only that the result is nobody's; here it passes as quickly as others do."""
    before = brief(shop).get("shop.ignores", 0)
    shop.send("shop.ignores")
    wait_for(lambda: brief(shop).get("shop.ignores", 0) == before + 1)


def test_a_rejected_message_is_an_error_and_one_put_back_is_another_attempt(shop: Shop, tmp_path: Path) -> None:
    """Nobody will look at the first again."""
    rejected = shop.ended(shop.send("shop.rejects"))
    assert rejected.status is Status.ERROR
    assert rejected.error is not None
    assert rejected.error.message == "no use"
    back = shop.ended(shop.send("shop.requeues", str(tmp_path / "back")))
    assert (back.status, back.attempt) == (Status.COMPLETE, 2)


def test_a_task_in_place_of_another_is_its_next_attempt(shop: Shop) -> None:
    """Celery sends it under the same id."""
    found = shop.ended(shop.send("shop.replaced"))
    assert (found.status, found.attempt, found.title, found.parent) == (Status.COMPLETE, 2, "Order 7", "")


def test_attempts_that_follow_each_other_at_once_keep_their_order(redis_url: str, tmp_path: Path) -> None:
    """The next one may be over before what was told of the one that has sent it is stored."""
    shop = Shop(redis_url, tmp_path, SHOP_FLUSH_EVERY="1")
    try:
        ids = [shop.send("shop.at_once") for _ in range(20)]
        assert [(found.status, found.attempt) for found in map(shop.ended, ids)] == [(Status.COMPLETE, 3)] * 20
    finally:
        shop.stop()


def test_several_tasks_in_place_of_one_are_its_children(shop: Shop) -> None:
    """It ends when all of them have, with what Celery makes of their results."""
    id = shop.send("shop.replaced_by_group")
    found = shop.ended(id)
    assert (found.status, found.attempt) == (Status.COMPLETE, 2)
    assert [child.name for child in children(shop, id, 2)] == ["shop.quick"] * 2


def test_tasks_sent_from_a_task_are_its_children_however_short(shop: Shop) -> None:
    """In the order they were sent."""
    id = shop.send("shop.parent", 3)
    found = children(shop, id, 3)
    assert {(child.name, child.parent, child.status) for child in found} == {("shop.quick", id, Status.COMPLETE)}
    assert found == sorted(found, key=lambda child: child.created)


def test_a_chain_and_a_chord_sent_from_a_task_are_its_children_side_by_side(shop: Shop) -> None:
    """Those that Celery sends when others have ended as well."""
    id = shop.send("shop.chained")
    names = [child.name for child in children(shop, id, 6)]
    assert sorted(names) == ["shop.quick"] * 5 + ["shop.total"]


def test_a_chain_sent_by_a_script_is_a_tree_with_its_first_task_on_top(shop: Shop) -> None:
    """For nothing else is there to belong to."""
    code = "c = shop.chain(shop.quick.s(1), shop.quick.s(2), shop.steps.s()).apply_async(); "
    first, *rest = shop.script(code + "print(c.parent.parent, c.parent, c)").split()
    assert [child.id for child in children(shop, first, 2)] == rest


def test_a_group_and_a_starmap_in_a_block_are_children_of_the_script(shop: Shop) -> None:
    """A starmap is one task, which runs another one many times."""
    code = """
with shop.StepTracker("Order it all", display="quiet") as tracker:
    shop.group(shop.quick.s(1), shop.quick.s(2))()
    shop.quick.starmap([(1, 2), (3, 4)]).apply_async()
    print(tracker.operation_id)
"""
    found = children(shop, shop.script(code), 3)
    assert sorted(child.name for child in found) == ["celery.starmap", "shop.quick", "shop.quick"]
    assert "starmap of shop.quick" in [child.title for child in found]


def test_eager_tasks_are_operations_of_the_process_that_calls_them(shop: Shop) -> None:
    """With the outcome they have there."""
    code = "shop.app.conf.task_always_eager = True; print(shop.steps.delay(5), shop.fails.delay())"
    done, failed = shop.script(code).split()
    assert shop.ended(done).title == "Order 5"
    assert shop.ended(failed).status is Status.ERROR
