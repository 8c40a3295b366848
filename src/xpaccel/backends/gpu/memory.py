"""Device memory: CuPy's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy


class DeviceMemory:
    """CuPy arrays; new ones come from CuPy's current memory pool."""

    array_type: type[Any] = cupy.ndarray
    is_host = False

    def address(self, array: Any) -> int:
        """Return where the first element lies."""
        at: int = array.data.ptr
        return at

    def empty(self, shape: Sequence[int], dtype: Any) -> Any:
        """Return a new C-contiguous array of undefined contents."""
        return cupy.ndarray(tuple(shape), dtype)

    def upload(self, array: Any) -> Any:
        """Return an array of this memory with the elements of a NumPy array."""
        return cupy.asarray(array)

    def strided(self, array: Any, shape: Sequence[int], strides: Sequence[int]) -> Any:
        """Return the array of that shape and those strides (in bytes) that starts where `array` does."""
        return cupy.lib.stride_tricks.as_strided(array, tuple(shape), tuple(strides))

    def problem(self, array: Any) -> str | None:
        """Refuse elements that are not aligned, and memory of another device."""
        size = array.dtype.itemsize
        if array.size and (array.data.ptr % size or any(stride % size for stride in array.strides)):
            return f"is not aligned to its dtype {array.dtype.name}. Pass cupy.ascontiguousarray(...).copy() of it."
        here = cupy.cuda.Device().id
        if array.device.id != here:
            return f"lies on device {array.device.id}, and the current device is {here}: cupy.cuda.Device(...).use()."
        return None

    def is_writeable(self, array: Any) -> bool:
        """Return True: CuPy has no read-only arrays."""
        return True

    def snapshot(self, array: Any) -> Any:
        """Return a copy of an array, on the device."""
        return array.copy()

    def differs(self, array: Any, before: Any) -> bool:
        """Whether the elements of an array are other bytes than they were at a snapshot. Waits for the device."""
        now, then = (cupy.ascontiguousarray(x).reshape(-1).view("u1") for x in (array, before))
        return bool((now != then).any())


MEMORY = DeviceMemory()
