"""The stand-in's ``cupy.ndarray``: an array that only the "device" may touch.

It keeps a NumPy array to itself. What CuPy refuses it refuses too: becoming a NumPy array without being asked, and
meeting one in an operation.
"""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cupy import _functions, _memory, _operators, _standin
from cupy._memory import BaseMemory, MemoryPointer

REFUSED = (
    "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
)


class Flags:
    """Memory layout; like CuPy's it knows nothing of ``writeable``."""

    def __init__(self, c_contiguous: bool, f_contiguous: bool, owndata: bool) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = c_contiguous, f_contiguous, owndata

    def __getitem__(self, name: str) -> bool:
        names = {"C_CONTIGUOUS": "c_contiguous", "F_CONTIGUOUS": "f_contiguous", "OWNDATA": "owndata"}
        if name not in names:
            raise KeyError(f"{name} is not defined for cupy.ndarray")
        return bool(getattr(self, names[name]))


def over(
    mem: BaseMemory,
    offset: int,
    shape: Sequence[int],
    dtype: Any,
    strides: Sequence[int] | None = None,
    order: str = "C",
) -> np.ndarray:
    """Return a NumPy array over device memory, which keeps that alive."""
    buffer = (ctypes.c_char * mem.size).from_address(mem.ptr)
    buffer._keeps_alive = mem
    return np.ndarray(shape, dtype, buffer, offset, strides, order)


def adopt(host: np.ndarray, mem: BaseMemory, base: ndarray | None = None) -> ndarray:
    """Return the device array whose memory `host` shows."""
    made = object.__new__(ndarray)
    made._host, made._mem, made.base = host, mem, base
    return made


class ndarray:
    """A stand-in (test double) for ``cupy.ndarray``."""

    __module__ = "cupy"
    __slots__ = ("__weakref__", "_host", "_mem", "base")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    _host: np.ndarray
    _mem: BaseMemory
    base: ndarray | None

    def __init__(
        self,
        shape: int | Sequence[int],
        dtype: Any = float,
        memptr: MemoryPointer | None = None,
        strides: Sequence[int] | None = None,
        order: str = "C",
    ) -> None:
        shape = (shape,) if isinstance(shape, int) else tuple(operator.index(extent) for extent in shape)
        dtype = np.dtype(dtype)
        if dtype.kind not in "?biufc":
            raise ValueError(f"Unsupported dtype {dtype}")
        if memptr is None:
            memptr = _memory.alloc(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        self._mem, self.base = memptr.mem, None
        self._host = over(memptr.mem, memptr.ptr - memptr.mem.ptr, shape, dtype, strides, order)

    # -- what it is -------------------------------------------------------------------------------

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    strides = property(lambda self: self._host.strides)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)

    @property
    def flags(self) -> Flags:
        """Memory layout."""
        return Flags(self._host.flags.c_contiguous, self._host.flags.f_contiguous, self.base is None)

    @property
    def data(self) -> MemoryPointer:
        """Where its first element is."""
        return MemoryPointer(self._mem, self._host.__array_interface__["data"][0] - self._mem.ptr)

    @property
    def device(self) -> Any:
        """The device that it lies on."""
        return self._mem.device

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "descr": self.dtype.descr,
            "stream": 1,
            "version": 3,
            "strides": None if self._host.flags.c_contiguous else self.strides,
            "data": (self.data.ptr if self.size else 0, False),
        }

    # -- to the host and back ---------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(REFUSED)

    def get(self, stream: Any = None, order: str = "C", out: np.ndarray | None = None, blocking: bool = True) -> Any:
        """Return a copy on the host."""
        _functions.refuse_in_capture("copying an array to the host")
        _standin.counts.d2h += 1
        _standin.counts.d2h_bytes += self.nbytes
        _standin.counts.synchronisations += blocking
        if out is None:
            return np.array(self._host, order="F" if order == "A" and self._host.flags.fnc else order.replace("A", "C"))
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if out.dtype != self.dtype or out.shape != self.shape:
            raise ValueError(f"out is {out.dtype}{out.shape}, the array {self.dtype}{self.shape}")
        out[...] = self._host
        return out

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        """Take the values of a host array of the same dtype and shape."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self._host.flags.c_contiguous or self._host.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        _functions.refuse_in_capture("copying an array from the host")
        _standin.count_h2d(arr)
        self._host[...] = arr

    def item(self, *place: int) -> Any:
        """Return one element as a Python number, copied to the host."""
        return self.get().item(*place)

    def tolist(self) -> Any:
        """Return nested lists, copied to the host."""
        return self.get().tolist()

    def __bool__(self) -> bool:
        if self.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return f"<stand-in cupy.ndarray: {self.get()!r}>"

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, specification: str) -> str:
        return format(self.get(), specification)

    def __reduce__(self) -> Any:
        import cupy

        return cupy.array, (self.get(order="A"),)

    # -- as a container ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[place] for place in range(self.shape[0]))

    def __getitem__(self, key: Any) -> Any:
        return _functions.run(operator.getitem, (self, _functions.index(key)))

    def __setitem__(self, key: Any, value: Any) -> None:
        _functions.run(operator.setitem, (self, _functions.index(key), value))

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    # -- views and methods that have something of their own ---------------------------------------

    @property
    def T(self) -> Any:
        """A view with the axes reversed."""
        return self if self.ndim < 2 else self.transpose()

    @property
    def mT(self) -> Any:
        """A view with the last two axes exchanged."""
        return self.swapaxes(-1, -2)

    @property
    def real(self) -> Any:
        """The real part, a view of complex arrays."""
        return _functions.run(np.real, (self,))

    @real.setter
    def real(self, value: Any) -> None:
        _functions.run(setattr, (self, "real", value))

    @property
    def imag(self) -> Any:
        """The imaginary part, a view of complex arrays."""
        return _functions.run(np.imag, (self,))

    @imag.setter
    def imag(self, value: Any) -> None:
        _functions.run(setattr, (self, "imag", value))

    # -- with NumPy's functions -------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        import cupy

        function = getattr(cupy, ufunc.__name__, None)
        if function is None:
            return NotImplemented
        out = kwargs.pop("out", ())
        if len(out) > 1:
            raise ValueError("The 'out' parameter must have exactly one array value")
        if out:
            kwargs["out"] = out[0]
        for value in (*inputs, *out):
            if not isinstance(value, (*_operators.SCALARS, ndarray, np.ndarray)):
                return NotImplemented
        return (function if method == "__call__" else getattr(function, method))(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        import cupy

        place: Any = cupy
        for name in (*function.__module__.split(".")[1:], function.__name__):
            place = getattr(place, name, None)
        if place is None or not all(issubclass(kind, (ndarray, np.ndarray)) for kind in types):
            return NotImplemented
        return place(*args, **kwargs)


_operators.fill_in(ndarray)
