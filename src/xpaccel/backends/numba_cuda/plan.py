"""The geometry of launches of Numba CUDA: CUDA C++'s, with 64-bit indices; in the simulator, of few threads.

Every loop over threads is a grid-stride loop, so the geometry decides speed and nothing else. A thread of Numba's
simulator is one of Python's and costs about 0.1 ms.
"""

from __future__ import annotations

from dataclasses import replace

from xpaccel.backends.cuda.grid import Shape
from xpaccel.backends.cuda.plan import Language
from xpaccel.codegen import numba_cuda
from xpaccel.codegen.cuda_basis import is_simulated
from xpaccel.codegen.device import ChainCode, DeviceCode

#: The most threads of a block and the most blocks, along x, y and z, in the simulator: of each direction that loops
#: are spread over there is more than one, of all together few.
FEW_THREADS, FEW_BLOCKS = (2, 2, 1), (2, 1, 2)


def fit(shape: Shape, code: DeviceCode | ChainCode) -> Shape:
    """Return the geometry to launch where this one was chosen for CUDA C++."""
    wide = replace(shape, wide=True)
    return few(wide) if is_simulated() else wide


def few(shape: Shape) -> Shape:
    """Return a launch of few threads: loops over them take several turns."""
    grid = _least(shape.grid, FEW_BLOCKS)
    chunk = -(-shape.chunk * shape.grid[2] // grid[2])  # planes are not walked in several turns
    return replace(shape, grid=grid, block=_least(shape.block, FEW_THREADS), warps=min(shape.warps, 2), chunk=chunk)


def _least(sizes: tuple[int, int, int], bounds: tuple[int, int, int]) -> tuple[int, int, int]:
    x, y, z = (min(pair) for pair in zip(sizes, bounds, strict=True))
    return x, y, z


NUMBA_CUDA = Language(numba_cuda.print_nest, numba_cuda.print_chain, fit)
