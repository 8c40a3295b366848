"""Device memory of the stand-in: each allocation is a block of its own, filled with a pattern.

So the address sanitiser surrounds every array with red zones, and what nobody wrote looks it. The pool accounts for
memory as CuPy's does, in units of 512 bytes and with a limit, but gives freed blocks back at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from cupy import _standin

#: CuPy's pool and cudaMalloc align to this.
ALIGNMENT = 512
POISON = 0xA5

_libc = ctypes.CDLL(None)
_libc.posix_memalign.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]


class OutOfMemoryError(MemoryError):
    """The limit of a pool, or the memory of the device, is reached."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(text + (f", limit set to: {limit:,} bytes)." if limit else ")."))


class BaseMemory:
    """Memory on a device."""

    ptr: int
    size: int
    device_id: int

    @property
    def device(self) -> Any:
        """The device that it lies on."""
        from cupy.cuda.device import Device

        return Device(self.device_id)


class Memory(BaseMemory):
    """A block of its own."""

    ptr = 0  # also of one that could not be made

    def __init__(self, size: int) -> None:
        self.device_id = _standin.current_device()
        self.size = size
        place = ctypes.c_void_p()
        if _libc.posix_memalign(ctypes.byref(place), ALIGNMENT, max(size, 1)) or place.value is None:
            raise OutOfMemoryError(size, 0)
        self.ptr = place.value
        ctypes.memset(self.ptr, POISON, size)
        _standin.counts.allocations += 1
        _standin.counts.allocated_bytes += size

    def __del__(self) -> None:
        if self.ptr:
            _libc.free(self.ptr)


class PooledMemory(Memory):
    """A block that a pool accounts for."""

    _pool: MemoryPool | None = None

    def __init__(self, size: int, pool: MemoryPool) -> None:
        rounded = -(-size // ALIGNMENT) * ALIGNMENT
        pool._take(rounded, _standin.current_device())
        super().__init__(size)
        self._pool, self._rounded = pool, rounded

    def __del__(self) -> None:
        if self._pool is not None:
            self._pool._give(self._rounded, self.device_id)
        super().__del__()


class UnownedMemory(BaseMemory):
    """Memory of somebody else, who is kept alive."""

    def __init__(self, ptr: int, size: int, owner: object, device_id: int = -1) -> None:
        self.ptr, self.size, self._owner = ptr, size, owner
        self.device_id = _standin.current_device() if device_id < 0 else device_id


class PinnedMemoryPointer:
    """Host memory that a device reaches too, at the same address."""

    def __init__(self, size: int) -> None:
        self._bytes = ctypes.create_string_buffer(b"\xa5" * size, size)
        self.ptr = ctypes.addressof(self._bytes)


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    """Return pinned memory of `size` bytes."""
    return PinnedMemoryPointer(size)


class MemoryPointer:
    """A place in device memory."""

    def __init__(self, mem: BaseMemory, offset: int) -> None:
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, mem.device_id

    @property
    def device(self) -> Any:
        """The device that it lies on."""
        return self.mem.device

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -offset

    def __repr__(self) -> str:
        return f"<stand-in MemoryPointer {self.ptr:#x} device={self.device_id}>"


class MemoryPool:
    """Accounts for memory, device by device, as ``cupy.cuda.MemoryPool`` does."""

    def __init__(self, allocator: Callable[[int], MemoryPointer] | None = None) -> None:
        if allocator is not None:
            raise NotImplementedError("the stand-in's pools take their memory from the host alone")
        self._used: Counter[int] = Counter()
        self._free: dict[int, Counter[int]] = {}
        self._limits: Counter[int] = Counter()

    def malloc(self, size: int) -> MemoryPointer:
        """Return memory of `size` bytes."""
        return MemoryPointer(PooledMemory(size, self), 0)

    def _take(self, rounded: int, device: int) -> None:
        free, limit = self._free.setdefault(device, Counter()), self._limits[device]
        if free[rounded]:
            free[rounded] -= 1
        elif limit and self.total_bytes() + rounded > limit:
            free.clear()
            if self.total_bytes() + rounded > limit:
                raise OutOfMemoryError(rounded, self.total_bytes(), limit)
        self._used[device] += rounded

    def _give(self, rounded: int, device: int) -> None:
        self._used[device] -= rounded
        self._free.setdefault(device, Counter())[rounded] += 1

    def used_bytes(self) -> int:
        """Return how much is in use on the current device."""
        return self._used[_standin.current_device()]

    def free_bytes(self) -> int:
        """Return how much is kept for later on the current device."""
        free = self._free.get(_standin.current_device(), Counter())
        return sum(size * number for size, number in free.items())

    def total_bytes(self) -> int:
        """Return how much the pool holds on the current device."""
        return self.used_bytes() + self.free_bytes()

    def n_free_blocks(self) -> int:
        """Return how many blocks are kept for later."""
        return sum(self._free.get(_standin.current_device(), Counter()).values())

    def free_all_blocks(self, stream: object = None) -> None:
        """Give back what is kept for later."""
        self._free.pop(_standin.current_device(), None)

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Limit the memory of the current device, in bytes or as a fraction of the device's; 0 is no limit."""
        if size is not None and fraction is not None:
            raise ValueError("size and fraction cannot be specified at one time")
        if fraction is not None:
            if not 0 <= fraction <= 1:
                raise ValueError(f"memory limit fraction out of range: {fraction}")
            size = int(fraction * _standin.devices[_standin.current_device()].memory)
        if size is not None and size < 0:
            raise ValueError(f"memory limit size out of range: {size}")
        self._limits[_standin.current_device()] = size or 0

    def get_limit(self) -> int:
        """Return the limit of the current device in bytes, 0 for none."""
        return self._limits[_standin.current_device()]


_default_pool = MemoryPool()
_allocator: Callable[[int], MemoryPointer] = _default_pool.malloc
_local = threading.local()


def _from_device(size: int) -> MemoryPointer:
    """Return memory of the device itself, without a pool."""
    return MemoryPointer(Memory(size), 0)


def get_allocator() -> Callable[[int], MemoryPointer]:
    """Return who gives memory in this thread."""
    own: Callable[[int], MemoryPointer] | None = getattr(_local, "allocator", None)
    return own or _allocator


def alloc(size: int) -> MemoryPointer:
    """Return memory of the current allocator; what is taken while a stream captures, the graph writes to."""
    from cupy.cuda import stream

    found, capture = get_allocator()(size), stream.get_current_stream()._capture
    if capture is not None:
        capture.memory.append(found)
    return found


def set_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> None:
    """Choose who gives memory; None is the device itself."""
    global _allocator
    if getattr(_local, "allocator", None) is not None:
        raise ValueError("Can't change the global allocator inside `using_allocator` context manager")
    _allocator = allocator or _from_device


@contextlib.contextmanager
def using_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> Iterator[None]:
    """Choose who gives memory within a ``with`` block, in this thread."""
    before = getattr(_local, "allocator", None)
    _local.allocator = allocator or _from_device
    try:
        yield
    finally:
        _local.allocator = before


def get_default_memory_pool() -> MemoryPool:
    """Return the pool that everything comes from unless told otherwise."""
    return _default_pool


def reset() -> None:
    """Go back to the default pool, without a limit."""
    _default_pool._limits.clear()
    _default_pool._free.clear()
    set_allocator(_default_pool.malloc)
