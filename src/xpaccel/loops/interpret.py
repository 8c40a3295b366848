"""The slow interpreter of loop programs: their meaning, one element at a time.

Every point of a nest is run in turn, in either direction: points are independent, so the result
may not depend on it. Printers are tested against this, and this against the interpreter of graphs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from xpaccel.graph.affine import Symbol
from xpaccel.graph.scalar import compile_scalars, literal
from xpaccel.loops.program import (
    BLOCK,
    COMBINE,
    IN_ORDER,
    LANES,
    Extent,
    Index,
    LoopProgram,
    Nest,
    Reduction,
    identity_of,
)
from xpaccel.ops import OPS

_COMBINE = {kind: getattr(np, OPS[name].numpy) for kind, name in COMBINE.items()}


def interpret(
    program: LoopProgram,
    arguments: Sequence[np.ndarray[Any, Any]],
    scalars: Sequence[Any],
    sizes: Mapping[Symbol, int],
    *,
    backward: bool = False,
) -> list[np.ndarray[Any, Any]]:
    """Run a loop program.

    Parameters
    ----------
    program
        What to run.
    arguments
        The array arguments by slot; written in place.
    scalars
        The Python numbers by slot.
    sizes
        The value of each symbol.
    backward
        Run the points of each nest from the last to the first.

    Returns
    -------
    list of numpy.ndarray
        The outputs.
    """
    memory: list[np.ndarray[Any, Any]] = []
    for number, array in enumerate(program.arrays):
        shape = tuple(_extent(extent, sizes) for extent in array.shape)
        owner = program.owners[number]
        if owner != number:
            memory.append(memory[owner].reshape(shape))
        elif array.role == "argument":
            memory.append(arguments[array.slot])
        else:
            poison = np.empty(shape, array.dtype)
            poison.view(np.uint8).fill(0xA5) if poison.size and poison.ndim else None
            memory.append(poison)
    values = compile_scalars([expr for expr, _ in program.scalars])(scalars, sizes)
    numbers = [np.dtype(dtype).type(value) for value, (_, dtype) in zip(values, program.scalars, strict=True)]
    with np.errstate(all="ignore"):
        for nest in program.nests:
            _Run(program, nest, memory, numbers, sizes).run(backward)
    return [memory[number] for number in program.outputs]


def _extent(extent: Extent, sizes: Mapping[Symbol, int]) -> int:
    return extent.value(sizes)


class _Run:
    """One nest, being run."""

    def __init__(
        self,
        program: LoopProgram,
        nest: Nest,
        memory: list[np.ndarray[Any, Any]],
        numbers: list[Any],
        sizes: Mapping[Symbol, int],
    ) -> None:
        self.program, self.nest, self.memory, self.numbers, self.sizes = program, nest, memory, numbers, sizes
        self.box = [(low.value(sizes), _extent(high, sizes)) for low, high in nest.box]

    def run(self, backward: bool) -> None:
        if self.nest.reduction is not None:
            self._reduce(self.nest.reduction, backward)
            return
        points: Iterable[tuple[int, ...]] = itertools.product(*(range(low, high) for low, high in self.box))
        if backward:
            points = reversed(list(points))
        for point in points:
            values = self._values(point)
            for store in self.nest.stores:
                self.memory[store.array][self._place(store.index, point, store.array)] = values[store.value]

    def _place(self, index: Index, point: Sequence[int], array: int) -> tuple[int, ...]:
        place = tuple(p.start.value(self.sizes) + (p.step * point[p.axis] if p.step else 0) for p in index)
        for position, extent in zip(place, self.memory[array].shape, strict=True):
            assert 0 <= position < extent, f"{self.program.arrays[array].name}{list(place)} is outside its array"
        return place

    def _values(self, point: Sequence[int]) -> list[Any]:
        values: list[Any] = []
        for value in self.nest.values:
            dtype = np.dtype(value.dtype)
            if value.op == "load":
                number, index = value.data
                values.append(self.memory[number][self._place(index, point, number)])
            elif value.op == "scalar":
                values.append(self.numbers[value.data[0]])
            elif value.op == "const":
                values.append(dtype.type(literal(value.data[0])))
            elif value.op == "index":
                (position,) = value.data
                start = position.start.value(self.sizes)
                values.append(np.int64(start + (position.step * point[position.axis] if position.step else 0)))
            elif value.op == "astype":
                values.append(np.asarray(values[value.args[0]]).astype(dtype)[()])
            else:
                function = getattr(np, OPS[value.op].numpy)
                values.append(dtype.type(function(*(values[arg] for arg in value.args))))
        return values

    def _reduce(self, reduction: Reduction, backward: bool) -> None:
        nest = self.nest
        kept = [axis for axis in range(len(nest.extents)) if axis not in reduction.axes]
        points = list(itertools.product(*(range(*self.box[axis]) for axis in kept)))
        for point in reversed(points) if backward else points:
            full = [0] * len(nest.extents)
            for axis, i in zip(kept, point, strict=True):
                full[axis] = i
            (store,) = nest.stores
            dtype = np.dtype(nest.values[store.value].dtype)
            total = self._total(reduction, full, dtype)
            self.memory[store.array][self._place(store.index, full, store.array)] = total

    def _total(self, reduction: Reduction, point: list[int], dtype: np.dtype[Any]) -> Any:
        """Reduce over all reduced axes at a point of the kept ones."""
        nest, combine = self.nest, _COMBINE[reduction.kind]
        total = carry = None
        last = len(nest.extents) - 1
        outer = [axis for axis in reduction.axes if axis != last]
        compensated = reduction.kind == "sum" and dtype.kind in "fc" and last in reduction.axes
        total, carry = identity_of(reduction.kind, dtype), dtype.type(0)
        for place in itertools.product(*(range(*self.box[axis]) for axis in outer)):
            for axis, i in zip(outer, place, strict=True):
                point[axis] = i
            if last not in reduction.axes:
                total = dtype.type(combine(total, self._values(point)[nest.stores[0].value]))
                continue
            low, high = self.box[last]
            if reduction.block:
                low, high = point[0] * reduction.block, min(high, (point[0] + 1) * reduction.block)
            for start in range(low, high, BLOCK):
                block = self._block(reduction, point, start, min(start + BLOCK, high), dtype)
                if compensated:
                    total, carry = _two_sum(total, carry, block)
                else:
                    total = dtype.type(combine(total, block))
        return total + carry if compensated and np.isfinite(total) else total

    def _block(self, reduction: Reduction, point: list[int], low: int, high: int, dtype: np.dtype[Any]) -> Any:
        combine, lanes = _COMBINE[reduction.kind], min(LANES, high - low)
        lane = [identity_of(reduction.kind, dtype)] * lanes
        for k in range(low, high):
            point[-1] = k
            which = (k - low) % lanes
            lane[which] = dtype.type(combine(lane[which], self._values(point)[self.nest.stores[0].value]))
        if lanes <= IN_ORDER:
            for k in range(1, lanes):
                lane[0] = dtype.type(combine(lane[0], lane[k]))
            return lane[0]
        while lanes > 1:
            half = (lanes + 1) // 2
            for k in range(lanes - half):
                lane[k] = dtype.type(combine(lane[k], lane[k + half]))
            lanes = half
        return lane[0]


def _two_sum(total: Any, carry: Any, more: Any) -> tuple[Any, Any]:
    """Add `more` to `total` and the rounding error to `carry` (Knuth 1969, TwoSum)."""
    new = total + more
    back = new - total
    return new, carry + ((total - (new - back)) + (more - back))
