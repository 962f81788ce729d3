"""The doctor: looks at one installation, and says finding by finding what is right, doubtful and wrong.

Leaves everything as it is. A part of the system that can be unwell adds a check to ``CHECKS``, and its findings to
docs/doctor.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from tracker.doctor import archive, machine, namespace, server
from tracker.doctor.case import Case
from tracker.doctor.finding import Finding, Findings, Level, failure, problem, warning
from tracker.doctor.machine import shown_settings
from tracker.errors import StoreUnavailable
from tracker.redact import TEXT, line

__all__ = ["CHECKS", "REACH", "Case", "Check", "Finding", "Level", "examine", "shown_settings"]

LIMIT = 4.0
"""Seconds after which what is known is told, whatever does not answer."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at, by a name that stays."""

    name: str
    look: Callable[[Case], Findings]


REACH = "redis"
"""The check whose problem means that there is no connection; what comes after it in ``CHECKS`` asks Redis."""

CHECKS = (
    Check("settings", machine.settings),
    Check("versions", machine.versions),
    Check("state-folder", machine.state_folder),
    Check("data-root", machine.data_root),
    Check("log-in", machine.log_in),
    Check("spool", machine.spool),
    Check("broker", machine.broker),
    Check(REACH, server.reach),
    Check("access", server.access),
    Check("engine", server.engine),
    Check("eviction", server.eviction),
    Check("memory", server.memory),
    Check("persistence", server.persistence),
    Check("role", server.role),
    Check("cluster", server.cluster),
    Check("clock", namespace.clock),
    Check("publish", namespace.publish),
    Check("recorder", namespace.recorder),
    Check("late", namespace.late),
    Check("records", namespace.records),
    Check("archive", archive.archive),
    Check("moving", archive.moving),
    Check("budget", archive.budget),
    Check("processes", namespace.processes),
    Check("unsent", namespace.unsent),
    Check("jobs", namespace.jobs),
    Check("releases", namespace.releases),
)
"""Everything that is looked at, in this order."""


def examine(case: Case, limit: float = LIMIT) -> list[Finding]:
    """Look at everything, for ``limit`` seconds at most."""
    examination = Examination(case)
    # A thread of its own, because some waiting cannot be bounded from inside: for the address of a host, or a disk.
    threading.Thread(target=examination.run, name="doctor", daemon=True).start()
    in_time = examination.ended.wait(limit)
    findings = list(examination.findings)
    if not in_time:
        findings.append(_unfinished(examination.at.name, limit))
    return findings


@dataclass
class Examination:
    """The checks one after the other; ``at`` is the one that is looked at now."""

    case: Case
    findings: list[Finding] = field(default_factory=list)
    at: Check = CHECKS[0]
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look at everything, or without a connection at what comes before it."""
        try:
            for self.at in CHECKS:
                found = [replace(one, check=self.at.name) for one in _look(self.at, self.case)]
                self.findings += found
                if self.at.name == REACH and any(one.level is Level.PROBLEM for one in found):
                    return
        finally:
            self.ended.set()


def _look(check: Check, case: Case) -> list[Finding]:
    """What a check says; that it cannot say anything is a finding as well."""
    why = "Whether all is well there is not known."
    try:
        return list(check.look(case))
    except StoreUnavailable as error:
        happened, remedy = failure(error, case.store.keys.prefix)
        return [warning(f"could not be looked at: {happened}", why, remedy)]
    except Exception as error:  # What others have written anywhere must not end the examination.
        happened = line(f"{type(error).__name__}: {error}", TEXT)
        return [warning(f"could not be looked at: {happened}", why, "look into what it names")]


def _unfinished(name: str, limit: float) -> Finding:
    """Not only a warning: what was not looked at may be anything."""
    found = f"no answer within {limit:g} s; what comes after it was not looked at"
    why, remedy = "Whoever waits for it waits as long.", "look at the load of that machine and the network to it"
    return replace(problem(found, why, remedy), check=name)
