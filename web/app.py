"""``create_app``: puts the parts together. Holds no state of its own and connects to nothing."""

from __future__ import annotations

from flask import Flask

from tracker import __version__
from tracker.celery.again import Repeating
from tracker.celery.cancelling import Cancelling
from tracker.celery.queueing import Queueing
from tracker.errors import SettingsError
from tracker.history import History
from tracker.settings import Settings
from tracker.store import Store
from tracker.tokens import Tokens
from web import (
    actions,
    api,
    assets,
    export,
    health,
    idempotency,
    live,
    login,
    pages,
    problems,
    security,
    stream,
    system,
)
from web.hub import Hub
from web.lately import Lately
from web.limits import EXPORTS, SURVEY, Limits
from web.metrics import Metrics
from web.seats import Seats
from web.shim import NoThread
from web.site import Site
from web.sockets import Sockets


def create_app(settings: Settings | None = None, limits: Limits | None = None) -> Flask:
    """The WSGI application; without ``settings`` it reads them from the environment.

    Raises ``SettingsError`` if no Redis is configured, or if the file of tokens cannot be read. Does not start
    threads, so a server may fork after it.
    """
    app = Flask("web", static_folder=None, template_folder="templates")
    app.extensions["tracker"] = _site(settings or Settings.from_env(), limits or Limits())
    app.config["SOCK_SERVER_OPTIONS"] = {"thread_class": NoThread}
    # No other site is ever allowed in, so there is nothing to tell in advance.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    security.install(app)
    problems.install(app)
    idempotency.install(app)
    prefix = app.extensions["tracker"].settings.base_path or None
    for blueprint in (
        api.blueprint,
        actions.blueprint,
        export.blueprint,
        system.blueprint,
        health.blueprint,
        live.blueprint,
        stream.blueprint,
        login.blueprint,
        pages.blueprint,
    ):
        app.register_blueprint(blueprint, url_prefix=prefix)
    return app


def _site(settings: Settings, limits: Limits) -> Site:
    if not settings.redis_url:
        raise SettingsError(
            "TRACKER_REDIS_URL is not set; set it, for example to redis://localhost:6379/0, or start `tracker up`"
        )
    store = Store.of(settings)
    history, seats, streams = History.of(settings, store), Seats(limits.sockets), Seats(limits.streams)
    queueing = Queueing(settings, store)
    return Site(
        settings=settings,
        tokens=Tokens(settings.tokens_file) if settings.tokens_file else None,
        limits=limits,
        store=store,
        history=history,
        queueing=queueing,
        repeating=Repeating(store, history, queueing),
        cancelling=Cancelling(settings, store, history),
        hub=Hub(store, history.live),
        sockets=Sockets(seats),
        seats=seats,
        streams=streams,
        exports=Seats(EXPORTS),
        metrics=Metrics(history, seats, streams),
        survey=Lately(history.survey, SURVEY),
        version=__version__,
        assets=assets.address_of(__version__),
    )
