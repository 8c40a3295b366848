"""A stand-in for CuPy: a TEST DOUBLE that runs on the host and proves nothing about speed.

It takes the whole path of xpaccel's `cupy` backend on machines without a GPU. Its arrays refuse what CuPy's refuse
(becoming NumPy arrays without being asked), its kernels are CUDA C compiled by g++ and run thread by thread, its
streams, graphs, memory pools and devices keep CuPy's rules, and `cupy._standin` counts launches and transfers. What it
does not know is an error, never a guess. Checked against the sources of CuPy 13.4 and 15.0.0a1.
"""

# ruff: noqa: A001, F401 - names are here to be found here, `abs` among them

from __future__ import annotations

import builtins as _builtins

import numpy as _numpy

__version__ = "0+standin"

from cupy import _create, _functions, _names, _standin, cuda, fft, lib, linalg
from cupy._array import ndarray
from cupy._create import array, asarray, ascontiguousarray, asfortranarray, asnumpy, empty, empty_like
from cupy._elementwise import ElementwiseKernel, fuse
from cupy._memory import get_default_memory_pool
from cupy._raw import RawKernel, RawModule
from cupy._ufunc import ufunc

asanyarray = asarray
#: Kept apart: a NumPy function that answers with a plain bool answers with a 0-d array here.
_TRUTHS = ("allclose", "array_equal")

globals().update({name: getattr(_numpy, name) for name in _names.SAME.split()})
globals().update({name: _create.delegate(getattr(_numpy, name)) for name in _names.FUNCTIONS.split()})
globals().update({name: ufunc(getattr(_numpy, name)) for name in _names.UFUNCS.split()})
abs = globals()["absolute"]


def _truth(name: str) -> object:
    function = getattr(_numpy, name)

    def delegated(*args: object, **kwargs: object) -> object:
        return _functions.run(lambda *a, **k: _numpy.bool_(function(*a, **k)), args, kwargs)

    return delegated


globals().update({name: _truth(name) for name in _TRUTHS})

__all__ = [name for name in globals() if not name.startswith("_")]


def is_available() -> _builtins.bool:
    """Whether there is a device, pretended or not."""
    return cuda.is_available()


def get_array_module(*args: object) -> object:
    """Return this module if any argument is a device array, else NumPy."""
    import cupy

    return cupy if _builtins.any(isinstance(arg, ndarray) for arg in args) else _numpy


def show_config() -> None:
    """Say what this is."""
    print("stand-in for CuPy: a test double, no GPU is used")
