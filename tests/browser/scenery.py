"""``python -m tests.browser.scenery normal|huge``: a script whose operations pages are looked at with.

The last of them is called ``last``. It ends when its stdin does: until then some of them run.
"""

from __future__ import annotations

import contextlib
import sys

from tracker import StepTracker

LONG = "A name that somebody made from a whole sentence, with /paths/and/some-more.tar.gz in it, " * 2
HOSTILE = (
    '<img src=x onerror="document.title=1"><script>document.title=1</script> \u202e\u0007 "quoted" & ünïcödé 日本 ✅'
)


def import_orders(stack: contextlib.ExitStack) -> None:
    """One that runs, with progress and lines."""
    tracker = stack.enter_context(
        StepTracker("Import orders", steps=["Read", "Validate", "Write"], labels={"tenant": "acme"}, id="running")
    )
    with tracker.step("Read") as step:
        for _ in step.track(range(1200), unit="rows"):
            pass
        step.log("1,200 rows in orders.csv")
    step = stack.enter_context(tracker.step("Validate"))
    rows = step.track(range(5000), unit="rows")
    for _ in range(1700):
        next(rows)
    step.warn("two fields are deprecated")
    for number in range(8):
        step.log(f"row {number * 200} looks fine")


def fail(id: str, title: str) -> None:
    """One that failed inside a nested operation."""
    with contextlib.suppress(ValueError), StepTracker(title, steps=["Prepare", "Convert", "Send"], id=id) as outer:
        outer.step("Prepare")
        with (
            outer.step("Convert"),
            StepTracker("Convert prices", steps=["Parse"]) as inner,
            inner.step("Parse") as step,
        ):
            step.log("line 17: 12,,50")
            raise ValueError("could not convert '12,,50' to a price; " + "see the line before " * 12)


def complete(title: str, id: str | None = None, steps: int = 4) -> None:
    """One that went well."""
    with StepTracker(title, steps=[f"Part {number}" for number in range(1, steps + 1)], id=id) as tracker:
        for number in range(1, steps + 1):
            tracker.step(f"Part {number}")
            tracker.complete("as it should")


def make_normal(stack: contextlib.ExitStack) -> None:
    fail("failed", "Publish prices")
    complete("Nightly report", "complete")
    for number in range(6):
        complete(f"Resize pictures {number}")
    import_orders(stack)


def make_huge(stack: contextlib.ExitStack) -> None:
    complete(LONG, "many-steps", 300)
    fail("failed", HOSTILE)
    for number in range(120):
        complete(f"{LONG if number % 7 == 0 else HOSTILE} {number}", steps=2)


if __name__ == "__main__":
    with contextlib.ExitStack() as stack:
        {"normal": make_normal, "huge": make_huge}[sys.argv[1]](stack)
        complete("Tidy up", "last")
        sys.stdin.read()
