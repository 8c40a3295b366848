"""The stand-in's ``cupy.ufunc``: a NumPy ufunc on device arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupy import _functions


class ufunc:
    """A stand-in (test double) for ``cupy.ufunc``."""

    def __init__(self, numpy_ufunc: np.ufunc) -> None:
        self._ufunc = numpy_ufunc
        self.__name__, self.__doc__ = numpy_ufunc.__name__, numpy_ufunc.__doc__
        self.nin, self.nout, self.types = numpy_ufunc.nin, numpy_ufunc.nout, numpy_ufunc.types

    def __repr__(self) -> str:
        return f"<stand-in cupy ufunc '{self.__name__}'>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _functions.run(self._ufunc, args, kwargs)

    def reduce(self, *args: Any, **kwargs: Any) -> Any:
        """As ``numpy.ufunc.reduce``."""
        return _functions.run(self._ufunc.reduce, args, kwargs)

    def accumulate(self, *args: Any, **kwargs: Any) -> Any:
        """As ``numpy.ufunc.accumulate``."""
        return _functions.run(self._ufunc.accumulate, args, kwargs)

    def reduceat(self, *args: Any, **kwargs: Any) -> Any:
        """As ``numpy.ufunc.reduceat``."""
        return _functions.run(self._ufunc.reduceat, args, kwargs)

    def outer(self, *args: Any, **kwargs: Any) -> Any:
        """As ``numpy.ufunc.outer``."""
        return _functions.run(self._ufunc.outer, args, kwargs)

    def at(self, *args: Any, **kwargs: Any) -> Any:
        """As ``numpy.ufunc.at``."""
        return _functions.run(self._ufunc.at, args, kwargs)
