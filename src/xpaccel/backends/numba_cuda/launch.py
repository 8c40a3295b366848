"""Launching kernels of Numba CUDA through CuPy, on its current stream."""

from __future__ import annotations

from xpaccel.backends.cuda.launch import Launch
from xpaccel.backends.cuda.plan import Planned
from xpaccel.backends.gpu import nvtx
from xpaccel.backends.numba_cuda.module import function


def spread(planned: Planned, name: str) -> Launch:
    """Return the launch of a kernel, compiled for the current device, which takes numbers one by one."""
    call = nvtx.marked(function(planned.code), nvtx.label(name, planned.lines))
    grid, block, values = planned.shape.grid, planned.shape.block, planned.arguments.values
    return lambda addresses, scalars: call(grid, block, tuple(values(addresses, scalars)))
