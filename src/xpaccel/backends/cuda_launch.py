"""Launching CUDA C++ kernels through CuPy: one argument each, packed on the host, on the current stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cupy

from xpaccel import debug
from xpaccel.backends import nvtx
from xpaccel.backends.arguments import Arguments
from xpaccel.backends.base import Geometry
from xpaccel.backends.cuda_module import function
from xpaccel.backends.grid import Shape, shape_of
from xpaccel.codegen.cuda_c import THREADS
from xpaccel.codegen.device import DeviceCode
from xpaccel.loops.cost import Cost, cost
from xpaccel.loops.program import LoopProgram, Nest


@dataclass(frozen=True, slots=True)
class Launch:
    """A kernel, ready to be launched once its arguments are patched."""

    function: Any
    shape: Shape
    arguments: Arguments
    nest: Nest
    cost: Cost | None


class CudaEngine:
    """The kernels of a program.

    Parameters
    ----------
    loops, codes
        The program and the source of its nests.
    name
        The kernel's, for profilers.
    """

    def __init__(self, loops: LoopProgram, codes: Sequence[DeviceCode], name: str) -> None:
        self.loops, self.codes, self.name = loops, codes, name

    def bind(self, geometry: Geometry) -> CudaLaunches:
        """Choose the shapes of the launches for arrays of certain sizes, and compile for them."""
        launches = []
        for nest, code in zip(self.loops.nests, self.codes, strict=True):
            box = [(low.value(geometry.sizes), high.value(geometry.sizes)) for low, high in nest.box]
            shape = shape_of(code, nest, geometry, box, THREADS)
            if shape is not None:
                arguments = Arguments(self.loops, code, geometry, box, shape)
                spent = cost(self.loops, nest, geometry.sizes) if debug.level() >= 2 else None
                call = nvtx.marked(function(code.source, shape), nvtx.label(self.name, nest.lines))
                launches.append(Launch(call, shape, arguments, nest, spent))
        return CudaLaunches(launches)


class CudaLaunches:
    """The launches of a program, in order."""

    def __init__(self, launches: Sequence[Launch]) -> None:
        self._launches = launches
        self._shown = any(launch.cost is not None for launch in launches)

    def run(self, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        """Put all launches on the current stream."""
        for launch in self._launches:
            block = launch.arguments.pack(addresses, scalars)
            if self._shown:
                _run_shown(launch, block)
            else:
                launch.function(launch.shape.grid, launch.shape.block, (block,))


def _run_shown(launch: Launch, block: Any) -> None:
    """Launch, wait, and show the time and the traffic."""
    assert launch.cost is not None
    first, last = cupy.cuda.Event(), cupy.cuda.Event()
    first.record()
    launch.function(launch.shape.grid, launch.shape.block, (block,))
    last.record()
    last.synchronize()
    seconds = max(cupy.cuda.get_elapsed_time(first, last) * 1e-3, 1e-9)
    spent = launch.cost
    debug.say(
        f"nest {', '.join(launch.nest.lines) or '(no line)'}: {spent.points} points, "
        f"grid {launch.shape.grid} of {launch.shape.block}, {seconds * 1e6:.1f} us, {spent.bytes} bytes, "
        f"{spent.bytes / seconds / 1e9:.2f} GB/s"
    )
