"""Which of many appends a fault hits: decided by count, or by a seed that shows in what a failed test prints."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

Pick = Callable[[int], bool]
"""Whether the fault hits the n-th one, counted from 1."""


@dataclass(frozen=True, slots=True)
class Every:
    """Every n-th one.

    >>> [number for number in range(1, 8) if Every(3)(number)]
    [3, 6]
    """

    step: int

    def __call__(self, number: int) -> bool:
        return number % self.step == 0


@dataclass(frozen=True, slots=True)
class Only:
    """The n-th one and no other."""

    wanted: int

    def __call__(self, number: int) -> bool:
        return number == self.wanted


@dataclass(slots=True)
class AtRandom:
    """Each one with the same chance, the same ones for the same seed."""

    chance: float
    seed: int
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def __call__(self, number: int) -> bool:
        return self._random.random() < self.chance
