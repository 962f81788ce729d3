"""What a Celery app's configuration says of the tracker: ``app.conf.tracker_*``, and where its broker is."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches

from celery import Celery

from tracker.errors import SettingsError
from tracker.settings import REDIS_SCHEMES, Settings

PREFIX = "tracker_"


def variables(app: Celery) -> dict[str, str]:
    """The settings of ``app`` as ``TRACKER_*`` variables: ``app.conf.tracker_namespace`` is ``TRACKER_NAMESPACE``.

    Without ``tracker_redis_url``, events go to the broker if that is a Redis. Raises ``SettingsError`` for a
    ``tracker_*`` setting that there is not.
    """
    _check_names(app)
    given = {field.name: app.conf.get(PREFIX + field.name) for field in fields(Settings)}
    found = {f"TRACKER_{name.upper()}": str(value) for name, value in given.items() if value is not None}
    broker = str(app.conf.broker_write_url or app.conf.broker_url or "").partition(";")[0]
    found.setdefault("TRACKER_BROKER_URL", broker)
    if broker.startswith(tuple(f"{scheme}://" for scheme in REDIS_SCHEMES)):
        found.setdefault("TRACKER_REDIS_URL", broker)
    return found


def _check_names(app: Celery) -> None:
    known = [field.name for field in fields(Settings)]
    for key in app.conf:
        # With a namespace, as Django projects have one, it stands in front here: CELERY_TRACKER_NAMESPACE.
        _, mark, name = f"_{key.lower()}".partition(f"_{PREFIX}")
        if mark and name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"there are {', '.join(PREFIX + n for n in known)}"
            raise SettingsError(f"app.conf has {key}, which is no setting of the tracker; {hint}")
