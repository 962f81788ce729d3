"""``python -m web``: the web server alone, configured by ``TRACKER_*`` variables."""

from __future__ import annotations

import sys

from tracker.errors import SettingsError, TrackerError
from tracker.settings import Settings
from web.server import run


def main() -> int:
    """Serve until stopped; 2 for a setting that cannot be used, 1 for anything else in the way."""
    try:
        return run(Settings.from_env(), ready=lambda url: print(url, flush=True))
    except TrackerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1


if __name__ == "__main__":
    sys.exit(main())
