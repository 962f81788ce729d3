"""What is asked of the Redis server: that it answers, and that it keeps what it is given."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from tracker.doctor.case import Case
from tracker.doctor.finding import Findings, failure, note, ok, problem, size, warning
from tracker.errors import StoreUnavailable
from tracker.settings import LOOPBACK, without_password

OLDEST = (6, 2)
"""The first release of Redis that has every command used."""

FULL, NEARLY_FULL = 0.95, 0.80
"""Parts of its memory limit."""


def reach(case: Case) -> Findings:
    """Whether Redis answers, to the user and password that are set, and is ready."""
    why = "Nothing is stored and nothing can be watched; nothing more could be looked at in Redis."
    if not case.settings.redis_url:
        found = f"TRACKER_REDIS_URL is not set, and no embedded server answers in {case.settings.state_dir}"
        yield problem(f"no Redis: {found}", why, "start one with `tracker up`, or set TRACKER_REDIS_URL")
        return
    try:
        facts = case.facts
    except StoreUnavailable as error:
        found, remedy = failure(error)
        yield problem(found, why, remedy)
        return
    address = without_password(case.settings.redis_url)
    if facts.loading:
        yield problem(f"{address} is still reading its data from disk", why, "wait, and look again")
        return
    clients = f", {facts.clients} of {facts.maxclients} connections" if facts.maxclients else ""
    yield ok(f"{address} answers{clients}")
    if facts.clients and facts.maxclients and facts.clients > 0.9 * facts.maxclients:
        why = "Beyond that it takes no more, and workers and watchers cannot come back."
        yield warning("nearly all its connections are in use", why, "CONFIG SET maxclients to a higher number")


def access(case: Case) -> Findings:
    """How the way to Redis is guarded, as the URL says."""
    url = urlsplit(case.settings.redis_url or "")
    options = {name: value.lower() for name, value in parse_qsl(url.query)}
    if url.scheme == "unix" or url.hostname in LOOPBACK:
        yield ok("Redis is on this machine")
        return
    verified = options.get("ssl_cert_reqs") != "none" and options.get("ssl_check_hostname") not in ("false", "no", "0")
    if url.scheme == "rediss" and not verified:
        why = "Whoever stands between could pose as Redis, read everything and queue jobs."
        remedy = (
            "take ssl_cert_reqs and ssl_check_hostname out of TRACKER_REDIS_URL; name your authority in ssl_ca_certs"
        )
        yield warning("TLS is used without verifying the server", why, remedy)
    elif url.scheme == "rediss":
        yield ok("TLS, and the server is verified")
    else:
        why = "Whoever can listen to the network between reads everything, the password too."
        yield note("the connection is not encrypted", why, "beyond a private network use rediss://")
    if not (url.password or options.get("password")):
        why = "Whoever reaches it can run jobs on the workers."
        yield note("TRACKER_REDIS_URL has no password", why, "beyond a private network let Redis ask for one")


def engine(case: Case) -> Findings:
    """Which server it is, and whether it is recent enough."""
    facts = case.facts
    name = f"{facts.engine} {facts.version}"
    if not facts.engine:
        why = "Its version, memory, persistence and role are unknown."
        yield note("Redis does not say what it is (INFO is refused)", why, "ACL SETUSER NAME +info +config|get")
        return
    if facts.engine == "Redis" and facts.numbers < OLDEST:
        why = "Commands that are needed are missing."
        yield problem(f"{name} is too old", why, "use Redis 6.2 or newer, or Valkey")
        return
    yield ok(name)
    if facts.engine == "Redis" and facts.numbers[:2] == (7, 0):
        why = "Whether known holes in Lua and TLS are closed does not show in this number."
        remedy = "on Debian have redis-server 5:7.0.15-1~deb12u10 or newer; elsewhere a release that is maintained"
        yield note(f"{name} gets fixes from distributions only", why, remedy)


def eviction(case: Case) -> Findings:
    """Whether Redis may drop keys by itself."""
    facts = case.facts
    if facts.policy == "noeviction":
        yield ok("noeviction")
    elif facts.policy:
        why = "When memory runs out, parts of operations and queued messages vanish without a word."
        yield problem(f"maxmemory-policy is {facts.policy}", why, _config("maxmemory-policy noeviction"))
    if facts.evicted:
        why = "Operations may be incomplete, and messages of Celery may be lost."
        yield warning(f"{facts.evicted:,} keys were dropped since Redis started", why, "raise maxmemory")


def memory(case: Case) -> Findings:
    """How much room is left below the limit of the whole server."""
    facts = case.facts
    if facts.used is None or facts.maxmemory is None:
        return
    if not facts.maxmemory:
        why = "Redis may take all memory of its machine, and is killed then."
        yield note(f"{size(facts.used)} in use, without a limit", why, _config("maxmemory 1gb (or what you can give)"))
        return
    part = facts.used / facts.maxmemory
    found = f"{size(facts.used)} of {size(facts.maxmemory)} in use"
    why = "When it is full, Redis takes no events and no messages."
    remedy = "raise maxmemory, or keep less: TRACKER_LIVE_DAYS"
    if part > FULL:
        yield problem(f"{found}, {_percent(part)}", why, remedy)
    elif part > NEARLY_FULL:
        yield warning(f"{found}, {_percent(part)}", why, remedy)
    else:
        yield ok(found)


def persistence(case: Case) -> Findings:
    """What is left when Redis starts again, and whether its last writes to disk went well."""
    facts = case.facts
    if facts.aof is None:
        return
    yield from _kept(facts.aof, facts.fsync, facts.saves)
    if facts.aof_failed:
        why = "What it has taken since may be gone after a restart."
        yield problem("the last write to the append-only file failed", why, "make room on its disk; look into its log")
    if facts.save_failed:
        stops = facts.saves and facts.stops_when_save_fails
        why = "It takes no writes until it can save." if stops else "Its snapshot is old."
        yield problem("the last snapshot could not be saved", why, "make room on its disk; look into its log")


def _kept(aof: bool, fsync: str | None, saves: str | None) -> Findings:
    if aof and fsync == "no":
        why = "A crash of its machine loses what the kernel had not written, up to half a minute."
        yield note("append-only file, written whenever the kernel likes", why, _config("appendfsync everysec"))
    elif aof:
        yield ok(f"append-only file{f', {fsync}' if fsync else ''}")
    elif saves is None:
        why = "Without an append-only file, a restart of Redis loses what came after its last snapshot, or everything."
        yield note("no append-only file; whether there are snapshots is not told", why, _config("appendonly yes"))
    elif saves:
        why = "A restart of Redis loses what came after the last one."
        yield note("snapshots only", why, _config("appendonly yes"))
    else:
        why = "A restart of Redis loses all operations and queued messages."
        yield warning("nothing is kept on disk", why, _config("appendonly yes"))


def role(case: Case) -> Findings:
    """Whether it is a server that takes writes, and how many follow it."""
    facts = case.facts
    if facts.role in ("slave", "replica"):
        why = "It takes no writes, and what it shows may be old."
        yield problem("this Redis is a replica", why, "let TRACKER_REDIS_URL lead to the primary")
    elif facts.role:
        yield ok(f"primary, {facts.replicas or 'no'} replica{'s' if facts.replicas != 1 else ''}")


def cluster(case: Case) -> Findings:
    """In a cluster, that one node has all keys of the namespace."""
    if not case.facts.cluster:
        return
    number = case.store.slots()
    if number == 1:
        yield ok("a cluster; all keys of the namespace share a slot")
        return
    why = "The script that stores events cannot reach all of its keys."
    yield problem(f"a cluster that spreads the keys over {number} slots", why, "use a Redis that is no cluster")


def _config(setting: str) -> str:
    return f"CONFIG SET {setting}, and the same in its configuration file"


def _percent(part: float) -> str:
    return f"{int(min(part, 1) * 100)} %"
