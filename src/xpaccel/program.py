"""A compiled program and the driver that runs its steps on arrays.

A program is a list of steps: runs of nests, which an engine of the target runs, and calls of library
functions between them. Exchanges of halos and questions of the host take their places there as they
come, and other drivers (ranks, streams) run the same steps.

What depends on sizes and strides alone is worked out once, in `Program.bind`. A call then makes the
new arrays, computes the run-time scalars and hands both to the target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xpaccel import debug
from xpaccel.backends.base import Backend, Engine, Geometry, Launches
from xpaccel.backends.library import LibraryCall
from xpaccel.codegen.layout import NestCode
from xpaccel.graph.affine import Symbol
from xpaccel.graph.scalar import compile_scalars
from xpaccel.loops.program import Call, LoopProgram
from xpaccel.ops import dtype_kind

Converter = Callable[[Any], Any]


class Program:
    """A loop program with its machine code.

    Parameters
    ----------
    loops
        The loop program.
    backend
        The target that prints and compiles it.
    name
        What profilers are to call it.
    """

    def __init__(self, loops: LoopProgram, backend: Backend, name: str = "kernel") -> None:
        self.loops, self.backend = loops, backend
        self.codes: list[NestCode] = [backend.print_nest(loops, nest) for nest in loops.nests]
        start = time.perf_counter()
        #: An engine for each run of nests, and the calls between them.
        self.steps: list[Engine | Call] = []
        done = 0
        for step in loops.steps:
            if isinstance(step, Call):
                self.steps.append(step)
            else:
                last = done + len(step)
                self.steps.append(backend.load(loops.part(done, last), self.codes[done:last], name))
                done = last
        if debug.level() >= 1:
            distinct = len({code.source for code in self.codes})
            debug.say(f"{distinct} functions for {len(self.codes)} nests ready in {time.perf_counter() - start:.3f} s")
        if debug.level() >= 4:
            debug.say("\n\n".join(dict.fromkeys(code.source for code in self.codes)))
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
        shapes = [tuple(extent.value(sizes) for extent in a.shape) for a in loops.arrays]
        own = [
            unit_strides(strides[a.slot], a.unit)
            if a.role == "argument" and loops.owners[k] == k
            else contiguous(shapes[k])
            for k, a in enumerate(loops.arrays)
        ]
        self._memory = program.backend.memory
        geometry = Geometry(self.sizes, shapes, own)
        self._steps: list[Launches | LibraryCall] = [
            LibraryCall(step, loops, geometry, program.backend) if isinstance(step, Call) else step.bind(geometry)
            for step in program.steps
        ]
        called = {number for call in loops.calls for _, number in call.outputs}
        self._new = [
            (k, shapes[k], np.dtype(a.dtype))
            for k, a in enumerate(loops.arrays)
            if a.role != "argument" and loops.owners[k] == k and k not in called
        ]
        self._aliases = [(k, owner) for k, owner in enumerate(loops.owners) if owner != k]
        self._arguments = [
            (k, a.slot) for k, a in enumerate(loops.arrays) if a.role == "argument" and loops.owners[k] == k
        ]
        self._arrays, self._has_scalars = len(loops.arrays), bool(loops.scalars)
        self._outputs = [(k, None if loops.owners[k] == k else shapes[k]) for k in loops.outputs]

    def run(self, arguments: Sequence[Any], at: Sequence[int], scalars: Sequence[Any]) -> list[Any]:
        """Run the program.

        Parameters
        ----------
        arguments, at
            The array arguments by slot, with the sizes and strides that were bound, and their addresses.
        scalars
            The Python numbers by slot.

        Returns
        -------
        list
            The outputs, new arrays.

        Raises
        ------
        IndexError
            If a kernel indexed outside of an axis. What the program wrote is of no use then.
        """
        memory = self._memory
        arrays: list[Any] = [None] * self._arrays
        addresses = [0] * self._arrays
        for number, slot in self._arguments:
            arrays[number], addresses[number] = arguments[slot], at[slot]
        for number, shape, dtype in self._new:
            new = arrays[number] = memory.empty(shape, dtype)
            addresses[number] = memory.address(new)
        for number, owner in self._aliases:
            addresses[number] = addresses[owner]
        values = self.program.scalars(scalars, self.sizes) if self._has_scalars else ()
        for step in self._steps:
            step.run(arrays, addresses, values)
        owners = self.program.loops.owners
        return [
            arrays[number] if shape is None else arrays[owners[number]].reshape(shape)
            for number, shape in self._outputs
        ]


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides, in elements, of a C-contiguous array."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def unit_strides(strides: tuple[int, ...], axis: int | None) -> tuple[int, ...]:
    """Return `strides` with 1 for the contiguous axis: one that has a single element may have any stride."""
    return strides if axis is None else (*strides[:axis], 1, *strides[axis + 1 :])


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
        return number

    return to_integer
