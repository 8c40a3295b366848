"""How the stand-in's functions and methods run: NumPy on the memory of device arrays, and device arrays again.

Views stay views, results get device memory of their own, numbers become 0-d arrays, and a NumPy array among the
arguments is refused as CuPy refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cupy import _standin


def run(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Any:
    """Call a NumPy function on the memory of device arrays."""
    from cupy.cuda import stream

    inputs: list[Any] = []
    args, kwargs = _unwrap(tuple(args), inputs), _unwrap(dict(kwargs or {}), inputs)
    _standin.counts.calls += 1
    capture = stream.get_current_stream()._capture
    with np.errstate(all="ignore"):  # a GPU reports no floating-point exceptions
        if capture is not None:
            return capture.record(function, args, kwargs, inputs)
        return wrap(function(*args, **kwargs), inputs)


def refuse_in_capture(what: str) -> None:
    """Raise if the current stream is recording."""
    from cupy.cuda import runtime, stream

    if stream.get_current_stream()._capture is not None:
        raise runtime.CUDARuntimeError(runtime.cudaErrorStreamCaptureUnsupported, what)


def _unwrap(value: Any, inputs: list[Any]) -> Any:
    from cupy._array import ndarray
    from cupy._ufunc import ufunc

    if isinstance(value, ndarray):
        inputs.append(value)
        return value._host
    if isinstance(value, np.ndarray) and not isinstance(value, _Index):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, ufunc):
        return value._ufunc
    if isinstance(value, (tuple, list)):
        return type(value)(_unwrap(item, inputs) for item in value)
    if isinstance(value, dict):
        return {name: _unwrap(item, inputs) for name, item in value.items()}
    return value


def wrap(result: Any, inputs: Sequence[Any]) -> Any:
    """Return device arrays for the NumPy arrays and numbers of a result."""
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*(wrap(item, inputs) for item in result))
    if isinstance(result, (tuple, list)):
        return type(result)(wrap(item, inputs) for item in result)
    if isinstance(result, np.generic):
        return new(np.asarray(result))
    if not isinstance(result, np.ndarray):
        return result
    for device_array in inputs:
        if result is device_array._host:
            return device_array
    view = view_of(result, inputs)
    return new(result) if view is None else view


def view_of(result: np.ndarray, inputs: Sequence[Any]) -> Any:
    """Return a view of one of the inputs' memory, None if it lies elsewhere."""
    from cupy._array import adopt

    for device_array in inputs:
        if result.base is not None and np.may_share_memory(result, device_array._host):
            root = device_array if device_array.base is None else device_array.base
            return adopt(result, device_array._mem, root)
    return None


def new(host: np.ndarray) -> Any:
    """Return a new device array with these values, laid out alike."""
    from cupy._array import ndarray

    if host.dtype.kind not in "?biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    order = "F" if host.flags.fnc else "C"
    made = ndarray(host.shape, host.dtype, order=order)
    made._host[...] = host
    return made


class _Index(np.ndarray):
    """An index that came from the host; the one NumPy array that may meet a device array."""


def index(key: Any) -> Any:
    """Return a key of ``[]``; index arrays and lists from the host are copied to the device, as CuPy does."""
    if isinstance(key, tuple):
        return tuple(index(item) for item in key)
    if isinstance(key, (list, np.ndarray)):
        host = np.asarray(key)
        host = host.astype(np.intp) if not host.size else host
        refuse_in_capture("an index array from the host")
        _standin.count_h2d(host)
        return host.view(_Index)
    return key
