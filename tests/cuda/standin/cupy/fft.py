"""The stand-in's ``cupy.fft``: NumPy's functions on device arrays."""

from __future__ import annotations

import numpy as _numpy

from cupy import _create, _names

__all__ = [*_names.FFT.split()]

globals().update({name: _create.delegate(getattr(_numpy.fft, name)) for name in _names.FFT.split()})
