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

    def problem(self, array: AnyArray) -> str | None:
        """Refuse subclasses, which have rules of their own, and elements that are not aligned."""
        cls = type(array)
        if cls is not np.ndarray and cls is not np.memmap:
            return (
                f"is a {cls.__name__}, a subclass of numpy.ndarray with rules of its own. "
                "Pass numpy.asarray(...) of it."
            )
        if not array.flags.aligned or any(stride % array.itemsize for stride in array.strides):
            return (
                f"is not aligned to its dtype {array.dtype.name} (a field of a structured array?). "
                "Pass numpy.ascontiguousarray(...) of it."
            )
        return None

    def is_writeable(self, array: AnyArray) -> bool:
        """Whether it may be written to."""
        return bool(array.flags.writeable)


MEMORY = HostMemory()
