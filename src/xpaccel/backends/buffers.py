"""Memory for results and temporaries, reused from call to call.

A large array fresh from the system costs a page fault every 4 KB when it is first written, more than most
kernels take to fill it. So blocks that were used once are kept and handed out again when the array, and
every view of it, is gone.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

#: Blocks start at a multiple of this, a page. Vectors and cache lines ask for 64 bytes only; but a load is
#: held up by an earlier store whose address is equal in the last 12 bits, so an output that starts a little
#: after its input, modulo 4096, costs up to 40 % in cache. From the start of a page it does not: the large
#: arrays of the system's allocator, and so NumPy's, start 16 bytes after one.
ALIGNMENT = 4096
#: Arrays of fewer bytes than this come from NumPy's own allocator, which keeps small blocks itself.
POOLED = 256 * 1024
#: Idle blocks are kept as long as their bytes do not exceed those in use by more than this.
SPARE = 256 * 1024 * 1024


class _Block:
    """Memory for one array: `size` bytes from `address` on."""

    __slots__ = ("_memory", "address", "size")

    def __init__(self, size: int) -> None:
        self._memory = np.empty(size + ALIGNMENT, np.uint8)
        start = self._memory.__array_interface__["data"][0]
        self.address, self.size = start + -start % ALIGNMENT, size


@cache
def _lease(size: int) -> Any:
    """Return the type of what arrays on blocks of `size` bytes hold as their base, with all their views.

    It is a ctypes array, whose memory `numpy.ndarray` takes in a quarter of a microsecond. When the last
    array lets go of it, its block goes back to the pool.
    """

    def give_back(lease: Any) -> None:
        lease.pool.give_back(lease.block)

    return type("Lease", (ctypes.c_char * size,), {"__del__": give_back})


class _Pool:
    """Idle blocks by size. Sizes are rounded up so that slightly different shapes share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._returned: deque[_Block] = deque()
        self._idle: dict[int, list[_Block]] = {}  # the sizes used last are at the end
        self._idle_bytes = self._live_bytes = 0

    def empty(self, shape: Sequence[int], dtype: np.dtype[Any], size: int) -> np.ndarray[Any, Any]:
        rounded = _rounded(size)
        with self._lock:
            self._settle()
            blocks = self._idle.get(rounded)
            block = blocks.pop() if blocks else None
            if block is not None:
                self._idle_bytes -= block.size
            if blocks is not None and not blocks:
                del self._idle[rounded]
            self._live_bytes += rounded
        lease = _lease(rounded)
        try:
            block = block or _Block(rounded)
        except MemoryError:
            with self._lock:
                self._live_bytes -= rounded
            raise
        held = lease.from_address(block.address)
        held.pool, held.block = self, block
        return np.ndarray(shape, dtype, held)

    def give_back(self, block: _Block) -> None:
        """Take a block back. Runs wherever a last reference goes away, also inside this pool's own lock."""
        self._returned.append(block)
        if self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def free(self) -> int:
        """Release all idle blocks; return their bytes."""
        with self._lock:
            self._settle()
            freed, self._idle_bytes = self._idle_bytes, 0
            self._idle.clear()
        return freed

    def held(self) -> tuple[int, int]:
        """Return the bytes in use and the bytes idle."""
        with self._lock:
            self._settle()
            return self._live_bytes, self._idle_bytes

    def _settle(self) -> None:
        """Put returned blocks among the idle ones, then release the least recently used beyond the limit."""
        while self._returned:
            block = self._returned.popleft()
            blocks = self._idle.pop(block.size, [])
            blocks.append(block)
            self._idle[block.size] = blocks
            self._live_bytes -= block.size
            self._idle_bytes += block.size
        while self._idle and self._idle_bytes > self._live_bytes + SPARE:
            size = next(iter(self._idle))
            self._idle_bytes -= self._idle[size].pop().size
            if not self._idle[size]:
                del self._idle[size]


def _rounded(size: int) -> int:
    """Round up to one of eight sizes in each power of two: at most an eighth is wasted."""
    step = 1 << max(size.bit_length() - 4, 12)
    return -(-size // step) * step


_pool = _Pool()


def empty(shape: Sequence[int], dtype: Any) -> np.ndarray[Any, Any]:
    """Return a C-contiguous array of undefined contents, as `numpy.empty` does.

    Parameters
    ----------
    shape
        Its extents.
    dtype
        Its dtype.

    Returns
    -------
    numpy.ndarray
        It starts at a multiple of `ALIGNMENT` bytes if it has at least `POOLED` bytes. It is writable and lives as
        long as it or a view of it is referenced.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < POOLED:
        return np.empty(shape, dtype)
    return _pool.empty(shape, dtype, size)


def free() -> int:
    """Give idle memory back to the system; return how many bytes."""
    return _pool.free()


def held() -> tuple[int, int]:
    """Return how many bytes of pooled memory are in use, and how many are idle."""
    return _pool.held()
