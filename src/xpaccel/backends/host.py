"""Host memory: NumPy's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xpaccel.backends import buffers
from xpaccel.trace.session import HostArrays

AnyArray = np.ndarray[Any, Any]


class HostMemory(HostArrays):
    """NumPy arrays; new ones come from a pool."""

    is_host = True

    def address(self, array: AnyArray) -> int:
        """Return where the first element lies."""
        at: int = array.__array_interface__["data"][0]
        return at

    def empty(self, shape: Sequence[int], dtype: Any) -> AnyArray:
        """Return a new C-contiguous array of undefined contents."""
        return buffers.empty(shape, dtype)

    def upload(self, array: AnyArray) -> AnyArray:
        """Return `array`: it lies here already."""
        return array

    def strided(self, array: AnyArray, shape: Sequence[int], strides: Sequence[int]) -> AnyArray:
        """Return the array of that shape and those strides that starts where `array` does."""
        return np.lib.stride_tricks.as_strided(array, tuple(shape), tuple(strides))

    def is_writeable(self, array: AnyArray) -> bool:
        """Whether it may be written to."""
        return bool(array.flags.writeable)


MEMORY = HostMemory()
