"""A step that lasts as long as a loop: it begins with the first item asked for and ends with the last.

What an exception in the loop's own body means is not seen here, for a generator never hears of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tracker.step import Step

Item = TypeVar("Item")


def items(begin: Callable[[], Step], iterable: Iterable[Item], total: float | None, unit: str | None) -> Iterator[Item]:
    """The items of a ``for`` loop, as the step that ``begin`` starts."""
    with _lasting(begin()) as step:
        yield from step.track(iterable, total, unit)


async def async_items(
    begin: Callable[[], Step], iterable: AsyncIterable[Item], total: float | None, unit: str | None
) -> AsyncIterator[Item]:
    """The items of an ``async for`` loop, as the step that ``begin`` starts."""
    with _lasting(begin()) as step:
        async for item in step.track(iterable, total, unit):
            yield item


@contextmanager
def _lasting(step: Step) -> Iterator[Step]:
    step.__enter__()
    try:
        yield step
    except GeneratorExit:
        # Whether the loop was left by `break` or by an exception, only the code around it can say.
        step._scoped = False
        raise
    except BaseException as error:
        step.__exit__(type(error), error, None)
        raise
    step.__exit__(None, None, None)
