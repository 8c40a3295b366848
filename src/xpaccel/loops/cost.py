"""What a loop program costs: bytes that must move and flops, counted from the loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from xpaccel.graph.affine import Symbol
from xpaccel.loops.program import COMBINE, Index, LoopProgram, Nest
from xpaccel.ops import OPS


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one run of a nest.

    Attributes
    ----------
    points
        How many points it runs.
    read, written
        Bytes that must move: the smallest box of each array that covers what is read, or written,
        once; where places are computed, an element a point, or all there are if these are fewer. A cache
        line that is loaded because a part of it is stored is not counted.
    flops
        Floating-point operations, as the op table counts them.
    """

    points: int
    read: int
    written: int
    flops: int

    @property
    def bytes(self) -> int:
        """All bytes that must move."""
        return self.read + self.written


def cost(program: LoopProgram, nest: Nest, sizes: Mapping[Symbol, int]) -> Cost:
    """Count what one run of a nest costs for given sizes."""
    box = [(low.value(sizes), high.value(sizes)) for low, high in nest.box]
    reduction = nest.reduction
    block = reduction.block if reduction else 0
    points = prod(max(high - low, 0) for low, high in (box[1:] if block else box))
    loads: dict[int, list[Index]] = {}
    for value in nest.values:
        if value.op == "load":
            loads.setdefault(value.data[0], []).append(value.data[1])
    stores: dict[int, list[Index]] = {}
    for store in nest.stores:
        if not store.moves:
            stores.setdefault(store.array, []).append(store.index)

    def covered(touched: Mapping[int, list[Index]]) -> int:
        if not points:
            return 0
        total = 0
        for array, indices in touched.items():
            size = 1
            for axis in range(len(indices[0])):
                places = []
                for index in indices:
                    position = index[axis]
                    start = position.start.value(sizes)
                    low, high = box[position.axis] if position.step else (0, 1)
                    places += [start + position.step * low, start + position.step * (high - 1)]
                steps = {abs(index[axis].step) for index in indices}
                stride = max(next(iter(steps)), 1) if len(steps) == 1 and len(indices) == 1 else 1
                size *= (max(places) - min(places)) // stride + 1
            total += size * np.dtype(program.arrays[array].dtype).itemsize
        return total

    read, written = covered(loads), covered(stores)
    for value in nest.values:
        if value.op == "gather":
            read += _anywhere(program, value.data[0], points, sizes)
    for store in nest.stores:
        if store.moves:
            written += _anywhere(program, store.array, points, sizes)
            read += _anywhere(program, store.array, points, sizes) if store.mode != "set" else 0
    flops = sum(OPS[value.op].flops for value in nest.values if value.op in OPS) + (reduction is not None)
    flops += sum(OPS[COMBINE[store.mode]].flops for store in nest.stores if store.mode != "set")
    return Cost(points, read, written, points * flops)


def _anywhere(program: LoopProgram, array: int, points: int, sizes: Mapping[Symbol, int]) -> int:
    """Return the bytes of one element a point, but no more than the array has."""
    held = program.arrays[array]
    return min(points, prod(extent.value(sizes) for extent in held.shape)) * np.dtype(held.dtype).itemsize
