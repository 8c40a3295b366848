"""Nests that may follow each other row by row, so that a row stays in cache.

The softmax of a matrix's rows takes three nests: the maxima, the sums of exponentials, the quotients. Each
of them needs a row of what the one before made, and no other row. Such nests may be run one row after the
other: all three on the first row, then all three on the second. That changes no bit and no store.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from xpaccel.graph.affine import Affine, Guards
from xpaccel.loops.program import Array, Chain, Index, Nest

#: A chain is not worth it where there are fewer rows than this: threads share out rows.
ROWS = 16
#: A row of more bytes than this, of all arrays together, does not stay in the cache of a core.
ROW_BYTES = 512 * 1024


def find_chains(
    arrays: Sequence[Array], owners: Sequence[int], nests: Sequence[Nest], cuts: Sequence[int], guards: Guards
) -> tuple[Chain, ...]:
    """Return the chains among nests that are run in order.

    Parameters
    ----------
    arrays, owners
        Of the program.
    nests
        In order of execution.
    cuts
        Numbers of nests before which something else happens (a call of a library function).
    guards
        The sizes of this call decide what is worth it, and nothing else.
    """
    finder = _Finder(arrays, owners, nests, frozenset(cuts), guards)
    found: list[Chain] = []
    for number, nest in enumerate(nests):
        lead = _rows_of(nest)
        if lead and (not found or number >= found[-1].last):
            start = found[-1].last if found else 0
            first, last = finder.grow(number, lead, start)
            if last - first > 1:
                found.append(Chain(first, last, lead))
    return tuple(found)


def _rows_of(nest: Nest) -> int:
    """Return how many leading axes a reduction keeps, if these are all that it keeps; else 0."""
    if nest.reduction is None or nest.reduction.block:
        return 0
    lead = len(nest.extents) - len(nest.reduction.axes)
    return lead if nest.reduction.axes == tuple(range(lead, len(nest.extents))) else 0


class _Finder:
    def __init__(
        self,
        arrays: Sequence[Array],
        owners: Sequence[int],
        nests: Sequence[Nest],
        cuts: frozenset[int],
        guards: Guards,
    ) -> None:
        self.arrays, self.owners, self.nests, self.cuts, self.guards = arrays, owners, nests, cuts, guards

    def grow(self, number: int, lead: int, start: int) -> tuple[int, int]:
        """Return the longest run of nests around `number`, not before `start`, that may go row by row."""
        first, last = number, number + 1
        if not self._is_worth_it(self.nests[number], lead):
            return first, last
        while last < len(self.nests) and last not in self.cuts and self._fits(range(first, last), last, lead):
            last += 1
        while first > start and first not in self.cuts and self._fits(range(first, last), first - 1, lead):
            first -= 1
        return first, last

    def _is_worth_it(self, nest: Nest, lead: int) -> bool:
        hints = [self.guards.hint(extent) if isinstance(extent, Affine) else 0 for extent in nest.extents]
        if prod(hints[:lead]) < ROWS:
            return False
        touched = {self.owners[array] for array, _ in _accesses(nest)}
        sizes = sum(np.dtype(self.arrays[array].dtype).itemsize for array in touched)
        return prod(hints[lead:]) * sizes <= ROW_BYTES

    def _fits(self, chain: range, number: int, lead: int) -> bool:
        """Whether a nest may join a chain: the same rows, and what they share they share within a row."""
        nest, head = self.nests[number], self.nests[chain[0]]
        reduced = nest.reduction.axes if nest.reduction else ()
        if (
            len(nest.extents) < lead
            or nest.extents[:lead] != head.extents[:lead]
            or nest.box[:lead] != head.box[:lead]
            or any(axis < lead for axis in reduced)
            or (nest.reduction is not None and (nest.reduction.block or _rows_of(nest) != lead))
            or nest.ordered
            or nest.checks
            or head.checks
        ):
            return False
        shares = False
        for other in chain:
            for owner in self._conflicts(nest, self.nests[other]):
                accesses = [
                    access
                    for one in (nest, *(self.nests[k] for k in chain))
                    for access in _accesses(one)
                    if self.owners[access[0]] == owner
                ]
                if not _within_rows(accesses, lead):
                    return False
            shares = shares or bool(self._touched(nest) & self._touched(self.nests[other]))
        return shares

    def _touched(self, nest: Nest) -> set[int]:
        return {self.owners[array] for array, _ in _accesses(nest)}

    def _conflicts(self, one: Nest, other: Nest) -> set[int]:
        """Return the memories that one of two nests writes and the other touches."""
        writes = [{self.owners[store.array] for store in nest.stores} for nest in (one, other)]
        return (writes[0] & self._touched(other)) | (writes[1] & self._touched(one))


def _accesses(nest: Nest) -> list[tuple[int, Index]]:
    loads = [(value.data[0], value.data[1]) for value in nest.values if value.op in ("load", "gather")]
    return [*loads, *((store.array, store.index) for store in nest.stores)]


def _within_rows(accesses: Sequence[tuple[int, Index]], lead: int) -> bool:
    """Whether accesses of one array agree, for each leading axis, on an axis of the array that follows it alone."""
    array, head = accesses[0]
    if any(other != array for other, _ in accesses):
        return False
    for axis in range(lead):
        places = [k for k, position in enumerate(head) if position.axis == axis and position.step]
        if len(places) != 1 or any(index[places[0]] != head[places[0]] for _, index in accesses):
            return False
    return True
