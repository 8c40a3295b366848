"""The slow interpreter of loop programs: their meaning, one element at a time.

Every point of a nest is run in turn, in either direction: points are independent, so the result
may not depend on it (but where the nest is ordered). Printers are tested against this, and this against
the interpreter of graphs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from xpaccel.errors import out_of_bounds
from xpaccel.graph.affine import Symbol
from xpaccel.graph.calls import evaluate
from xpaccel.graph.scalar import compile_scalars, literal
from xpaccel.loops.program import (
    BLOCK,
    COMBINE,
    IN_ORDER,
    LANES,
    Call,
    Check,
    Extent,
    Index,
    LoopProgram,
    Moves,
    Nest,
    Reduction,
    Store,
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
        Run the points of each nest from the last to the first, and the nests of a chain row by row.

    Returns
    -------
    list of numpy.ndarray
        The outputs.

    Raises
    ------
    IndexError
        If a place is outside its axis, after the nests up to the next call have run.
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
        done = 0
        for step in program.steps:
            if isinstance(step, Call):
                _call(step, memory)
                continue
            runs = [_Run(program, nest, memory, numbers, sizes) for nest in step]
            chains = {chain.first - done: chain for chain in program.chains} if backward else {}
            number = 0
            while number < len(runs):
                chain = chains.get(number)
                if chain is None:
                    runs[number].run(backward)
                    number += 1
                else:
                    _rows(runs[number : chain.last - done], chain.lead)
                    number = chain.last - done
            done += len(runs)
            for run in runs:
                for check in run.failed:
                    raise out_of_bounds(check.size.value(sizes), check.line)
    return [memory[number] for number in program.outputs]


def _rows(runs: Sequence[_Run], lead: int) -> None:
    """Run the nests of a chain row by row, from the last row to the first."""
    for row in reversed(list(itertools.product(*(range(*box) for box in runs[0].box[:lead])))):
        for run in runs:
            whole = run.box
            run.box = [*((i, i + 1) for i in row), *whole[lead:]]
            run.run(True)
            run.box = whole


def _call(call: Call, memory: list[np.ndarray[Any, Any]]) -> None:
    """Call a function of NumPy's; its results become the arrays that it is to make."""
    results = evaluate(np, call.function, [memory[number] for number in call.inputs], call.arguments)
    for which, number in call.outputs:
        result, made = np.array(results[which], order="C"), memory[number]
        expected = f"expected {made.dtype}{list(made.shape)}"
        assert result.shape == made.shape, f"{call.function} gave shape {list(result.shape)}, {expected}"
        assert result.dtype == made.dtype, f"{call.function} gave {result.dtype}, {expected}"
        memory[number] = result


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
        #: The checks that failed.
        self.failed: dict[Check, None] = {}
        self.box = [(low.value(sizes), _extent(high, sizes)) for low, high in nest.box]

    def run(self, backward: bool) -> None:
        if self.nest.reduction is not None:
            self._reduce(self.nest.reduction, backward)
            return
        points: Iterable[tuple[int, ...]] = itertools.product(*(range(low, high) for low, high in self.box))
        if backward and not self.nest.ordered:
            points = reversed(list(points))
        for point in points:
            values = self._values(point)
            for store in self.nest.stores:
                self._store(store, point, values)

    def _store(self, store: Store, point: Sequence[int], values: Sequence[Any]) -> None:
        if (store.moves and self.failed) or (store.where >= 0 and not values[store.where]):
            return
        array, value = self.memory[store.array], values[store.value]
        place = self._place(store.index, point, store.array, store.moves, [values[arg] for arg in store.args])
        if store.mode != "set":
            value = np.asarray(_COMBINE[store.mode](array[place].astype(value.dtype), value)).astype(array.dtype)
        array[place] = value

    def _place(
        self, index: Index, point: Sequence[int], array: int, moves: Moves = (), by: Sequence[Any] = ()
    ) -> tuple[int, ...]:
        place = [p.start.value(self.sizes) + (p.step * point[p.axis] if p.step else 0) for p in index]
        for (axis, step), value in zip(moves, by, strict=True):
            place[axis] += step * int(value)
        for position, extent in zip(place, self.memory[array].shape, strict=True):
            assert 0 <= position < extent, f"{self.program.arrays[array].name}{place} is outside its array"
        return tuple(place)

    def _values(self, point: Sequence[int]) -> list[Any]:
        values: list[Any] = []
        for value in self.nest.values:
            dtype = np.dtype(value.dtype)
            if value.op == "load":
                number, index = value.data
                values.append(self.memory[number][self._place(index, point, number)])
            elif value.op == "gather":
                number, index, moves = value.data
                by = [values[arg] for arg in value.args]
                values.append(self.memory[number][self._place(index, point, number, moves, by)])
            elif value.op == "place":
                check = self.nest.checks[value.data[0]]
                size, given = check.size.value(self.sizes), values[value.args[0]]
                place = given + size if given < 0 else given
                if not 0 <= place < size:
                    self.failed[check] = None
                    place = 0
                values.append(np.int64(place))
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
            totals = [
                self._total(reduction, kind, store.value, full)
                for kind, store in zip(reduction.kinds, nest.stores, strict=True)
            ]
            for axis, i in zip(kept, point, strict=True):
                full[axis] = i
            for store, total in zip(nest.stores, totals, strict=True):
                self.memory[store.array][self._place(store.index, full, store.array)] = total

    def _total(self, reduction: Reduction, kind: str, value: int, point: list[int]) -> Any:
        """Reduce a value over all reduced axes at a point of the kept ones."""
        nest, combine, dtype = self.nest, _COMBINE[kind], np.dtype(self.nest.values[value].dtype)
        total = carry = None
        last = len(nest.extents) - 1
        outer = [axis for axis in reduction.axes if axis != last]
        compensated = kind == "sum" and dtype.kind in "fc" and last in reduction.axes
        total, carry = identity_of(kind, dtype), dtype.type(0)
        for place in itertools.product(*(range(*self.box[axis]) for axis in outer)):
            for axis, i in zip(outer, place, strict=True):
                point[axis] = i
            if last not in reduction.axes:
                total = dtype.type(combine(total, self._values(point)[value]))
                continue
            low, high = self.box[last]
            if reduction.block:
                low, high = point[0] * reduction.block, min(high, (point[0] + 1) * reduction.block)
            for start in range(low, high, BLOCK):
                block = self._block(kind, value, point, start, min(start + BLOCK, high))
                if compensated:
                    total, carry = _two_sum(total, carry, block)
                else:
                    total = dtype.type(combine(total, block))
        return total + carry if compensated and np.isfinite(total) else total

    def _block(self, kind: str, value: int, point: list[int], low: int, high: int) -> Any:
        combine, lanes, dtype = _COMBINE[kind], min(LANES, high - low), np.dtype(self.nest.values[value].dtype)
        lane = [identity_of(kind, dtype)] * lanes
        for k in range(low, high):
            point[-1] = k
            which = (k - low) % lanes
            lane[which] = dtype.type(combine(lane[which], self._values(point)[value]))
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
