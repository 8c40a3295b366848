"""Random numbers that belong to the points of a grid, not to ranks: the same on any number of ranks and any target.

A counter-based generator, Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1,
2, 3", SC11): a point's number is a function of the seed, of how many draws there were before, and of the point's index.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel.domain.location import Location, location
from xpaccel.errors import DomainError

if TYPE_CHECKING:
    from xpaccel.domain.field import Field
    from xpaccel.domain.grid import Grid

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
Words = np.ndarray[Any, np.dtype[np.uint64]]


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Return four random 32-bit words for each counter.

    Parameters
    ----------
    counter
        Four 32-bit words, broadcastable arrays of uint64.
    key
        Two 32-bit words.
    """
    a, b, c, d = (np.asarray(word, np.uint64) for word in counter)
    first, second = key
    for _ in range(10):
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            (right >> _HALF) ^ b ^ np.uint64(first),
            right & _LOW,
            (left >> _HALF) ^ d ^ np.uint64(second),
            left & _LOW,
        )
        first, second = (first + _WEYL[0]) & 0xFFFFFFFF, (second + _WEYL[1]) & 0xFFFFFFFF
    return a, b, c, d


class Random:
    """Draws random fields. Made by `Grid.random`.

    Each draw is another one; two generators of one seed draw the same.
    """

    def __init__(self, grid: Grid, seed: int) -> None:
        if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**64:
            raise DomainError(f"seed is {seed!r}; give a whole number from 0 to 2**64 - 1")
        self._grid, self._key, self._draws = grid, (int(seed) & 0xFFFFFFFF, int(seed) >> 32), 0

    def uniform(self, low: float = 0.0, high: float = 1.0, *, at: str | Location = "cell", **options: Any) -> Field:
        """Return a field of numbers that are spread evenly from `low` up to, but not including, `high`.

        Parameters
        ----------
        low, high
            The ends.
        at, **options
            As of `Grid.field`.
        """
        where = location(at, self._grid.ndim)
        first, _ = self._pair(where)
        return self._grid.field(at=where, init=lambda *_: low + (high - low) * first, **options)

    def normal(
        self, mean: float = 0.0, deviation: float = 1.0, *, at: str | Location = "cell", **options: Any
    ) -> Field:
        """Return a field of normally distributed numbers (Box and Muller 1958).

        Parameters
        ----------
        mean, deviation
            Of the distribution.
        at, **options
            As of `Grid.field`.
        """
        where = location(at, self._grid.ndim)
        first, second = self._pair(where)
        radius = np.sqrt(-2 * np.log1p(-first))
        return self._grid.field(
            at=where, init=lambda *_: mean + deviation * radius * np.cos(2 * math.pi * second), **options
        )

    def _pair(self, at: Location) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return two numbers from [0, 1), of 53 bits, for each of this rank's points."""
        grid = self._grid
        index: Any = np.uint64(0)
        for axis, ((low, high), size) in enumerate(zip(grid.owned(at), grid.points(at), strict=True)):
            line = np.arange(low, high, dtype=np.uint64)
            index = index * np.uint64(size) + line.reshape([-1 if k == axis else 1 for k in range(grid.ndim)])
        place = sum(1 << axis for axis, half in enumerate(at.half) if half)
        words = philox((index & _LOW, index >> _HALF, self._draws, place), self._key)
        self._draws += 1
        return _unit(*words[:2]), _unit(*words[2:])


def _unit(high: Words, low: Words) -> np.ndarray[Any, Any]:
    """Return numbers from [0, 1) made of the upper 53 of 64 bits."""
    return ((high >> np.uint64(5)) * np.uint64(1 << 26) + (low >> np.uint64(6))) * 2.0**-53
