"""Methods and operators of the stand-in's arrays: NumPy's, on the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupy import _functions

#: What may stand beside an array in an operation.
SCALARS = (bool, int, float, complex, np.generic)

_METHODS = """
all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy cumprod cumsum diagonal dot
fill flatten max mean min nonzero partition prod put ravel repeat reshape round searchsorted sort squeeze std sum
swapaxes take trace transpose var view
"""

_OPERATORS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "divmod": np.divmod,
    "pow": np.power,
    "matmul": np.matmul,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
_COMPARISONS = {
    "lt": np.less,
    "le": np.less_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def _method(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _functions.run(getattr(np.ndarray, name), (self, *args), kwargs)

    method.__name__, method.__doc__ = name, f"As ``numpy.ndarray.{name}``, on the device."
    return method


def _binary(ufunc: np.ufunc, reverse: bool) -> Any:
    """Return an operator; what is neither an array nor a number has its own say first."""

    def operate(self: Any, other: Any) -> Any:
        operands = (other, self) if reverse else (self, other)
        if isinstance(other, (*SCALARS, type(self), np.ndarray)):
            return _functions.run(ufunc, operands)
        if getattr(other, "__array_ufunc__", None) is None:
            return NotImplemented
        return ufunc(*operands)

    return operate


def _in_place(ufunc: np.ufunc) -> Any:
    def operate(self: Any, other: Any) -> Any:
        return _functions.run(ufunc, (self, other), {"out": self})

    return operate


def fill_in(array: type[Any]) -> None:
    """Give the class its methods and operators."""
    for name in _METHODS.split():
        setattr(array, name, _method(name))
    for name, ufunc in _OPERATORS.items():
        setattr(array, f"__{name}__", _binary(ufunc, reverse=False))
        setattr(array, f"__r{name}__", _binary(ufunc, reverse=True))
        if name != "divmod":
            setattr(array, f"__i{name}__", _in_place(ufunc))
    for name, ufunc in _COMPARISONS.items():
        setattr(array, f"__{name}__", _binary(ufunc, reverse=False))
    for name, ufunc in {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}.items():
        setattr(array, f"__{name}__", lambda self, ufunc=ufunc: _functions.run(ufunc, (self,)))
