"""Everything at once: producers, recorder, Redis and connections are broken by chance; the checker finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checker.history import load
from tests.checker.trial import Trial

GROWTH = 12_000
"""kB by which the first producer may grow after its first quarter; its journal and its spool are on disk."""


@pytest.mark.parametrize(
    ("seconds", "seed"),
    [pytest.param(10, 11, id="short"), pytest.param(120, 12, marks=[pytest.mark.soak, pytest.mark.timeout(600)])],
)
def test_whatever_breaks_nothing_is_missing_and_nothing_is_double(tmp_path: Path, seconds: float, seed: int) -> None:
    """Held against what each producer wrote down itself, in Redis, in the archive and as three watchers saw it."""
    trial = Trial(tmp_path, seed)
    try:
        assert trial.run(seconds) == [], trial.done
    finally:
        trial.close()
    history = load(tmp_path)
    assert len(trial.done) >= seconds / 3
    assert len(history.stored) > 50
    assert all(len(seen) > 50 for seen in history.watchers.values())
    sizes = trial.sizes[len(trial.sizes) // 4 :]
    memory, threads, files = zip(*sizes, strict=True)
    assert max(memory) - memory[0] < GROWTH
    assert max(threads) <= 4
    assert max(files) <= 8
