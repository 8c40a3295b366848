"""The stand-in's ``cupy.linalg``: NumPy's functions on device arrays."""

from __future__ import annotations

import numpy as _numpy
from numpy.linalg import LinAlgError

from cupy import _create, _names

__all__ = ["LinAlgError", *_names.LINALG.split()]

globals().update({name: _create.delegate(getattr(_numpy.linalg, name)) for name in _names.LINALG.split()})
