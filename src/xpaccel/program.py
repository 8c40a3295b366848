"""A compiled program and the driver that runs its steps on arrays in host memory.

A program is a list of steps. There is one kind so far, a nest; library calls, exchanges of halos
and questions of the host take their places between the nests as they come, and other drivers
(ranks, streams) run the same steps.

What depends on sizes and strides alone is worked out once, in `Program.bind`. A call then writes
addresses and scalars into two blocks of numbers and calls the machine code.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xpaccel import debug
from xpaccel.backends import buffers, threads
from xpaccel.backends.base import Backend, Function
from xpaccel.codegen.layout import NestCode
from xpaccel.graph.affine import Symbol
from xpaccel.graph.scalar import compile_scalars
from xpaccel.loops.cost import Cost, cost
from xpaccel.loops.program import LoopProgram, Nest
from xpaccel.ops import OPS, dtype_kind

#: The least work, in nanoseconds as `_nanoseconds` estimates them, that is worth a thread's wake-up.
GRAIN = 20_000

AnyArray = np.ndarray[Any, Any]
Converter = Callable[[Any], Any]


class Program:
    """A loop program with its machine code.

    Parameters
    ----------
    loops
        The loop program.
    backend
        The target that prints and compiles it.
    """

    def __init__(self, loops: LoopProgram, backend: Backend) -> None:
        self.loops, self.backend = loops, backend
        self.codes: list[NestCode] = [backend.print_nest(loops, nest) for nest in loops.nests]
        distinct = {code.source: code for code in self.codes}
        start = time.perf_counter()
        compiled = dict(zip(distinct, backend.compile(list(distinct.values())), strict=True))
        if debug.level() >= 1:
            debug.say(
                f"{len(distinct)} functions for {len(self.codes)} nests ready in {time.perf_counter() - start:.3f} s"
            )
        if debug.level() >= 4:
            debug.say("\n\n".join(distinct))
        self._functions: list[Function] = [compiled[code.source] for code in self.codes]
        self._scalars = compile_scalars([expr for expr, _ in loops.scalars])
        self._converters = [_converter(dtype) for _, dtype in loops.scalars]

    def bind(self, sizes: Mapping[Symbol, int], strides: Mapping[int, tuple[int, ...]]) -> Bound:
        """Prepare for arrays of given sizes and strides (in elements, by slot)."""
        return Bound(self, sizes, strides)

    def scalars(self, given: Sequence[Any], sizes: Mapping[Symbol, int]) -> list[Any]:
        """Return the values of the program's run-time scalars, cast to their dtypes.

        Raises
        ------
        OverflowError
            If a Python integer does not fit the dtype it meets, as NumPy does.
        """
        values = self._scalars(given, sizes)
        return [convert(value) for convert, value in zip(self._converters, values, strict=True)]


class Bound:
    """A program prepared for arrays of certain sizes and strides. May be run by several threads."""

    def __init__(self, program: Program, sizes: Mapping[Symbol, int], strides: Mapping[int, tuple[int, ...]]) -> None:
        self.program, self.sizes = program, dict(sizes)
        loops = program.loops
        self._shapes = [tuple(extent.value(sizes) for extent in a.shape) for a in loops.arrays]
        self._strides = [
            strides[a.slot] if a.role == "argument" and loops.owners[k] == k else _contiguous(self._shapes[k])
            for k, a in enumerate(loops.arrays)
        ]
        self._new = [
            (k, self._shapes[k], np.dtype(a.dtype))
            for k, a in enumerate(loops.arrays)
            if a.role != "argument" and loops.owners[k] == k
        ]
        self._aliases = [(k, owner) for k, owner in enumerate(loops.owners) if owner != k]
        self._arguments = [(k, a.slot) for k, a in enumerate(loops.arrays) if a.role == "argument"]
        self._arrays, self._outputs, self._scalars = len(loops.arrays), loops.outputs, bool(loops.scalars)
        ints: list[int] = []
        self._patches: list[tuple[int, int, int]] = []  # place in ints, array, offset in bytes
        self._int_scalars: list[tuple[int, int]] = []
        self._float_scalars: list[tuple[int, int]] = []
        self._launches: list[tuple[Function, int, int, int, int, int]] = []
        #: What is shown of each launch; empty unless ``XP_DEBUG`` asks for it.
        self._costs: list[tuple[Nest, Cost]] = []
        floats = 0
        for nest, code, function in zip(loops.nests, program.codes, program._functions, strict=True):
            box = [(low.value(sizes), high.value(sizes)) for low, high in nest.box]
            kept = [axis for axis in range(len(box)) if not nest.reduction or axis not in nest.reduction.axes]
            if any(box[axis][0] >= box[axis][1] for axis in kept):
                continue
            first = len(ints)
            floats = self._lay_out(nest, code, box, ints, floats)
            low, high = box[code.layout.parallel]
            pieces = min(threads.count(), int(_nanoseconds(nest, box) / GRAIN), high - low)
            floats_here = floats - _doubles(code, loops)
            self._launches.append((function, 8 * first, 8 * floats_here, low, high, max(pieces, 1)))
            if debug.level() >= 2:
                self._costs.append((nest, cost(loops, nest, sizes)))
        self._ints = array("q", ints)
        self._floats = array("d", bytes(8 * floats))

    def _lay_out(self, nest: Nest, code: NestCode, box: Sequence[tuple[int, int]], ints: list[int], floats: int) -> int:
        """Append a nest's ints; return the number of floats used so far."""
        loops, layout = self.program.loops, code.layout
        for stream in layout.streams:
            itemsize = np.dtype(loops.arrays[stream.array].dtype).itemsize
            starts = [start.value(self.sizes) for start in stream.starts]
            offset = sum(s * stride for s, stride in zip(starts, self._strides[stream.array], strict=True))
            self._patches.append((len(ints), stream.array, offset * itemsize))
            ints.append(0)
        ints.extend(self._strides[number][axis] for number, axis in layout.strides)
        for axis in layout.bounds:
            ints.extend(box[axis])
        ints.extend(position.start.value(self.sizes) for position in layout.indices)
        for number in layout.integers:
            self._int_scalars.append((len(ints), number))
            ints.append(0)
        for number in layout.floats:
            self._float_scalars.append((floats, number))
            floats += 2 if dtype_kind(loops.scalars[number][1]) == "c" else 1
        return floats

    def run(self, arguments: Sequence[int], scalars: Sequence[Any]) -> list[AnyArray]:
        """Run the program.

        Parameters
        ----------
        arguments
            The addresses of the array arguments by slot; the arrays have the sizes and strides that
            were bound, and are kept alive by the caller.
        scalars
            The Python numbers by slot.

        Returns
        -------
        list of numpy.ndarray
            The outputs, new arrays.
        """
        addresses = [0] * self._arrays
        for number, slot in self._arguments:
            addresses[number] = arguments[slot]
        held: dict[int, AnyArray] = {}
        for number, shape, dtype in self._new:
            new = held[number] = buffers.empty(shape, dtype)
            addresses[number] = new.__array_interface__["data"][0]
        for number, owner in self._aliases:
            addresses[number] = addresses[owner]
            if owner in held:
                held[number] = held[owner].reshape(self._shapes[number])
        ints, floats = array("q", self._ints), array("d", self._floats)
        for place, number, offset in self._patches:
            ints[place] = addresses[number] + offset
        if self._scalars:
            values = self.program.scalars(scalars, self.sizes)
            for place, number in self._int_scalars:
                ints[place] = values[number]
            for place, number in self._float_scalars:
                value = values[number]
                if value.__class__ is complex:
                    floats[place], floats[place + 1] = value.real, value.imag
                else:
                    floats[place] = value
        ints_at, floats_at = ints.buffer_info()[0], floats.buffer_info()[0]
        if self._costs:
            self._run_shown(ints_at, floats_at)
            return [held[number] for number in self._outputs]
        for function, first, first_float, low, high, pieces in self._launches:
            if pieces == 1:
                function(ints_at + first, floats_at + first_float, low, high)
            else:
                threads.run(function, ints_at + first, floats_at + first_float, low, high, pieces)
        return [held[number] for number in self._outputs]

    def _run_shown(self, ints_at: int, floats_at: int) -> None:
        """Run the nests one by one, and show the time and the traffic of each."""
        for (function, first, first_float, low, high, pieces), (nest, spent) in zip(
            self._launches, self._costs, strict=True
        ):
            start = time.perf_counter()
            threads.run(function, ints_at + first, floats_at + first_float, low, high, pieces)
            seconds = time.perf_counter() - start
            debug.say(
                f"nest {', '.join(nest.lines) or '(no line)'}: {spent.points} points, {pieces} threads, "
                f"{seconds * 1e6:.1f} us, {spent.bytes} bytes, {spent.bytes / seconds / 1e9:.2f} GB/s"
            )


