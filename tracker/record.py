"""Everything there is of one operation, with all its runs: what moves from Redis to the archive."""

from __future__ import annotations

import msgspec

from tracker.model import LogLine, Parts, RunPart, StepState, Verdict


class Attempt(msgspec.Struct, omit_defaults=True):
    """One run of an operation, whole: ``number`` is the attempt that the store gave it.

    ``verdict`` is what was judged of the run last, as long as that was not withdrawn.
    """

    number: int
    run: RunPart
    steps: list[StepState] = []
    verdict: Verdict | None = None


class Record(msgspec.Struct, omit_defaults=True):
    """Everything there is to keep of one operation: ``parts`` as they stand, with the newest run, and what lies beside.

    ``earlier`` are the runs before it, oldest first. ``results`` are what steps have kept for a later attempt.
    """

    parts: Parts
    earlier: list[Attempt] = []
    logs: list[LogLine] = []
    results: dict[str, bytes] = {}
