"""How the stand-in's arrays come to be: copies of host data, which are counted, and memory that nobody wrote."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from cupy import _functions, _standin
from cupy._array import ndarray
from cupy._memory import MemoryPointer, UnownedMemory


def delegate(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a NumPy function that takes and gives device arrays."""

    @functools.wraps(function)
    def delegated(*args: Any, **kwargs: Any) -> Any:
        return _functions.run(function, args, kwargs)

    return delegated


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool = True,
    order: str | None = "K",
    subok: bool = False,
    ndmin: int = 0,
    blocking: bool = False,
) -> ndarray:
    """Return a device array with the values of `obj`; host data is copied to the device, which is counted."""
    if subok:
        raise NotImplementedError("subok is not supported")
    if isinstance(obj, ndarray):
        return _functions.run(np.array, (obj,), {"dtype": dtype, "copy": copy or None, "order": order, "ndmin": ndmin})
    if hasattr(obj, "__cuda_array_interface__"):
        return array(_shown(obj), dtype, copy, order or "K", ndmin=ndmin)
    if _holds_device_arrays(obj):
        stacked = _functions.run(np.stack, ([array(item) for item in obj],))
        return array(stacked, dtype, copy=False, order=order, ndmin=ndmin)
    host = np.array(obj, dtype=dtype, copy=None, order=order, ndmin=ndmin)
    _functions.refuse_in_capture("copying an array from the host")
    _standin.count_h2d(host)
    return _functions.new(host)


def asarray(a: Any, dtype: Any = None, order: str | None = None, *, blocking: bool = False) -> ndarray:
    """Return `a` itself if it is a device array of that dtype, else a copy on the device."""
    return array(a, dtype, copy=False, order=order or "K", blocking=blocking)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """Return a C-contiguous device array."""
    return array(a, dtype, copy=False, order="C", ndmin=1)


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    """Return a Fortran-contiguous device array."""
    return array(a, dtype, copy=False, order="F")


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Return an array that nobody wrote; it holds a pattern, not zeros."""
    return ndarray(shape, float if dtype is None else dtype, order=order)


def empty_like(prototype: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
    """Return an array that nobody wrote, laid out like another one."""
    if not isinstance(prototype, ndarray):
        raise TypeError(f"Unsupported type {type(prototype)}")
    fortran = order == "F" or (order in "KA" and prototype._host.flags.fnc)
    extents = prototype.shape if shape is None else shape
    return ndarray(extents, prototype.dtype if dtype is None else dtype, order="F" if fortran else "C")


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> np.ndarray:
    """Return a copy on the host."""
    if isinstance(a, ndarray):
        return a.get(stream=stream, order=order, out=out, blocking=blocking)
    if out is None:
        return np.asarray(a, order=order)
    out[...] = a
    return out


def _shown(obj: Any) -> ndarray:
    """Return the device array that somebody else's object shows: the same memory."""
    told = obj.__cuda_array_interface__
    shape, dtype, strides, at = told["shape"], np.dtype(told["typestr"]), told.get("strides"), told["data"][0]
    if strides is None:
        strides = tuple(int(np.prod(shape[axis + 1 :])) * dtype.itemsize for axis in range(len(shape)))
    reach = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    low, high = sum(min(r, 0) for r in reach), sum(max(r, 0) for r in reach) + dtype.itemsize
    memory = UnownedMemory(at + low, high - low, obj)
    return ndarray(shape, dtype, MemoryPointer(memory, -low), strides)


def _holds_device_arrays(obj: Any) -> bool:
    if isinstance(obj, ndarray):
        return True
    return isinstance(obj, (list, tuple)) and any(_holds_device_arrays(item) for item in obj)
