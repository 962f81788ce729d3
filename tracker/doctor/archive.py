"""What is asked of the archive: that it is the right one and can be read, and that nothing waits too long for it."""

from __future__ import annotations

from tracker.archive import Archive
from tracker.doctor.case import Case
from tracker.doctor.finding import Findings, note, ok, problem, size, warning
from tracker.errors import ArchiveUnavailable
from tracker.process import host
from tracker.store import ArchiveInfo

LATE = 120.0
"""Seconds since their end after which operations should have left Redis, while a recorder is active."""


def archive(case: Case) -> Findings:
    """Whether what is read here is what the recorder writes."""
    info = case.store.leaving.archive()
    if info is None:
        why = "Finished operations stay in Redis, and are gone when their days there are over."
        yield note("no recorder has ever kept one", why, "start `tracker web` or `tracker recorder`")
        return
    own = Archive(case.settings.archive, case.settings.namespace)
    try:
        same = own.exists and own.identity == info.identity
    except ArchiveUnavailable as error:
        found, _, remedy = str(error).rpartition("; ")
        yield problem(found or str(error), "What is archived cannot be shown.", remedy)
        return
    finally:
        own.close()
    if same:
        yield ok(f"{own.address}, where the recorder writes")
    else:
        yield from _another(info, own)


def _another(info: ArchiveInfo, own: Archive) -> Findings:
    why = "Finished operations are not shown here."
    found = f"the recorder keeps it in {info.address} on {info.host}"
    if info.host == host():
        remedy = f"set TRACKER_ARCHIVE_URL to sqlite:///{info.address}, or use one TRACKER_STATE_DIR"
        yield problem(f"{found}, read is {own.address}", why, remedy)
    else:
        yield note(f"{found}; this machine has none of it", why, f"ask on {info.host}, or its dashboard")


def moving(case: Case) -> Findings:
    """Whether ended operations leave Redis in time."""
    upkeep = case.store.upkeep()
    waiting = len(case.store.leaving.ended(LATE, 0, 1000))
    if upkeep.recorder and waiting:
        number = f"{waiting:,}" if waiting < 1000 else "1,000 or more"
        found = f"{number} operations ended more than {LATE:.0f} s ago and are still in Redis"
        why = "The recorder is behind, or its archive cannot be written; something below them may also still run."
        yield warning(found, why, "look at the log of `tracker web` or `tracker recorder`")
    elif upkeep.recorder:
        yield ok("ended operations leave Redis in time")


def budget(case: Case) -> Findings:
    """What ended operations take in Redis, and whether some had to leave unarchived."""
    upkeep, allowed = case.store.upkeep(), case.settings.redis_budget
    if upkeep.trimmed:
        why = "They were too old, or took too much, before a recorder had archived them."
        remedy = f"keep a recorder running; once you know of it: DEL '{case.store.keys.trimmed}'"
        yield warning(f"{upkeep.trimmed:,} ended operations were removed from Redis", why, remedy)
    if allowed and upkeep.bytes > 0.8 * allowed:
        found = f"ended operations take {size(upkeep.bytes)} of {size(allowed)}"
        remedy = "start a recorder, or raise TRACKER_REDIS_BUDGET"
        yield warning(found, "Beyond it the oldest leave without being archived.", remedy)
    else:
        yield ok(f"ended operations take {size(upkeep.bytes)}" + (f" of {size(allowed)}" if allowed else ""))
