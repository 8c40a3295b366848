"""The stand-in's ``cupy.lib.stride_tricks``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupy._array import adopt, ndarray, over


def as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> ndarray:
    """Return a view of that shape and those strides in bytes; unlike CuPy, one that leaves its memory is refused."""
    host = x._host
    shape = host.shape if shape is None else tuple(shape)
    strides = host.strides if strides is None else tuple(strides)
    offset = x.data.ptr - x._mem.ptr
    low, high = _extent(shape, strides, host.itemsize)
    if not (offset + low >= 0 and offset + high <= x._mem.size):
        raise ValueError(f"shape {shape} with strides {strides} leaves the {x._mem.size} bytes of the array's memory")
    base = x if x.base is None else x.base
    if 0 in shape:
        return adopt(np.lib.stride_tricks.as_strided(host, shape, strides), x._mem, base)
    return adopt(over(x._mem, offset, shape, host.dtype, strides), x._mem, base)


def _extent(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """Return the first byte and the one after the last, from the first element on."""
    if 0 in shape:
        return 0, 0
    reach = [(extent - 1) * stride for extent, stride in zip(shape, strides, strict=True)]
    return sum(step for step in reach if step < 0), sum(step for step in reach if step > 0) + itemsize
