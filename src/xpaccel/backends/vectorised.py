"""Loop programs run with NumPy: each operation of a nest on all points of a box at once.

Kernels that are called on arrays run as they are written where the backend is eager. On fields a rank runs parts of
a kernel's nests, and these parts are run here. Memory for every operator is what eager NumPy costs anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xpaccel.backends.base import Box, Geometry
from xpaccel.errors import BackendError
from xpaccel.graph.scalar import literal
from xpaccel.loops.program import COMBINE, Index, LoopProgram, Nest, Reduction, Store, Value, identity_of
from xpaccel.ops import OPS

AnyArray = np.ndarray[Any, Any]


class VectorisedEngine:
    """The nests of a program.

    Parameters
    ----------
    loops
        The program.

    Raises
    ------
    BackendError
        If a nest has computed positions (integer arrays as indices).
    """

    def __init__(self, loops: LoopProgram) -> None:
        for nest in loops.nests:
            if nest.ordered or nest.checks:
                raise BackendError(
                    f"indexing with an array of integers ({', '.join(nest.lines)}) is not supported here: the backend "
                    "'numpy' runs kernels on fields nest by nest. Choose the backend 'numba'."
                )
        self.loops = loops

    def bind(self, geometry: Geometry) -> VectorisedLaunches:
        """Prepare for arrays of certain sizes."""
        return VectorisedLaunches(self.loops, geometry)


class VectorisedLaunches:
    """The nests of a program, with the boxes to run of each."""

    def __init__(self, loops: LoopProgram, geometry: Geometry) -> None:
        self._loops, self._geometry = loops, geometry
        self._runs = [
            (nest, box)
            for number, nest in enumerate(loops.nests)
            for box in geometry.boxes_of(number, nest)
            if all(low < high for low, high in box) or nest.reduction is not None
        ]

    def run(self, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        """Run all nests in order."""
        memory = list(arrays)
        for number, owner in enumerate(self._loops.owners):
            if owner != number:
                memory[number] = memory[owner].reshape(self._geometry.shapes[number])
        numbers = [np.dtype(dtype).type(value) for value, (_, dtype) in zip(scalars, self._loops.scalars, strict=True)]
        with np.errstate(all="ignore"):
            for nest, box in self._runs:
                _Run(nest, box, memory, numbers, self._geometry).run()


class _Run:
    """A box of a nest, being run."""

    def __init__(
        self, nest: Nest, box: Box, memory: Sequence[AnyArray], numbers: Sequence[Any], geometry: Geometry
    ) -> None:
        self.nest, self.box, self.memory, self.numbers, self.geometry = nest, box, memory, numbers, geometry
        self.stored = {store.array for store in nest.stores}

    def run(self) -> None:
        """Compute all values, then store."""
        values: list[Any] = []
        for value in self.nest.values:
            values.append(self.value(value, values))
        for number, store in enumerate(self.nest.stores):
            result = values[store.value]
            if self.nest.reduction is not None:
                result = self.reduced(self.nest.reduction, number, result)
            self.store(store, result)

    def value(self, value: Value, values: Sequence[Any]) -> Any:
        """Return one value at all points: an array that broadcasts to the box."""
        if value.op == "load":
            array, index = value.data
            found = self.view(array, index)
            return found.copy() if array in self.stored else found
        if value.op == "scalar":
            return self.numbers[value.data[0]]
        dtype = np.dtype(value.dtype)
        if value.op == "const":
            return dtype.type(literal(value.data[0]))
        if value.op == "index":
            (position,) = value.data
            start = position.start.value(self.geometry.sizes)
            if not position.step:
                return np.int64(start)
            low, high = self.box[position.axis]
            line = start + position.step * np.arange(low, high, dtype=np.int64)
            return line.reshape([-1 if axis == position.axis else 1 for axis in range(len(self.box))])
        args = [values[arg] for arg in value.args]
        if value.op == "astype":
            return np.asarray(args[0]).astype(dtype)
        return np.asarray(getattr(np, OPS[value.op].numpy)(*args)).astype(dtype, copy=False)

    def view(self, array: int, index: Index) -> AnyArray:
        """Return the elements of an array that all points touch, an axis for each axis of the nest."""
        memory, sizes = self.memory[array], self.geometry.sizes
        firsts = self.geometry.firsts[array] if self.geometry.firsts is not None else (0,) * len(index)
        places: list[Any] = []
        axes: list[int] = []
        for position, first in zip(index, firsts, strict=True):
            start = position.start.value(sizes) - first
            if not position.step:
                places.append(start)
                continue
            low, high = self.box[position.axis]
            places.append(start + position.step * np.arange(low, high))
            axes.append(position.axis)
        if len(set(axes)) == len(axes):
            places = [place if isinstance(place, int) else _slice(place) for place in places]
            found = memory[(*places, ...)].transpose([axes.index(axis) for axis in sorted(axes)])
        else:  # a diagonal
            grids = [
                place
                if isinstance(place, int)
                else place.reshape([-1 if k == p.axis else 1 for k in sorted(set(axes))])
                for place, p in zip(places, index, strict=True)
            ]
            found = memory[tuple(grids)]
        return found[tuple(slice(None) if axis in axes else np.newaxis for axis in range(len(self.box)))]

    def reduced(self, reduction: Reduction, number: int, value: Any) -> Any:
        """Return a value reduced over the axes of a reduction, which keep the size 1."""
        combine = getattr(np, OPS[COMBINE[reduction.kinds[number]]].numpy)
        value = np.asarray(value)
        if reduction.block:
            low, high = self.box[1]
            flat = np.broadcast_to(value, (1, high - low)).reshape(-1)
            parts = combine.reduceat(flat, range(0, high - low, reduction.block))
            return parts.astype(value.dtype, copy=False)[:, np.newaxis]
        whole = np.broadcast_to(value, [high - low for low, high in self.box])
        start = identity_of(reduction.kinds[number], value.dtype)
        return combine.reduce(whole, axis=reduction.axes, keepdims=True, dtype=value.dtype, initial=start)

    def store(self, store: Store, value: Any) -> None:
        """Put a value into memory."""
        self.view(store.array, store.index)[...] = value


def _slice(places: AnyArray) -> slice:
    """Return the slice of evenly spaced places, none of which is negative."""
    if not places.size:
        return slice(0, 0)
    first, last = int(places[0]), int(places[-1])
    step = 1 if places.size == 1 else int(places[1]) - first
    end = last + (1 if step > 0 else -1)
    return slice(first, None if end < 0 else end, step)
