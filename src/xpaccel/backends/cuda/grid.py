"""From the extents of a nest to a launch: blocks of threads, the width of indices, warps for a row.

Every loop over threads is a grid-stride loop (`xpaccel.codegen.device`), so what is chosen here decides
speed and nothing else; but for the width of indices, which must hold every distance of the launch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xpaccel.backends.base import Geometry
from xpaccel.codegen.device import LANES, ChainCode, DeviceCode
from xpaccel.loops.program import BLOCK, Nest

#: NVRTC's options for every kernel. Each operation is rounded as the source has it: no multiplication and addition are
#: one, and no number is flushed.
OPTIONS = ("--std=c++17", "--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true")
#: Lanes of a warp.
WARP = 32
#: The most blocks along y and z.
MOST = 65535
#: Distances and positions below this fit 32 bits, also when a grid-stride loop has stepped past its end.
NARROW = 2**30
#: A row of more elements than this is reduced by a whole block of threads, else by a warp.
LONG_ROW = 2 * BLOCK
#: A thread that marches takes at least and at most so many planes; so many blocks fill a device several times.
LEAST_PLANES, MOST_PLANES, ENOUGH_BLOCKS = 8, 64, 1024


@dataclass(frozen=True, slots=True)
class Shape:
    """The geometry of a launch.

    Attributes
    ----------
    grid, block
        Blocks, and threads of a block, along x, y and z.
    wide
        Whether indices need 64 bits.
    warps
        How many warps reduce a row; 1 where nothing is reduced by warps.
    chunk
        How many planes a thread takes along z, where it marches.
    """

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    wide: bool
    warps: int = 1
    chunk: int = 1


def options_of(shape: Shape) -> tuple[str, ...]:
    """Return NVRTC's options for a launch of that shape."""
    return (*OPTIONS, f"-DWARPS={shape.warps}", *(("-DWIDE",) if shape.wide else ()))


def shape_of(
    code: DeviceCode, nest: Nest, geometry: Geometry, box: Sequence[tuple[int, int]], threads: int
) -> Shape | None:
    """Choose the geometry of a nest's launch; None if it has no points.

    Parameters
    ----------
    code, nest
        What is launched.
    geometry, box
        The sizes of the call, and ``(low, high)`` of each axis of the nest.
    threads
        Threads of a block, a power of two of at least 32.
    """
    reduced = nest.reduction.axes if nest.reduction else ()
    if any(low >= high for axis, (low, high) in enumerate(box) if axis not in reduced):
        return None
    wide = needs_wide(code, geometry, box)
    sizes = [box[axis][1] - box[axis][0] for axis in code.threads]
    if code.form == LANES:
        assert nest.reduction is not None
        low, high = box[-1]
        row = nest.reduction.block or (high - low) * prod(box[axis][1] - box[axis][0] for axis in reduced[:-1])
        most = threads // WARP
        warps = most if row > LONG_ROW else 1
        grid = [-(-sizes[0] // (most // warps)), *(min(size, MOST) for size in sizes[1:])]
        return Shape(_three(grid), (WARP, most, 1), wide, warps)
    if code.marches:
        return _marching(sizes, threads, wide)
    block: list[int] = []
    left = threads
    for depth, size in enumerate(sizes):
        most = left if depth or len(sizes) == 1 else min(left, 2 * WARP)
        block.append(min(1 << (size - 1).bit_length(), most))
        left //= block[-1]
    grid = [-(-size // width) for size, width in zip(sizes, block, strict=True)]
    return Shape(_three([grid[0], *(min(count, MOST) for count in grid[1:])]), _three(block), wide)


def chain_shape(
    code: ChainCode, lead: int, geometry: Geometry, boxes: Sequence[Sequence[tuple[int, int]]], threads: int
) -> Shape | None:
    """Choose the geometry of a chain's launch, a block of threads for each row; None if it has no rows.

    Parameters
    ----------
    code, lead
        What is launched, and how many axes its rows have.
    geometry, boxes
        The sizes of the call, and ``(low, high)`` of each axis of each nest.
    threads
        Threads of a block, a power of two of at least 32.
    """
    sizes = [high - low for low, high in boxes[0][:lead]]
    if any(size <= 0 for size in sizes):
        return None
    wide = any(needs_wide(part, geometry, box) for part, box in zip(code.parts, boxes, strict=True))
    x, *rest = reversed(sizes)
    return Shape(_three([x, *(min(size, MOST) for size in rest)]), (WARP, threads // WARP, 1), wide, threads // WARP)


def _marching(sizes: Sequence[int], threads: int, wide: bool) -> Shape:
    """Choose the planes that a thread takes: many, as each chunk fills its queues anew, but leave enough blocks."""
    x = min(1 << (sizes[0] - 1).bit_length(), 2 * WARP, threads)
    y = min(1 << (sizes[1] - 1).bit_length(), threads // x)
    columns = -(-sizes[0] // x) * -(-sizes[1] // y)
    chunk = max(min(sizes[2] * columns // ENOUGH_BLOCKS, MOST_PLANES), LEAST_PLANES, -(-sizes[2] // MOST))
    return Shape((-(-sizes[0] // x), min(-(-sizes[1] // y), MOST), -(-sizes[2] // chunk)), (x, y, 1), wide, 1, chunk)


def needs_wide(code: DeviceCode, geometry: Geometry, box: Sequence[tuple[int, int]]) -> bool:
    """Whether some position, or some distance in elements from a stream's start, needs 64 bits."""
    if any(max(abs(low), abs(high)) >= NARROW for low, high in box):
        return True
    layout = code.layout
    if any(abs(position.start.value(geometry.sizes)) >= NARROW for position in layout.indices):
        return True
    for array in layout.gathered:
        pairs = zip(geometry.shapes[array], geometry.strides[array], strict=True)
        if sum(size * max(abs(stride), 1) for size, stride in pairs) >= NARROW:
            return True
    for stream in layout.streams:
        reach = 0
        for (low, high), terms in zip(box, stream.terms, strict=True):
            for stride, step in terms:
                length = 1 if stride < 0 else geometry.strides[layout.strides[stride][0]][layout.strides[stride][1]]
                reach += max(abs(low), abs(high)) * abs(step * length)
        if reach >= NARROW:
            return True
    return False


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = [*sizes, 1, 1][:3]
    return x, y, z
