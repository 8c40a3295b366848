"""Running generated Numba CUDA source in Numba's simulator, over NumPy's arrays: a proof of its meaning.

The simulator runs one launch at a time, each thread of it as a thread of Python's. What it lets pass a pointer
catches: every access is within the memory of the array that it is meant for, and of that array's dtype.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numba import cuda

from xpaccel.backends.base import Geometry
from xpaccel.backends.cuda.plan import Kernels, Planned, plan
from xpaccel.backends.gpu import faults
from xpaccel.codegen.cuda_simulated import Pointer
from xpaccel.codegen.numba_cuda import ENTRY
from xpaccel.loops.program import LoopProgram

#: What a module of generated source has besides in the simulator. NumPy's error state belongs to a thread, so each
#: thread sets it; and the simulator has barriers of blocks only.
_AROUND = f"""

import numpy


def warp_barrier():
    cuda.syncthreads()


def simulated(*args):
    with numpy.errstate(all="ignore"):
        {ENTRY}(*args)
"""

_lock = threading.Lock()
_functions: dict[str, Any] = {}


class SimulatedEngine:
    """The kernels of a program, as functions of the simulator."""

    def __init__(self, loops: LoopProgram, kernels: Kernels) -> None:
        self.loops, self.kernels = loops, kernels

    def bind(self, geometry: Geometry) -> SimulatedLaunches:
        """Choose the shapes of the launches for arrays of certain sizes."""
        planned = plan(self.loops, self.kernels, geometry, partial(faults.register, _faults))
        return SimulatedLaunches(self.loops, [(_function(each.code.source), each) for each in planned])


class SimulatedLaunches:
    """The launches of a program, in order."""

    def __init__(self, loops: LoopProgram, launches: Sequence[tuple[Any, Planned]]) -> None:
        self._loops, self._launches = loops, launches

    def run(self, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        """Run all launches in order.

        Raises
        ------
        IndexError
            If an index was out of bounds: here nothing is late.
        """
        with _lock:
            for function, planned in self._launches:
                values = self._told(planned, arrays, addresses, scalars)
                function[planned.shape.grid, planned.shape.block](*values)
        faults.look()

    def _told(
        self, planned: Planned, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]
    ) -> list[Any]:
        """Return the arguments of a kernel: Python's integers for distances, pointers for addresses."""
        loops, values = self._loops, planned.arguments.values(addresses, scalars)
        places = iter(planned.arguments.streams)
        for number, (name, kind) in enumerate(planned.code.fields):
            if kind == "Int":
                values[number] = int(values[number])
            elif name == "status":
                word = ctypes.c_int32.from_address(int(values[number]))
                values[number] = Pointer(np.ctypeslib.as_array(ctypes.pointer(word), (1,)), 0)
            elif kind == "pointer":
                array, _ = next(places)
                dtype = np.dtype(loops.arrays[array].dtype)
                values[number] = _pointer(arrays[loops.owners[array]], int(values[number]), dtype)
        return values


def _faults() -> faults.Faults:
    word = ctypes.c_int32()
    return faults.Faults((ctypes.addressof(word), word), lambda: None, late=False)


def _pointer(array: np.ndarray[Any, Any], address: int, dtype: np.dtype[Any]) -> Pointer:
    """Return a pointer into the memory of an array, which it may not leave."""
    low, high = np.lib.array_utils.byte_bounds(array) if array.size else (address, address)
    memory = (ctypes.c_uint8 * (high - low)).from_address(low)
    return Pointer(np.ctypeslib.as_array(memory).view(dtype), (address - low) // dtype.itemsize)


def _function(source: str) -> Any:
    """Return the kernel of generated source, as the simulator launches it."""
    found = _functions.get(source)
    if found is None:
        namespace: dict[str, Any] = {"__name__": "xpaccel.generated"}
        exec(compile(source + _AROUND, "<generated>", "exec"), namespace)
        found = _functions[source] = cuda.jit(namespace["simulated"])
    return found
