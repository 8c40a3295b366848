"""NumPy's functions on traced arrays: the same functions, found through NumPy's protocols."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from xpaccel.ops import OPS
from xpaccel.trace.elementwise import write_out
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import FUNCTIONS, Tracer

#: NumPy's names that differ from the standard's, but for those that the op table knows.
ALIASES = {
    "concatenate": "concat",
    "amax": "max",
    "amin": "min",
    "around": "round",
    "fabs": "abs",
    "rint": "rint",
    "degrees": "degrees",
    "rad2deg": "degrees",
    "radians": "radians",
    "deg2rad": "radians",
    "divmod": "divmod",
    "shape": "shape",
    "ndim": "ndim",
    "size": "size",
    "iscomplexobj": "iscomplexobj",
    "result_type": "result_type",
    "can_cast": "can_cast",
    "flipud": "flipud",
    "fliplr": "fliplr",
    "true_divide": "divide",
}

#: The reductions of ufuncs.
_REDUCE = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}


@cache
def numpy_names() -> dict[str, str]:
    """Return NumPy's name of every function here, with the name in `FUNCTIONS`."""
    names = {name: name for name in FUNCTIONS if " " not in name and _in_numpy(name) is not None}
    names.update({op.numpy: op.name for op in OPS.values()})
    names.update(ALIASES)
    names["round"] = "round"
    names["rint"] = "rint"
    return names


@cache
def _functions() -> dict[Any, str]:
    """Return the name in `FUNCTIONS` of each NumPy function."""
    return {_in_numpy(numpy_name): name for numpy_name, name in numpy_names().items()}


def _in_numpy(name: str) -> Any:
    """Return what NumPy has by a dotted name, None where it has nothing."""
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _unknown(name: str) -> Exception:
    return trace_error(
        f"np.{name} is not known in a kernel",
        "Call it outside of the kernel, or write it with functions that kernels know.",
    )


def array_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Do what a NumPy ufunc does with traced arrays: the body of ``__array_ufunc__``."""
    name = _functions().get(ufunc)
    out = options.pop("out", None)
    out = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if method == "reduce" and ufunc.__name__ in _REDUCE:
        options.setdefault("axis", 0)
        return FUNCTIONS[_REDUCE[ufunc.__name__]](*inputs, out=out, **options)
    if method == "at":
        FUNCTIONS["ufunc_at"](name or ufunc.__name__, *inputs)
        return None
    if method == "accumulate":
        return FUNCTIONS["accumulate"](ufunc.__name__, *inputs, out=out, **options)
    if ufunc.__name__ == "clip":
        name = "clip"
    if name is None:
        raise _unknown(ufunc.__name__)
    if method != "__call__":
        raise trace_error(
            f"np.{ufunc.__name__}.{method} is not known in a kernel",
            f"Write it with np.{ufunc.__name__} and slices.",
        )
    for option, value in options.items():
        if (
            (option == "where" and value is True)
            or (option == "dtype" and value is None)
            or option in ("subok", "order")
        ):
            continue
        raise trace_error(
            f"np.{ufunc.__name__} with {option}= is not supported in a kernel",
            "Use xp.where for a condition, xp.astype for a dtype.",
        )
    if out is None:
        return FUNCTIONS[name](*inputs)
    if not isinstance(out, Tracer):
        raise trace_error(
            f"the result of np.{ufunc.__name__} of a traced array was to be written into "
            f"{'a NumPy array' if isinstance(out, np.ndarray) else type(out).__name__}",
            "Give that array to the kernel as an argument, or make it like a traced one: np.zeros_like(u).",
        )
    result = FUNCTIONS[name](*inputs)
    FUNCTIONS["write_out"](result, out, name)
    return out


def array_function(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Do what a NumPy function does with traced arrays: the body of ``__array_function__``."""
    name = _functions().get(function)
    if name is None:
        raise _unknown(getattr(function, "__name__", str(function)))
    if name == "clip":
        return _clip(*args, **options)
    return FUNCTIONS[name](*args, **options)


def _clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    casting: str = "same_kind",  # of what is written into `out`
) -> Any:
    """Return ``np.clip`` of these arguments."""
    result = FUNCTIONS["clip"](a, a_min if min is None else min, a_max if max is None else max)
    if out is None:
        return result
    if not isinstance(out, Tracer) or casting not in ("same_kind", "unsafe"):
        raise trace_error("np.clip with this out= or casting= is not supported in a kernel", "Use the result.")
    if casting == "unsafe":
        out[...] = result
    else:
        FUNCTIONS["write_out"](result, out, "clip")
    return out


def table() -> dict[str, Callable[..., Any]]:
    """Return what only NumPy has, by name."""

    def rint(x: Any, /) -> Tracer:
        from xpaccel.trace.elementwise import apply

        return apply("round", x)

    def scaled(factor: float) -> Callable[[Any], Tracer]:
        def function(x: Any, /) -> Any:
            x = FUNCTIONS["asarray"](x) if not isinstance(x, Tracer) else x
            return FUNCTIONS["multiply"](x, x.dtype.type(factor) if x.dtype.kind == "f" else float(factor))

        return function

    def shape(x: Any) -> Any:
        return x.shape if isinstance(x, Tracer) else ()

    def size(x: Any, axis: Any = None) -> Any:
        if axis is not None:
            return x.shape[axis]
        return x.size if isinstance(x, Tracer) else 1

    def matrix_flip(axis: int) -> Callable[[Any], Any]:
        return lambda x: FUNCTIONS["flip"](x, axis)

    return {
        "write_out": write_out,
        "rint": rint,
        "degrees": scaled(180.0 / np.pi),
        "radians": scaled(np.pi / 180.0),
        "divmod": lambda x, y: (FUNCTIONS["floor_divide"](x, y), FUNCTIONS["remainder"](x, y)),
        "shape": shape,
        "ndim": lambda x: x.ndim if isinstance(x, Tracer) else 0,
        "size": size,
        "iscomplexobj": lambda x: x.dtype.kind == "c" if isinstance(x, Tracer) else isinstance(x._value, complex),
        "flipud": matrix_flip(0),
        "fliplr": matrix_flip(1),
    }
