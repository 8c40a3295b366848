"""Tests that were written with NumPy arrays, run on a device backend over the stand-in `cupy`.

While `sharing` is active, a kernel that is called with NumPy arrays sees device arrays that are the very same memory,
and what it returns comes back as NumPy arrays: an argument as itself, a view of one as a view. So what a test says
about values, views, aliasing and writes is said about the device backend.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from xpaccel import active, backends
from xpaccel.kernel import Kernel
from xpaccel.trace import session
from xpaccel.trace.tree import flatten

#: The folder whose `cupy` is the stand-in.
STANDIN = Path(__file__).parent / "standin"

_METHODS = ("__call__", "graph", "loops", "source", "explain")


def install() -> Any:
    """Make the stand-in the `cupy` of this process, and return it.

    Raises
    ------
    RuntimeError
        If another one was imported before.
    """
    sys.path.insert(0, str(STANDIN))
    try:
        cupy = importlib.import_module("cupy")
    finally:  # who takes it out of sys.modules is without CuPy again
        sys.path.remove(str(STANDIN))
    if not hasattr(cupy, "_standin"):
        raise RuntimeError(f"this process imported the cupy of {cupy.__file__} before the stand-in")
    return cupy


@contextmanager
def sharing() -> Iterator[None]:
    """Let kernels on device backends take and return NumPy arrays, without a copy."""
    cupy = install()
    before = {name: getattr(Kernel, name) for name in _METHODS}
    for name, method in before.items():
        setattr(Kernel, name, _shared(method, cupy))
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Kernel, name, method)


def _shared(method: Callable[..., Any], cupy: Any) -> Callable[..., Any]:
    """Return a method of kernels that shares its NumPy arrays with the device."""

    @functools.wraps(method)
    def call(kernel: Kernel, *args: Any, **kwargs: Any) -> Any:
        if session.is_tracing() or _runs_on_host(kwargs.get("backend") if method.__name__ == "source" else None):
            return method(kernel, *args, **kwargs)
        leaves, tree = flatten((args, kwargs))
        given = {id(leaf): leaf for leaf in leaves if type(leaf) is np.ndarray}
        if not given:
            return method(kernel, *args, **kwargs)
        devices = {key: cupy._standin.share(array) for key, array in given.items()}
        args, kwargs = tree.unflatten([devices.get(id(leaf), leaf) for leaf in leaves])
        return _returned(method(kernel, *args, **kwargs), devices, given, cupy)

    return call


def _runs_on_host(named: str | None) -> bool:
    """Whether a call runs on a backend of host memory."""
    backend = active.current() if named is None else backends.get(named)
    return bool(backend.memory.is_host)


def _returned(result: Any, devices: dict[int, Any], given: dict[int, Any], cupy: Any) -> Any:
    """Return a result with NumPy arrays for device arrays; what was an argument is that argument."""
    originals = {id(device): given[key] for key, device in devices.items()}
    leaves, tree = flatten(result)
    if not any(isinstance(leaf, cupy.ndarray) for leaf in leaves):
        return result

    def back(leaf: Any) -> Any:
        if id(leaf) in originals:
            return originals[id(leaf)]
        return cupy._standin.unwrap(leaf) if isinstance(leaf, cupy.ndarray) else leaf

    return tree.unflatten([back(leaf) for leaf in leaves])