def _doubles(code: NestCode, loops: LoopProgram) -> int:
    """Return how many doubles a nest's floating scalars take."""
    return sum(2 if dtype_kind(loops.scalars[number][1]) == "c" else 1 for number in code.layout.floats)


def _contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides, in elements, of a C-contiguous array."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def _nanoseconds(nest: Nest, box: Sequence[tuple[int, int]]) -> float:
    """Estimate the time of a nest on one thread: memory traffic at 40 GB/s plus 32 flops a nanosecond."""
    points = 1.0
    for axis, (low, high) in enumerate(box):
        if not (nest.reduction and nest.reduction.block and axis == 0):
            points *= max(high - low, 0)
    loads = {value.data[0]: np.dtype(value.dtype).itemsize for value in nest.values if value.op == "load"}
    traffic = sum(loads.values()) + sum(np.dtype(nest.values[store.value].dtype).itemsize for store in nest.stores)
    flops = sum(OPS[value.op].flops for value in nest.values if value.op in OPS)
    return points * (traffic / 40 + flops / 32)


def _converter(dtype: str) -> Converter:
    """Return the function that casts a Python number to a dtype, as NumPy's weak promotion does."""
    kind = dtype_kind(dtype)
    if kind == "b":
        return bool
    if kind == "f":
        return float
    if kind == "c":
        return complex
    info = np.iinfo(dtype)

    def to_integer(value: Any) -> int:
        number = int(value)
        if not info.min <= number <= info.max:
            raise OverflowError(f"Python integer {number} out of bounds for {dtype}")
        return number - (1 << 64) if number > (1 << 63) - 1 else number

    return to_integer
