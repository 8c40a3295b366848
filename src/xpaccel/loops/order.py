"""The order of a nest's loops: the innermost walks along memory.

Axes come from the user's arrays, outermost first, which suits C order. A kernel of transposed or
Fortran-ordered arrays walks along another axis: the loops are then permuted, which changes nothing
else, since the points of a nest are independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpaccel.loops.program import Array, Index, Nest, Position, Value


def along_memory(arrays: Sequence[Array], nest: Nest) -> Nest:
    """Return the nest with the axis along which most accesses are contiguous as the innermost loop.

    A reduction keeps its order, which is part of its meaning; so does a nest whose points are ordered.
    """
    last = len(nest.extents) - 1
    if nest.reduction is not None or nest.ordered or last == 0:
        return nest
    votes = [0] * (last + 1)
    for array, index in _accesses(nest):
        unit = arrays[array].unit
        if unit is not None and index[unit].step:
            votes[index[unit].axis] += 1
    best = max(range(last + 1), key=lambda axis: (votes[axis], axis))
    if votes[best] == votes[last]:
        return nest
    order = [axis for axis in range(last + 1) if axis != best] + [best]
    place = {axis: depth for depth, axis in enumerate(order)}

    def moved(index: Index) -> Index:
        return tuple(Position(p.start, place[p.axis], p.step) if p.step else p for p in index)

    def value(old: Value) -> Value:
        if old.op in ("load", "gather"):
            return replace(old, data=(old.data[0], moved(old.data[1]), *old.data[2:]))
        return replace(old, data=moved(old.data)) if old.op == "index" else old

    return replace(
        nest,
        extents=tuple(nest.extents[axis] for axis in order),
        box=tuple(nest.box[axis] for axis in order),
        values=tuple(map(value, nest.values)),
        stores=tuple(replace(store, index=moved(store.index)) for store in nest.stores),
    )


def _accesses(nest: Nest) -> list[tuple[int, Index]]:
    loads = [value.data[:2] for value in nest.values if value.op in ("load", "gather")]
    return [*loads, *((store.array, store.index) for store in nest.stores)]
