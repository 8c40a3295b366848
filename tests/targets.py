"""The compiled target that the tests of meaning run on: ``XP_BACKEND`` where that compiles, else ``numba``.

Without a GPU, ``cupy`` is the stand-in of `tests/cuda` and ``numba-cuda`` is Numba's simulator.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np

import xpaccel as xpa
from xpaccel import backends

_ASKED = os.environ.get("XP_BACKEND", "numpy")
#: Its name.
TARGET = _ASKED if _ASKED != "numpy" else "numba"


def is_simulated() -> bool:
    """Whether each thread of it is simulated, which takes about 0.1 ms."""
    return TARGET == "numba-cuda" and os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0"


def size(real: int, simulated: int) -> int:
    """Return a number of points: few where each is simulated."""
    return simulated if is_simulated() else real


def is_host() -> bool:
    """Whether it works on NumPy's arrays."""
    return backends.get(TARGET).memory.is_host


def scalar(value: object) -> object:
    """Return a NumPy scalar as the target returns it: on a device, a 0-d result stays an array."""
    return value if is_host() or not isinstance(value, np.generic) else np.asarray(value)


def array(values: np.ndarray) -> object:
    """Return an array of the target's memory, for what kernels take from outside."""
    if is_host():
        return values
    import cupy

    return cupy.asarray(values)


@contextlib.contextmanager
def active() -> Iterator[None]:
    """Make the target the active backend."""
    with xpa.backend(TARGET):
        yield
