"""Launching CUDA C++ kernels through CuPy: one argument each, packed on the host, on the current stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cupy

from xpaccel import config, debug
from xpaccel.backends.base import Geometry
from xpaccel.backends.cuda.module import function
from xpaccel.backends.cuda.plan import Kernels, Planned, plan
from xpaccel.backends.gpu import faults, nvtx
from xpaccel.loops.cost import Cost, cost
from xpaccel.loops.program import LoopProgram

#: Puts a kernel on the current stream, for the addresses of the program's arrays and its scalars.
Launch = Callable[[Sequence[int], Sequence[Any]], None]


def packed(planned: Planned, name: str) -> Launch:
    """Return the launch of a kernel of CUDA C++; profilers are told that it is of the kernel `name`."""
    call = nvtx.marked(function(planned.code.source, planned.shape), nvtx.label(name, planned.lines))
    grid, block, pack = planned.shape.grid, planned.shape.block, planned.arguments.pack
    return lambda addresses, scalars: call(grid, block, (pack(addresses, scalars),))


class CudaEngine:
    """The kernels of a program.

    Parameters
    ----------
    loops, kernels
        The program and its kernels.
    name
        The kernel's, for profilers.
    prepare
        Compiles a kernel and returns its launch.
    """

    def __init__(
        self, loops: LoopProgram, kernels: Kernels, name: str, prepare: Callable[[Planned, str], Launch] = packed
    ) -> None:
        self.loops, self.kernels, self.name, self.prepare = loops, kernels, name, prepare

    def bind(self, geometry: Geometry) -> CudaLaunches:
        """Choose the shapes of the launches for arrays of certain sizes, and compile for them."""
        launches, costs = [], []
        for planned in plan(self.loops, self.kernels, geometry, partial(faults.register, _faults)):
            launches.append((self.prepare(planned, self.name), planned))
            costs.append([cost(self.loops, nest, geometry.sizes) for nest in planned.nests])
        waits = config.sync()
        return CudaLaunches(launches, costs if debug.level() >= 2 else [], waits)


def _faults() -> faults.Faults:
    """Make the word that kernels report in: pinned memory, which a device reads and writes at the host's address."""
    memory = cupy.cuda.alloc_pinned_memory(4)
    return faults.Faults((memory.ptr, memory), synchronize)


def synchronize() -> None:
    """Wait for the device."""
    cupy.cuda.Device().synchronize()


class CudaLaunches:
    """The launches of a program, in order, and what the nests of each cost where that is to be shown."""

    def __init__(
        self, launches: Sequence[tuple[Launch, Planned]], costs: Sequence[Sequence[Cost]], waits: bool = False
    ) -> None:
        self._launches, self._costs, self._waits = launches, costs, waits

    def run(self, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        """Put all launches on the current stream.

        Raises
        ------
        IndexError
            If a kernel has reported an index out of bounds, one of an earlier call unless this one waits.
        """
        faults.look()
        if self._costs:
            self._run_shown(addresses, scalars)
            return
        for launch, _ in self._launches:
            launch(addresses, scalars)
        if self._waits and not cupy.cuda.get_current_stream().is_capturing():
            synchronize()
            faults.look()

    def _run_shown(self, addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        """Launch one by one, wait, and show the time and the traffic of each."""
        for (launch, planned), costs in zip(self._launches, self._costs, strict=True):
            first, last = cupy.cuda.Event(), cupy.cuda.Event()
            first.record()
            launch(addresses, scalars)
            last.record()
            last.synchronize()
            seconds = max(cupy.cuda.get_elapsed_time(first, last) * 1e-3, 1e-9)
            points, moved = (sum(getattr(spent, what) for spent in costs) for what in ("points", "bytes"))
            debug.say(
                f"nest {', '.join(planned.lines) or '(no line)'}: {points} points, grid {planned.shape.grid} of "
                f"{planned.shape.block}, {seconds * 1e6:.1f} us, {moved} bytes, {moved / seconds / 1e9:.2f} GB/s"
            )
