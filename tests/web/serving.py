"""``python -m tests.web.serving '{"heartbeat": 0.2}'``: the real server, with limits a test can reach."""

from __future__ import annotations

import json
import sys

from tracker.settings import Settings
from web.limits import Limits
from web.server import run

if __name__ == "__main__":
    limits = Limits(**json.loads(sys.argv[1]))
    sys.exit(run(Settings.from_env(), limits=limits, ready=lambda url: print(url, flush=True)))
