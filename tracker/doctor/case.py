"""What one examination works with, and what all its checks look at together, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tracker.settings import Settings
from tracker.store import LeaseInfo, ServerFacts, Store


@dataclass
class Case:
    """One installation as this machine sees it; without a ``settings.redis_url`` there is no Redis to look at."""

    settings: Settings
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @cached_property
    def store(self) -> Store:
        return Store.of(self.settings)

    @cached_property
    def facts(self) -> ServerFacts:
        """What the server says of itself; raises ``StoreUnavailable``."""
        return self.store.server_facts()

    @cached_property
    def leases(self) -> list[LeaseInfo]:
        """The signs of life of all processes; raises ``StoreUnavailable``."""
        return self.store.leases()
