"""What is asked of a namespace: that events get through, that somebody looks after it, that its processes are well."""

from __future__ import annotations

from tracker.doctor.case import Case
from tracker.doctor.finding import Finding, Findings, Level, failure, note, ok, problem, size, some, warning
from tracker.errors import StoreUnavailable, Unreadable
from tracker.redact import line
from tracker.store import LeaseInfo

SLOW = 0.5
"""Seconds from storing an event to hearing of it."""

SKEWED, FAR_OFF = 2.0, 30.0
"""Seconds by which two clocks differ."""

LOOKED_AT = 10_000
"""Operations of which it is seen whether they can be read; some thousands a second."""

SILENT = 30.0
"""Seconds without a sign of life."""


def publish(case: Case) -> Findings:
    """Store an event as a worker does, and hear of it as a watcher does."""
    try:
        seconds = case.store.trial()
    except StoreUnavailable as error:
        found, remedy = failure(error, case.store.keys.prefix)
        yield problem(found, "What workers and scripts tell is not stored, or nobody hears of it.", remedy)
        return
    found = f"an event was stored and heard within {seconds * 1000:.1f} ms"
    if seconds > SLOW:
        yield warning(found, "Watchers see everything late.", "look at the load of Redis and the network to it")
    else:
        yield ok(found)


def recorder(case: Case) -> Findings:
    """Whether somebody judges silent runs and removes what is old."""
    if case.store.upkeep().recorder:
        yield ok("one is active")
        return
    why = "Runs that die stay running for ever, and what is too old stays until the next write."
    yield warning("none is active", why, "start `tracker web` or `tracker recorder`")


def late(case: Case) -> Findings:
    """Replayed events whose operation is not in Redis any more."""
    upkeep = case.store.upkeep()
    if upkeep.late:
        why = "They came out of a spool, and their operation was not in Redis any more."
        found = f"{upkeep.late:,} replayed change{'s' if upkeep.late > 1 else ''} wait for the recorder"
        yield note(found, why, "" if upkeep.recorder else "start `tracker web` or `tracker recorder`")
    if upkeep.dropped:
        why = "The end of some runs is lost: nobody took them before there were too many."
        remedy = f"once you know of it: DEL '{case.store.keys.late_dropped}'"
        yield warning(f"{upkeep.dropped:,} replayed changes were dropped", why, remedy)
    if not upkeep.late and not upkeep.dropped:
        yield ok("no replayed changes wait")


def records(case: Case) -> Findings:
    """Whether what Redis holds of operations can be read."""
    found = case.store.leaving.unreadable(LOOKED_AT)
    for error in found.unreadable[:5]:
        happened, _, _ = str(error).rpartition("; ")
        why = "It is left out of lists and not archived; when its days in Redis are over, it is gone. Others go on."
        yield problem(happened, why, _remedy(case, error))
    if len(found.unreadable) > 5:
        number = len(found.unreadable) - 5
        yield problem(f"{number:,} more cannot be read", "As above.", "look again when those are mended")
    if not found.unreadable:
        yield ok(f"{'some' if found.more else 'all'} {found.looked_at:,} operations can be read")


def _remedy(case: Case, error: Unreadable) -> str:
    keys, id, field = case.store.keys, error.operation, line(error.field)
    key = keys.operation(id)
    look = {"log": f"LRANGE '{keys.log(id)}' 0 -1", "results": f"HKEYS '{keys.results(id)}'", "record": f"TYPE '{key}'"}
    shown = look.get(field) or f"HGET '{key}' '{field}'"
    newer = "if a newer version has written it, update this one"
    return f"{newer}; else look with {shown} and correct it, or give the operation up: UNLINK '{key}'"


def _left_out(case: Case, trouble: str) -> Findings:
    """What of one kind the store could not read and has left out."""
    if text := case.store.complaints.about(trouble):
        remedy = f"look which other program writes under '{case.store.keys.prefix}'"
        yield warning(text, "It is left out wherever such are shown. Others go on.", remedy)


