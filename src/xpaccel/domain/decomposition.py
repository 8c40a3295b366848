"""How the cells of a grid are shared out among ranks: pure arithmetic, nothing here knows MPI."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from xpaccel.errors import DomainError


def block(size: int, parts: int, part: int) -> tuple[int, int]:
    """Return the first cell of part `part` of an axis, and the one after its last; the first parts take the remainder.

    Parameters
    ----------
    size
        Cells of the axis.
    parts
        Into how many parts it is cut.
    part
        Which of them, from 0.
    """
    least, more = divmod(size, parts)
    low = part * least + min(part, more)
    return low, low + least + (part < more)


def factorisations(number: int, axes: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to write a positive number as an ordered product of `axes` factors."""
    if axes == 1:
        yield (number,)
        return
    for factor in range(1, number + 1):
        if number % factor == 0:
            for rest in factorisations(number // factor, axes - 1):
                yield (factor, *rest)


def sent(shape: Sequence[int], dims: Sequence[int], periodic: Sequence[bool]) -> int:
    """Return how many cells all ranks together send when halos are one cell wide."""
    cells = math.prod(shape)
    total = 0
    for size, parts, wraps in zip(shape, dims, periodic, strict=True):
        cuts = parts if wraps and parts > 1 else parts - 1
        total += 2 * cuts * (cells // size if size else 0)
    return total


def choose_dims(shape: Sequence[int], ranks: int, periodic: Sequence[bool]) -> tuple[int, ...]:
    """Return how many parts each axis is cut into, so that the ranks send the least.

    Of equals the one that cuts the leading axes is taken: its messages are contiguous in memory.

    Parameters
    ----------
    shape
        Cells of each axis.
    ranks
        The product of the result.
    periodic
        Whether each axis wraps around.

    Raises
    ------
    DomainError
        If no way to cut the grid leaves every rank a cell. The message names the largest number of ranks that can
        be used.
    """
    legal = [dims for dims in factorisations(ranks, len(shape)) if _fits(shape, dims)]
    if not legal:
        raise DomainError(
            f"a grid of {' x '.join(map(str, shape))} cells cannot be cut into {ranks} parts, one for each rank, of at "
            f"least one cell.\n    Use at most {largest(shape, ranks)} ranks."
        )
    return min(legal, key=lambda dims: (sent(shape, dims, periodic), [-parts for parts in dims]))


def _fits(shape: Sequence[int], dims: Sequence[int]) -> bool:
    return all(parts <= size for parts, size in zip(dims, shape, strict=True))


def largest(shape: Sequence[int], ranks: int) -> int:
    """Return the largest number of ranks, up to `ranks`, that a grid can be cut for; 0 for a grid without a cell."""
    for number in range(ranks, 0, -1):
        if any(_fits(shape, dims) for dims in factorisations(number, len(shape))):
            return number
    return 0


@dataclass(frozen=True)
class Decomposition:
    """A grid of cells, cut into a Cartesian arrangement of blocks, one a rank, in C order.

    Parameters
    ----------
    shape
        Cells of each axis.
    dims
        Into how many parts each axis is cut.
    periodic
        Whether each axis wraps around.
    """

    shape: tuple[int, ...]
    dims: tuple[int, ...]
    periodic: tuple[bool, ...]

    @cached_property
    def ranks(self) -> int:
        """The number of blocks."""
        return math.prod(self.dims)

    def position(self, rank: int) -> tuple[int, ...]:
        """Return which part of each axis a rank has."""
        found = []
        for parts in reversed(self.dims):
            rank, part = divmod(rank, parts)
            found.append(part)
        return tuple(reversed(found))

    def rank(self, position: Sequence[int]) -> int | None:
        """Return the rank at a position, wrapped around periodic axes; None for one outside of the grid."""
        found = 0
        for part, parts, wraps in zip(position, self.dims, self.periodic, strict=True):
            if not 0 <= part < parts:
                if not wraps:
                    return None
                part %= parts
            found = found * parts + part
        return found

    def cells(self, rank: int) -> tuple[tuple[int, int], ...]:
        """Return the first cell of a rank's block along each axis, and the one after its last."""
        return tuple(
            block(size, parts, part)
            for size, parts, part in zip(self.shape, self.dims, self.position(rank), strict=True)
        )

    def narrowest(self, axis: int) -> int:
        """Return the least number of cells that any rank has along an axis."""
        return self.shape[axis] // self.dims[axis]
