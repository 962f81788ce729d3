"""``install``: every task of a Celery app becomes an operation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from celery import Celery

from tracker import config
from tracker.celery import dispatch, dispatch_again, tracking
from tracker.celery.conf import variables
from tracker.celery.listening import listen
from tracker.celery.tracking import Tracking

BATCHES = (dispatch, dispatch_again)
"""Tasks that send the children of batches; any app with jobs has them."""


def install(
    app: Celery,
    include: str | Iterable[str] = "*",
    exclude: str | Iterable[str] = (),
    *,
    keep_short: bool = False,
    keep_args: bool = False,
) -> None:
    """Make every task of ``app`` an operation, queued from the moment it is sent, with the steps it has.

    ``include`` and ``exclude`` are patterns such as ``"shop.*"``, one or several, held against the names of tasks.
    A task that has no steps and ends well within two seconds is counted and not kept, unless it belongs to another one
    or ``keep_short`` is set. ``keep_args`` stores arguments, with secrets masked; of jobs they always are.

    Settings come from ``TRACKER_*`` variables or from ``app.conf.tracker_*``, such as ``app.conf.tracker_redis_url``.
    If neither says where events go, and the broker is a Redis, they go there. To be called in every process that sends
    or runs tasks, which is where the app is made.

    >>> from celery import Celery
    >>> app = Celery("shop", broker="redis://localhost:6379/0")
    >>> install(app, exclude="shop.ping")
    """
    tracking.use(app, Tracking(tracking.patterns(include), tracking.patterns(exclude), keep_short, keep_args))
    config.read_app(partial(variables, app))
    listen()
