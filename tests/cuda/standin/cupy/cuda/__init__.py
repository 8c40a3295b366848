"""The stand-in's ``cupy.cuda``: a test double, nothing here is a GPU."""

from __future__ import annotations

from cupy._memory import (
    BaseMemory,
    Memory,
    MemoryPointer,
    MemoryPool,
    PinnedMemoryPointer,
    PooledMemory,
    UnownedMemory,
    alloc,
    alloc_pinned_memory,
    get_allocator,
    set_allocator,
    using_allocator,
)
from cupy.cuda import compiler, cublas, device, driver, function, memory, nvrtc, nvtx, runtime, stream
from cupy.cuda.device import Device, get_device_id
from cupy.cuda.function import Function, Module
from cupy.cuda.graph import Graph
from cupy.cuda.stream import Event, Stream, get_current_stream, get_elapsed_time

__all__ = [
    "BaseMemory",
    "Device",
    "Event",
    "Function",
    "Graph",
    "Memory",
    "MemoryPointer",
    "MemoryPool",
    "Module",
    "PinnedMemoryPointer",
    "PooledMemory",
    "Stream",
    "UnownedMemory",
    "alloc",
    "alloc_pinned_memory",
    "compiler",
    "cublas",
    "device",
    "driver",
    "function",
    "get_allocator",
    "get_current_stream",
    "get_device_id",
    "get_elapsed_time",
    "get_local_runtime_version",
    "is_available",
    "memory",
    "nvrtc",
    "nvtx",
    "runtime",
    "set_allocator",
    "stream",
    "using_allocator",
]


def is_available() -> bool:
    """Whether there is a device, pretended or not."""
    try:
        return runtime.getDeviceCount() > 0
    except runtime.CUDARuntimeError:
        return False


def get_local_runtime_version() -> int:
    """Return the version of the CUDA runtime that is pretended."""
    return runtime.runtimeGetVersion()
