"""Running machine code on the cores of this machine.

What depends on sizes and strides alone is worked out once. A call then writes addresses and scalars
into two blocks of numbers (`xpaccel.codegen.layout`) and calls the machine code, on one thread or several.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from xpaccel import debug
from xpaccel.backends.base import Geometry
from xpaccel.backends.cpu import threads
from xpaccel.backends.cpu.threads import Function
from xpaccel.codegen.layout import Layout, NestCode
from xpaccel.errors import out_of_bounds
from xpaccel.loops.cost import Cost, cost
from xpaccel.loops.program import Chain, LoopProgram, Nest
from xpaccel.ops import OPS, dtype_kind

#: The least work, in nanoseconds as `_nanoseconds` estimates them, that is worth a thread's wake-up.
GRAIN = 20_000
#: The nests of a chain take as many rows at a time as touch about so many bytes, which stay in a core's own cache.
CACHED = 256 * 1024


class CpuEngine:
    """The functions of a program's nests.

    Parameters
    ----------
    loops, codes
        The program and the source of its nests.
    functions
        The machine code of each.
    """

    def __init__(self, loops: LoopProgram, codes: Sequence[NestCode], functions: Sequence[Function]) -> None:
        self.loops, self.codes, self.functions = loops, codes, functions

    def bind(self, geometry: Geometry) -> CpuLaunches:
        """Prepare for arrays of certain sizes and strides."""
        return CpuLaunches(self, geometry)


class CpuLaunches:
    """The nests of a program, prepared for arrays of certain sizes and strides."""

    def __init__(self, engine: CpuEngine, geometry: Geometry) -> None:
        loops, sizes = engine.loops, geometry.sizes
        self._loops, self._geometry = loops, geometry
        ints: list[int] = []
        self._patches: list[tuple[int, int, int]] = []  # place in ints, array, offset in bytes
        self._int_scalars: list[tuple[int, int]] = []
        self._float_scalars: list[tuple[int, int]] = []
        self._launches: list[tuple[Function, int, int, int, int, int]] = []
        #: The layouts of nests with checks, and where in ints the address of the status stands.
        self._checked: list[tuple[int, Layout]] = []
        #: What is shown of each launch; empty unless ``XP_DEBUG`` asks for it.
        self._costs: list[tuple[Nest, Cost]] = []
        floats = 0
        launched: dict[int, int] = {}
        for number, (nest, code, function) in enumerate(zip(loops.nests, engine.codes, engine.functions, strict=True)):
            kept = [axis for axis in range(len(nest.box)) if not nest.reduction or axis not in nest.reduction.axes]
            for box in geometry.boxes_of(number, nest):
                if any(box[axis][0] >= box[axis][1] for axis in kept):
                    continue
                first, first_float = len(ints), floats
                floats = self._lay_out(code, box, ints, floats)
                low, high = box[code.layout.parallel]
                pieces = min(threads.count(), int(_nanoseconds(nest, box) / GRAIN), high - low)
                if nest.ordered:
                    pieces = 1
                self._launches.append((function, 8 * first, 8 * first_float, low, high, max(pieces, 1)))
                launched[number] = len(self._launches) - 1
                if debug.level() >= 2:
                    self._costs.append((nest, cost(loops, nest, sizes)))
        #: Where in ints the addresses of ints and floats of a nest of a chain stand, and where these begin.
        self._rows: list[tuple[int, int, int]] = []
        if not self._costs:  # to show the time of each nest they run one after the other
            for chain in reversed(loops.chains):
                self._chain(engine, chain, [launched[k] for k in range(chain.first, chain.last) if k in launched], ints)
        self._ints = array("q", ints)
        self._floats = array("d", bytes(8 * floats))

    def _chain(self, engine: CpuEngine, chain: Chain, places: Sequence[int], ints: list[int]) -> None:
        """Replace the launches of a chain's nests by one that runs them row by row."""
        if len(places) < 2 or any(engine.codes[k].layout.parallel for k in range(chain.first, chain.last)):
            return
        launches = [self._launches[place] for place in places]
        first, (low, high) = len(ints), launches[0][3:5]
        row = _row_bytes(self._loops, self._geometry, chain)
        ints += [len(launches), max(CACHED // max(row, 1), 1)]
        for function, ints_at, floats_at, *_ in launches:
            self._rows.append((len(ints) + 1, ints_at, floats_at))
            ints += [function.address, 0, 0]
        pieces = min(max(launch[5] for launch in launches) * len(launches), threads.count(), high - low)
        self._launches[places[0] : places[-1] + 1] = [(rows(), 8 * first, 0, low, high, pieces)]

    def _lay_out(self, code: NestCode, box: Sequence[tuple[int, int]], ints: list[int], floats: int) -> int:
        """Append a nest's ints; return the number of floats used so far."""
        loops, layout, geometry = self._loops, code.layout, self._geometry
        for stream in layout.streams:
            itemsize = np.dtype(loops.arrays[stream.array].dtype).itemsize
            offset = geometry.offset(stream.array, stream.starts)
            self._patches.append((len(ints), stream.array, offset * itemsize))
            ints.append(0)
        ints.extend(geometry.strides[number][axis] for number, axis in layout.strides)
        for axis in layout.bounds:
            ints.extend(box[axis])
        ints.extend(position.start.value(geometry.sizes) for position in layout.indices)
        for number in layout.integers:
            self._int_scalars.append((len(ints), number))
            ints.append(0)
        ints.extend(check.size.value(geometry.sizes) for check in layout.checks)
        if layout.checks:
            self._checked.append((len(ints), layout))
            ints.append(0)
        for number in layout.floats:
            self._float_scalars.append((floats, number))
            floats += 2 if dtype_kind(loops.scalars[number][1]) == "c" else 1
        return floats

    def run(self, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        """Run all nests in order.

        Raises
        ------
        IndexError
            If a place was outside its axis.
        """
        ints, floats = array("q", self._ints), array("d", self._floats)
        for place, number, offset in self._patches:
            ints[place] = addresses[number] + offset
        for place, number in self._int_scalars:
            value = scalars[number]
            ints[place] = value - (1 << 64) if value > (1 << 63) - 1 else value
        for place, number in self._float_scalars:
            value = scalars[number]
            if value.__class__ is complex:
                floats[place], floats[place + 1] = value.real, value.imag
            else:
                floats[place] = value
        ints_at, floats_at = ints.buffer_info()[0], floats.buffer_info()[0]
        for place, its_ints, its_floats in self._rows:
            ints[place], ints[place + 1] = ints_at + its_ints, floats_at + its_floats
        if self._checked:
            status = array("q", bytes(8 * len(self._checked)))
            status_at = status.buffer_info()[0]
            for number, (place, _) in enumerate(self._checked):
                ints[place] = status_at + 8 * number
            self._run(ints_at, floats_at)
            if any(status):
                self._fail(status)
            return
        self._run(ints_at, floats_at)

    def _fail(self, status: Sequence[int]) -> None:
        """Raise for the first check that failed."""
        for (_, layout), bits in zip(self._checked, status, strict=True):
            for check in layout.failed(bits):
                raise out_of_bounds(check.size.value(self._geometry.sizes), check.line)

    def _run(self, ints_at: int, floats_at: int) -> None:
        """Run all nests with their parameters at these addresses."""
        if self._costs:
            self._run_shown(ints_at, floats_at)
            return
        for function, first, first_float, low, high, pieces in self._launches:
            if pieces == 1:
                function(ints_at + first, floats_at + first_float, low, high)
            else:
                threads.run(function, ints_at + first, floats_at + first_float, low, high, pieces)

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


@cache
def rows() -> Function:
    """Return what runs nests row by row (``rows.ll``)."""
    from xpaccel.backends.cpu import loader

    return loader.source_function(Path(__file__).with_name("rows.ll").read_text(encoding="utf-8"), "rows")


def _row_bytes(loops: LoopProgram, geometry: Geometry, chain: Chain) -> int:
    """Return how many bytes a row of a chain touches, of all arrays together."""
    sizes, found = geometry.sizes, 0
    for nest in loops.nests[chain.first : chain.last]:
        points = 1
        for low, high in nest.box[1:]:
            points *= max(high.value(sizes) - low.value(sizes), 1)
        touched = {value.data[0]: value.dtype for value in nest.values if value.op == "load"}
        touched |= {store.array: loops.arrays[store.array].dtype for store in nest.stores}
        found = max(found, points * sum(np.dtype(dtype).itemsize for dtype in touched.values()))
    return found


def _nanoseconds(nest: Nest, box: Sequence[tuple[int, int]]) -> float:
    """Estimate the time of a nest on one thread: memory traffic at 40 GB/s plus 32 flops a nanosecond."""
    points = 1.0
    for axis, (low, high) in enumerate(box):
        if not (nest.reduction and nest.reduction.block and axis == 0):
            points *= max(high - low, 0)
    loads = {value.data[0]: np.dtype(value.dtype).itemsize for value in nest.values if value.op == "load"}
    # what is gathered comes in cache lines, of which some are there already
    traffic = (
        sum(loads.values())
        + 32 * sum(value.op == "gather" for value in nest.values)
        + sum(np.dtype(nest.values[store.value].dtype).itemsize for store in nest.stores)
    )
    flops = sum(OPS[value.op].flops for value in nest.values if value.op in OPS)
    return points * (traffic / 40 + flops / 32)
