"""Random fields: a point's number follows from the seed, from how many draws there were before, and from its index.

So they are the same on any number of ranks and any target (`xpaccel.domain.philox`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel.domain import philox
from xpaccel.domain.location import Location, location
from xpaccel.errors import DomainError

if TYPE_CHECKING:
    from xpaccel.domain.field import Field
    from xpaccel.domain.grid import Grid


class Random:
    """Draws random fields. Made by `Grid.random`.

    Each draw is another one; two generators of one seed draw the same.
    """

    def __init__(self, grid: Grid, seed: int) -> None:
        if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**64:
            raise DomainError(f"seed is {seed!r}; give a whole number from 0 to 2**64 - 1")
        self._grid, self._seed, self._draws = grid, int(seed), 0

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
        drawn = self._draw(philox.uniform, where)
        return self._grid.field(at=where, init=lambda *_: low + (high - low) * drawn, **options)

    def normal(
        self, mean: float = 0.0, deviation: float = 1.0, *, at: str | Location = "cell", **options: Any
    ) -> Field:
        """Return a field of normally distributed numbers, up to 8.2 deviations from the mean.

        Parameters
        ----------
        mean, deviation
            Of the distribution.
        at, **options
            As of `Grid.field`.
        """
        where = location(at, self._grid.ndim)
        drawn = self._draw(philox.normal, where)
        return self._grid.field(at=where, init=lambda *_: mean + deviation * drawn, **options)

    def _draw(self, function: Callable[..., Any], at: Location) -> np.ndarray[Any, Any]:
        """Return a number for each of this rank's points."""
        index = np.ix_(*(np.arange(low, high) for low, high in self._grid.owned(at)))
        place = sum(1 << axis for axis, half in enumerate(at.half) if half)
        stream = self._draws << 3 | place
        self._draws += 1
        drawn: np.ndarray[Any, Any] = function(self._seed, *index, stream=stream)
        return drawn