def processes(case: Case) -> Findings:
    """Signs of life, of those that execute tracked runs."""
    live = {run.run for run in case.store.live_runs()} if case.leases else set()
    yield from _left_out(case, "lease")
    silent = [lease for lease in case.leases if lease.age > SILENT and live & set(lease.runs)]
    for lease in silent[:5]:
        runs = f"{len(lease.runs)} run{'s' if len(lease.runs) != 1 else ''}"
        why = f"It says that it executes {runs}; it is dead, stopped, or cut off from Redis."
        remedy = f"look at process {lease.about.pid} on {lease.about.host}"
        yield warning(f"{_who(lease)} has been silent for {lease.age:,.0f} s", why, remedy)
    if len(silent) > 5:
        yield warning(f"{len(silent) - 5} more are silent", "As above.", "look at their machines")
    if not silent:
        alive = sum(lease.age <= SILENT for lease in case.leases)
        yield ok(f"{alive} with open runs, none of them silent" if alive else "none has an open run")


def unsent(case: Case) -> Findings:
    """What processes elsewhere say that they could not store."""
    held = [lease for lease in case.leases if lease.about.spool]
    dropped = [lease for lease in case.leases if lease.about.dropped]
    if held:
        why = "What they tell shows late; it is sent when Redis takes it."
        found = f"{size(sum(lease.about.spool for lease in held))} wait on the disks of {some(map(_who, held))}"
        yield warning(found, why, "look at the connection between them and Redis")
    if dropped:
        why = "Those runs look as if they had never ended, until they are judged lost."
        number = sum(lease.about.dropped for lease in dropped)
        found = f"{some(map(_who, dropped))} dropped the end of {number:,} run{'s' if number > 1 else ''}"
        yield warning(found, why, "give TRACKER_STATE_DIR there a disk with room, so that events can wait")
    if not held and not dropped:
        yield ok("no process has events that it could not store")


def clock(case: Case) -> Findings:
    """How far the clocks of this machine, of Redis and of the other machines are apart."""
    offsets = {"this machine": case.facts.offset} if case.facts.offset is not None else {}
    for lease in case.leases:
        off = lease.about.offset
        if off is not None and abs(off) > abs(offsets.get(lease.about.host) or 0.0):
            offsets[lease.about.host] = off
    wrong = {host: off for host, off in offsets.items() if abs(off) > SKEWED}
    for host, off in sorted(wrong.items()):
        found = f"the clock of {host} is {abs(off):,.1f} s {'behind' if off > 0 else 'ahead of'} that of Redis"
        level = Level.PROBLEM if abs(off) > FAR_OFF else Level.WARNING
        why = "Times of different machines cannot be compared: work seems to end before it begins."
        yield Finding("", level, found, why, "synchronise it, for example with: timedatectl set-ntp true")
    if offsets and not wrong:
        yield ok(f"all within {SKEWED:g} s of that of Redis")


def jobs(case: Case) -> Findings:
    """Whether somebody runs what can be queued."""
    published = case.store.jobs()
    yield from _left_out(case, "job")
    idle = [job.name for job in published if not job.workers]
    if not published:
        why = "Nothing can be queued from outside; your own scripts and tasks are not concerned."
        yield note("no worker has published a job", why, "start one with `tracker worker`")
    elif idle:
        why = "They cannot be queued."
        yield warning(f"no live worker runs {some(idle)}", why, "start one with `tracker worker`")
    else:
        yield ok(f"{len(published)} can be queued, each with a live worker")


def releases(case: Case) -> Findings:
    """Whether all processes run the same release of the tracked code."""
    found: dict[str, set[str]] = {}
    for lease in case.leases:
        if lease.about.release and lease.age <= SILENT:
            found.setdefault(lease.about.release, set()).add(lease.about.host)
    if len(found) > 1:
        why = "Jobs may meet arguments and results of another release."
        told = "; ".join(f"{release} on {some(hosts)}" for release, hosts in sorted(found.items()))
        yield warning(f"different releases run: {told}", why, "restart what runs the older one")
    elif found:
        yield ok(f"everything runs {some(found)}")


def _who(lease: LeaseInfo) -> str:
    return f"process {lease.about.pid} on {lease.about.host}"
