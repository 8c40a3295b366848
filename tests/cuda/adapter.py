"""Tests that were written with NumPy arrays, run on a device: on CuPy's, or on that of its stand-in.

While `lending` is active, a kernel that is called with NumPy arrays is given device arrays that lie in memory as those
do: views of one array are views of one, overlapping ones overlap, a misaligned one is misaligned. Afterwards what
the kernel wrote is copied back, and what it returns comes back as NumPy arrays: an argument as itself, a view of
one as a view. So what a test says about values, views, aliasing and writes is said about the device.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpaccel import active, backends
from xpaccel.kernel import Kernel
from xpaccel.trace import session
from xpaccel.trace.tree import flatten

#: The folder whose `cupy` is the stand-in.
STANDIN = Path(__file__).parent / "standin"

_METHODS = ("__call__", "graph", "loops", "source", "explain")
#: Codes of the dtypes that CuPy has.
_DTYPES = "?bhilqBHILQefdFD"


def install() -> Any:
    """Make the stand-in the `cupy` of this process, and return it.

    Raises
    ------
    RuntimeError
        If another one was imported before.
    """
    sys.path.insert(0, str(STANDIN))
    try:
        cupy = importlib.import_module("cupy")
    finally:  # who takes it out of sys.modules is without CuPy again
        sys.path.remove(str(STANDIN))
    if not hasattr(cupy, "_standin"):
        raise RuntimeError(f"this process imported the cupy of {cupy.__file__} before the stand-in")
    return cupy


@contextmanager
def lending(cupy: Any) -> Iterator[None]:
    """Let kernels on device backends take and return NumPy arrays.

    Parameters
    ----------
    cupy
        The real CuPy, or the stand-in.
    """
    before = {name: getattr(Kernel, name) for name in _METHODS}
    for name, method in before.items():
        setattr(Kernel, name, _lent(method, cupy))
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Kernel, name, method)


def _lent(method: Callable[..., Any], cupy: Any) -> Callable[..., Any]:
    """Return a method of kernels that lends its NumPy arrays to the device."""

    @functools.wraps(method)
    def call(kernel: Kernel, *args: Any, **kwargs: Any) -> Any:
        if session.is_tracing() or _runs_on_host(kwargs.get("backend") if method.__name__ == "source" else None):
            return method(kernel, *args, **kwargs)
        leaves, tree = flatten((args, kwargs))
        given = {id(leaf): leaf for leaf in leaves if type(leaf) is np.ndarray and leaf.dtype.char in _DTYPES}
        if not given:
            return method(kernel, *args, **kwargs)
        loan = Loan(given.values(), cupy)
        args, kwargs = tree.unflatten([loan.devices[id(leaf)] if id(leaf) in given else leaf for leaf in leaves])
        try:
            result = method(kernel, *args, **kwargs)
        finally:
            loan.copy_back()
        return loan.returned(result)

    return call


def _runs_on_host(named: str | None) -> bool:
    """Whether a call runs on a backend of host memory."""
    backend = active.current() if named is None else backends.get(named)
    return bool(backend.memory.is_host)


@dataclass(frozen=True, slots=True)
class _Block:
    """A range of the host's memory and its copy on the device.

    Attributes
    ----------
    low
        Its address on the host.
    host, device
        Its bytes, uint8 arrays.
    before
        What they were when they were copied.
    """

    low: int
    host: np.ndarray
    device: Any
    before: np.ndarray

    def offset(self, array: Any) -> int | None:
        """Return where in the block a device array begins; None if that is not in it."""
        place = int(array.data.ptr) - int(self.device.data.ptr)
        return place if array.size and 0 <= place < self.host.size else None


class Loan:
    """Arrays of one call, on the device.

    Parameters
    ----------
    given
        NumPy arrays.
    cupy
        Whose arrays they become.

    Attributes
    ----------
    devices
        The device array of each, by its ``id``.
    """

    def __init__(self, given: Iterable[np.ndarray], cupy: Any) -> None:
        self._cupy = cupy
        self._arrays = list(given)
        self._blocks = [self._copied(low, high) for low, high in _ranges(map(_root, self._arrays))]
        self.devices = {id(array): self._device(array) for array in self._arrays}
        self._given = {id(device): array for array, device in zip(self._arrays, self.devices.values(), strict=True)}

    def _copied(self, low: int, high: int) -> _Block:
        memory = (ctypes.c_uint8 * (high - low)).from_address(low)
        memory._keeps_alive = self._arrays  # a view of it that is returned outlives this loan
        host = np.frombuffer(memory, np.uint8)
        before = host.copy()
        return _Block(low, host, self._cupy.asarray(before), before)

    def _device(self, array: np.ndarray) -> Any:
        if not array.size:
            return self._cupy.empty(array.shape, array.dtype)
        at = array.__array_interface__["data"][0]
        block = next(block for block in self._blocks if block.low <= at < block.low + block.host.size)
        return self._cupy.ndarray(array.shape, array.dtype, block.device.data + (at - block.low), array.strides)

    def copy_back(self) -> None:
        """Write what has changed, and that alone: another thread may have lent its part of the same memory."""
        for block in self._blocks:
            after = block.device.get()
            np.copyto(block.host, after, where=after != block.before)

    def returned(self, result: Any) -> Any:
        """Return a result with NumPy arrays for device arrays."""
        leaves, tree = flatten(result)
        if not any(isinstance(leaf, self._cupy.ndarray) for leaf in leaves):
            return result
        return tree.unflatten([self._back(leaf) if isinstance(leaf, self._cupy.ndarray) else leaf for leaf in leaves])

    def _back(self, array: Any) -> np.ndarray:
        if id(array) in self._given:
            return self._given[id(array)]
        for block in self._blocks:
            offset = block.offset(array)
            if offset is not None:
                return np.ndarray(array.shape, array.dtype, block.host.data, offset, array.strides)
        return np.asarray(array.get())


def _root(array: np.ndarray) -> np.ndarray:
    """Return the array whose memory an array shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _ranges(arrays: Iterable[np.ndarray]) -> list[tuple[int, int]]:
    """Return the ranges of memory that arrays take, those that overlap in one."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(np.lib.array_utils.byte_bounds(array) for array in arrays if array.size):
        if found and low < found[-1][1]:
            found[-1] = found[-1][0], max(high, found[-1][1])
        else:
            found.append((low, high))
    return found
