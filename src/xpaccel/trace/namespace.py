"""The array API namespace of traced arrays.

Every function is in the table `FUNCTIONS`; what a kernel sees of it is the `Namespace`. A function
that the standard or NumPy has and kernels do not know is there too, and says so when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from xpaccel.ops import DTYPES
from xpaccel.trace import (
    contraction,
    creation,
    elementwise,
    fourier,
    linalg,
    lookup,
    manipulation,
    protocol,
    reductions,
    sorting,
)
from xpaccel.trace.scalar import Number
from xpaccel.trace.session import current
from xpaccel.trace.source import trace_error, user_place
from xpaccel.trace.tracer import FUNCTIONS, Tracer

_UNKNOWN = "isin from_dlpack random gradient convolve to_device"


def public(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` as the user's code calls it: it notes the line, and NumPy's errors name it."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        session = current()
        outermost = not session.busy
        if outermost:
            session.mark()
            session.busy = True
        try:
            return function(*args, **kwargs)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            if not getattr(error, "__notes__", None):
                error.add_note(f"in {name}, at {user_place()}")
            raise
        finally:
            if outermost:
                session.busy = False

    return call


def unknown(name: str) -> Callable[..., Any]:
    """Return a function that says that kernels do not know it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        raise trace_error(f"{name} is not supported in a kernel yet", "Call it outside of the kernel.")

    call.__name__ = name
    return call


def fill() -> None:
    """Put every function into `FUNCTIONS`."""
    for name in _UNKNOWN.split():
        FUNCTIONS[name] = unknown(name)
    modules = (
        elementwise,
        creation,
        manipulation,
        reductions,
        lookup,
        sorting,
        contraction,
        linalg,
        fourier,
        protocol,
    )
    for module in modules:
        for name, function in module.table().items():
            FUNCTIONS[name] = public(name, function)
    FUNCTIONS["result_type"] = result_type
    FUNCTIONS["can_cast"] = can_cast


def _dtype_of(value: Any) -> Any:
    if isinstance(value, Tracer):
        return value.dtype
    return type(value._value)(0) if isinstance(value, Number) else value


def result_type(*values: Any) -> np.dtype[Any]:
    """Return the dtype to which NumPy promotes arrays, dtypes and numbers."""
    return np.result_type(*map(_dtype_of, values))


def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """Return whether NumPy casts one dtype to the other."""
    return np.can_cast(_dtype_of(from_), to, casting)


class _Info:
    """What the standard's ``__array_namespace_info__`` gives."""

    def capabilities(self) -> dict[str, Any]:
        """Return what kernels can do."""
        return {"boolean indexing": False, "data-dependent shapes": False, "max dimensions": 64}

    def default_device(self) -> str:
        """Return where arrays lie."""
        return "cpu"

    def devices(self) -> list[str]:
        """Return where arrays can lie."""
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype[Any]]:
        """Return the dtypes of arrays made of Python numbers."""
        names = {
            "real floating": "float64",
            "complex floating": "complex128",
            "integral": "int64",
            "indexing": "int64",
        }
        return {kind: np.dtype(name) for kind, name in names.items()}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype[Any]]:
        """Return the dtypes that kernels compute with, of one or several kinds."""
        found = {name: np.dtype(name) for name in DTYPES}
        return found if kind is None else {n: d for n, d in found.items() if np.isdtype(d, kind)}


class Part:
    """``xp.linalg`` or ``xp.fft`` inside a kernel.

    Parameters
    ----------
    name
        Its name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = FUNCTIONS.get(f"{self._name}.{name}")
        if found is None:
            found = getattr(getattr(np, self._name), name)
            if callable(found) and not isinstance(found, type):
                found = unknown(f"{self._name}.{name}")
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return sorted(name.partition(".")[2] for name in FUNCTIONS if name.startswith(f"{self._name}."))

    def __repr__(self) -> str:
        return f"<{self._name} of the array namespace of a traced kernel>"


class Namespace:
    """What ``array_namespace(u)`` is inside a kernel: the array API standard, and NumPy's other names."""

    __name__ = "xpaccel.trace.namespace"
    __array_api_version__ = "2024.12"

    pi = np.pi
    e = np.e
    inf = np.inf
    nan = np.nan
    newaxis = None
    linalg = Part("linalg")
    fft = Part("fft")

    #: The names of `FUNCTIONS` that are not functions of a namespace.
    _inner = ("in_place", "power_operator", "write_out", "fill", "getitem", "setitem", "ufunc_at", "accumulate")

    def __array_namespace_info__(self) -> _Info:
        """Return what this namespace offers."""
        return _Info()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in self._inner:
            raise AttributeError(name)
        found: Any
        if name in DTYPES:
            found = getattr(np, "bool_" if name == "bool" else name)
        elif name in FUNCTIONS:
            found = FUNCTIONS[name]
        elif name in protocol.numpy_names():
            found = FUNCTIONS[protocol.numpy_names()[name]]
        elif name in ("isdtype", "finfo", "iinfo", "bool_", "intp", "float_", "dtype", "errstate", "s_"):
            found = getattr(np, name)
            if name in ("finfo", "iinfo"):
                numpy_info = found

                def info(value: Any) -> Any:
                    return numpy_info(value.dtype if isinstance(value, Tracer) else value)

                found = info
        elif callable(getattr(np, name, None)):
            found = unknown(name)
        else:
            raise AttributeError(f"the namespace of traced arrays has no attribute {name!r}")
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return sorted(
            {*object.__dir__(self), *DTYPES, *(n for n in FUNCTIONS if not set(n) & set(" .") and n not in self._inner)}
        )

    def __repr__(self) -> str:
        return "<the array namespace of a traced kernel>"


_namespace = Namespace()


def namespace(api_version: str | None = None) -> Namespace:
    """Return the namespace; raise ValueError for a version of the standard that it does not have."""
    if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
        raise ValueError(f"Unsupported array API version: {api_version!r}")
    return _namespace
