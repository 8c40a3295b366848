"""Memory for results and temporaries, reused from call to call.

A large array fresh from the system costs a page fault every 4 KB when it is first written, more than most
kernels take to fill it. So blocks that were used once are kept and handed out again when the array, and
every view of it, is gone.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
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

Block = np.ndarray[Any, np.dtype[np.uint8]]


class _Lease:
    """What an array (with all its views) holds as its base; gives its block back when they are gone."""

    __slots__ = ("__array_interface__", "_block", "_pool")

    def __init__(self, pool: _Pool, block: Block, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._pool, self._block = pool, block
        address = block.__array_interface__["data"][0]
        self.__array_interface__ = {
            "data": (address + -address % ALIGNMENT, False),
            "shape": tuple(shape),
            "typestr": dtype.str,
            "version": 3,
        }

    def __del__(self) -> None:
        self._pool.give_back(self._block)


class _Pool:
    """Idle blocks by size. Sizes are rounded up so that slightly different shapes share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._returned: deque[Block] = deque()
        self._idle: dict[int, list[Block]] = {}  # the sizes used last are at the end
        self._idle_bytes = self._live_bytes = 0

    def empty(self, shape: Sequence[int], dtype: np.dtype[Any], size: int) -> np.ndarray[Any, Any]:
        rounded = _rounded(size)
        with self._lock:
            self._settle()
            blocks = self._idle.get(rounded)
            block = blocks.pop() if blocks else None
            if block is not None:
                self._idle_bytes -= block.nbytes
            if blocks is not None and not blocks:
                del self._idle[rounded]
        if block is None:
            block = np.empty(rounded + ALIGNMENT, np.uint8)
        with self._lock:
            self._live_bytes += block.nbytes
        return np.asarray(_Lease(self, block, shape, dtype))

    def give_back(self, block: Block) -> None:
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
            size = block.nbytes - ALIGNMENT
            blocks = self._idle.pop(size, [])
            blocks.append(block)
            self._idle[size] = blocks
            self._live_bytes -= block.nbytes
            self._idle_bytes += block.nbytes
        while self._idle and self._idle_bytes > self._live_bytes + SPARE:
            size = next(iter(self._idle))
            self._idle_bytes -= self._idle[size].pop().nbytes
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
