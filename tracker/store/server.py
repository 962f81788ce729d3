"""What the server behind the store says of itself: engine, memory, persistence, role, clock.

A managed server refuses some of these questions; what it does not say is ``None``, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.exceptions import NoPermissionError

from tracker.clock import now
from tracker.model import Value
from tracker.store.client import Client
from tracker.store.keys import Keys

CONFIGS = ("save", "appendfsync", "stop-writes-on-bgsave-error")
"""What only CONFIG GET tells; one call each, for Redis 6.2 takes no more."""

UNKNOWN = ("unknown command", "unknown subcommand", "not allowed", "disabled", "not supported", "forbidden")
"""How servers say that they do not answer a question at all."""


class ServerFacts(Value, frozen=True, omit_defaults=False):
    """One look at a server; ``None`` where it does not say.

    Sizes are in bytes; ``maxmemory`` 0 means no limit. ``saves`` are its save points, empty for none. ``offset`` is
    how many seconds its clock is ahead of this machine's.
    """

    engine: str | None = None
    version: str | None = None
    loading: bool | None = None
    role: str | None = None
    replicas: int | None = None
    cluster: bool | None = None
    clients: int | None = None
    maxclients: int | None = None
    used: int | None = None
    maxmemory: int | None = None
    policy: str | None = None
    evicted: int | None = None
    aof: bool | None = None
    fsync: str | None = None
    saves: str | None = None
    aof_failed: bool | None = None
    save_failed: bool | None = None
    stops_when_save_fails: bool | None = None
    offset: float | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version to compare with; empty if it is not known."""
        return numbers(self.version or "")


def numbers(version: str) -> tuple[int, ...]:
    """The numbers a version begins with.

    >>> numbers("7.0.15"), numbers("5.8.0rc1")
    ((7, 0, 15), (5, 8))
    """
    found = []
    for part in version.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def server_facts(client: Client) -> ServerFacts:
    """Ask once, in one go; raises ``StoreUnavailable``."""
    with client.answering() as redis:
        pipe = redis.pipeline(transaction=False)
        pipe.info()
        pipe.time()
        for name in CONFIGS:
            pipe.config_get(name)
        before = now()
        info, time, *configs = map(_told, pipe.execute(raise_on_error=False))
        asked = (before + now()) / 2
    config: dict[str, str] = {}
    for answer in configs:
        config |= {_text(name): _text(value) for name, value in (answer or {}).items()}
    return facts_of(info or {}, config, time and time[0] + time[1] / 1e6 - asked)


def slots(client: Client, keys: Keys) -> int:
    """Over how many slots of a cluster the keys of a namespace are spread."""
    names = [keys.feed, keys.index, keys.operation("a"), keys.lease("b"), keys.children("c")]
    with client.answering() as redis:
        return len({redis.execute_command("CLUSTER KEYSLOT", name) for name in names})


def facts_of(info: Mapping[str, Any], config: Mapping[str, str], offset: float | None = None) -> ServerFacts:
    """The facts in what INFO and CONFIG GET have answered."""
    engine = "Valkey" if "valkey_version" in info else "Redis" if "redis_version" in info else None
    return ServerFacts(
        engine=engine,
        # Valkey says the version of Redis whose commands it has as well.
        version=_maybe(str, info.get("valkey_version", info.get("redis_version"))),
        loading=_maybe(bool, info.get("loading")),
        role=_maybe(str, info.get("role")),
        replicas=_maybe(int, info.get("connected_slaves")),
        cluster=_maybe(bool, info.get("cluster_enabled")),
        clients=_maybe(int, info.get("connected_clients")),
        maxclients=_maybe(int, info.get("maxclients")),
        used=_maybe(int, info.get("used_memory")),
        maxmemory=_maybe(int, info.get("maxmemory")),
        policy=_maybe(str, info.get("maxmemory_policy")),
        evicted=_maybe(int, info.get("evicted_keys")),
        aof=_maybe(bool, info.get("aof_enabled")),
        fsync=config.get("appendfsync"),
        saves=config.get("save"),
        aof_failed=_failed(info, "aof_last_write_status", "aof_last_bgrewrite_status"),
        save_failed=_failed(info, "rdb_last_bgsave_status"),
        stops_when_save_fails=_maybe(lambda value: value == "yes", config.get("stop-writes-on-bgsave-error")),
        offset=offset,
    )


def _told(answer: Any) -> Any:
    """An answer, or ``None`` where the server may not or cannot say; any other error is one."""
    if not isinstance(answer, Exception):
        return answer
    if isinstance(answer, NoPermissionError) or any(word in str(answer).lower() for word in UNKNOWN):
        return None
    raise answer


def _maybe(kind: Any, value: Any) -> Any:
    return None if value is None else kind(value)


def _failed(info: Mapping[str, Any], *names: str) -> bool | None:
    told = [info[name] for name in names if name in info]
    return any(word != "ok" for word in told) if told else None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
