"""What a signal's handler raises is meant for the work, wherever it strikes: a guard of ours lets it pass."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType


def pass_on(error: BaseException) -> None:
    """Raise ``error`` again if the handler of a signal has raised it.

    A limit of time, such as Celery's soft one, is an ordinary exception that comes up inside whatever call runs then.
    """
    handlers = set(_handlers())
    place = error.__traceback__
    while place is not None:
        if place.tb_frame.f_code in handlers:
            raise error
        place = place.tb_next


def _handlers() -> Iterator[CodeType]:
    import signal

    for number in signal.valid_signals():
        code = getattr(signal.getsignal(number), "__code__", None)
        if code is not None:
            yield code
