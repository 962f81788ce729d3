"""Twelve lines that show themselves: in a terminal, in a pipe and, with TRACKER_REDIS_URL set, in the dashboard."""

import time

from tracker import StepTracker

with StepTracker("Import customers", steps=["Download", "Parse", "Store"]) as tracker:
    tracker.step("Download")
    time.sleep(0.4)
    tracker.complete("2.1 MB")

    with tracker.step("Parse") as step:
        for _row in step.track(range(300), unit="rows"):
            time.sleep(0.002)

    tracker.run("Store", time.sleep, 0.3)
