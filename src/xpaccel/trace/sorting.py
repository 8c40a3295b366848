"""Functions of whole axes: sorting, searching, running totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpaccel.graph.node import Node
from xpaccel.ops import dtype_kind
from xpaccel.trace.calling import call, refused
from xpaccel.trace.creation import asarray
from xpaccel.trace.elementwise import write_out
from xpaccel.trace.promote import operand, result_type
from xpaccel.trace.session import checked_dtype, current
from xpaccel.trace.sizes import normalize_axis
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import FUNCTIONS, Tracer, fresh


def _with_axis(x: Any, axis: Any) -> tuple[Tracer, int]:
    """Return an array and a normalised axis; the array flattened, where that is None."""
    x = asarray(x)
    if axis is None:
        return FUNCTIONS["reshape"](x, -1), 0
    return x, normalize_axis(axis, x.ndim)


def _sorter(name: str) -> Callable[..., Tracer]:
    def function(
        x: Any,
        /,
        axis: Any = -1,
        kind: Any = None,
        order: Any = None,
        *,
        stable: Any = None,
        descending: bool = False,
    ) -> Tracer:
        if order is not None:
            raise ValueError("Cannot specify order when the array has no fields.")
        x, at = _with_axis(x, axis)
        node = (FUNCTIONS["flip"](x, at) if descending else x)._read()
        kind = "stable" if stable or descending else kind
        (result,) = call(name, [node], [node.shape], axis=at, kind=kind)
        if not descending:
            return result
        result = FUNCTIONS["flip"](result, at)  # equal elements keep their order, as the standard has it
        return x.shape[at] - 1 - result if name == "argsort" else fresh(current(), result._read())

    function.__name__ = name
    return function


def method_sort(x: Tracer, /, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    """Sort `x` in place."""
    x[...] = FUNCTIONS["sort"](x, axis, kind, order, stable=stable)


def searchsorted(x1: Any, x2: Any, /, side: str = "left", sorter: Any = None) -> Tracer:
    """Return where the elements of `x2` would have to stand in the sorted vector `x1`."""
    session = current()
    x1 = asarray(x1)
    if x1.ndim != 1:
        raise ValueError("object of too small depth for desired array" if not x1.ndim else "x1 must be one-dimensional")
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got {side!r})")
    if sorter is not None:
        x1 = x1[asarray(sorter)]
    x2 = asarray(x2)
    dtype = checked_dtype(result_type((x1.dtype.name, x2.dtype.name)))
    nodes = [session.builder.astype(x._read(), dtype) for x in (x1, x2)]
    (result,) = call("searchsorted", nodes, [nodes[1].shape], dtypes=["int64"], side=side)
    return result


def _extreme_index(name: str) -> Callable[..., Tracer]:
    def function(x: Any, /, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Tracer:
        session = current()
        x = asarray(x)
        at = None if axis is None else normalize_axis(axis, x.ndim)
        node = x._read()
        sizes = node.shape if at is None else (node.shape[at],)
        if any(session.guards.equal(size, 0) for size in sizes):
            raise ValueError(f"attempt to get {name} of an empty sequence")
        kept = () if at is None else (*node.shape[:at], *node.shape[at + 1 :])
        (result,) = call(name, [node], [kept], dtypes=["int64"], axis=at)
        if keepdims:
            removed = range(x.ndim) if at is None else (at,)
            result = FUNCTIONS["expand_dims"](result, tuple(removed)) if x.ndim else result
            result = fresh(session, result._read())
        return result if out is None else _written(result, out, name)

    function.__name__ = name
    return function


def _written(result: Tracer, out: Any, name: str) -> Tracer:
    if not isinstance(out, Tracer):
        raise trace_error(f"{name} was given out= that is not a traced array", "Leave it out and use the result.")
    write_out(result, out, name)
    return out


def _total_dtype(node: Node, dtype: Any) -> str:
    if dtype is not None:
        return checked_dtype(dtype)
    return {"b": "int64", "i": "int64", "u": "uint64"}.get(dtype_kind(node.dtype), node.dtype)


def _running(name: str) -> Callable[..., Tracer]:
    def function(x: Any, /, axis: Any = None, dtype: Any = None, out: Any = None) -> Tracer:
        x, at = _with_axis(x, axis)
        node = x._read()
        found = _total_dtype(node, dtype)
        if dtype_kind(node.dtype) == "c" and dtype_kind(found) != "c":
            raise trace_error(f"{name} of {node.dtype} as {found} drops the imaginary part", "Take xp.real(x) first.")
        if found == "bool":
            raise trace_error(f"{name} in dtype bool is not supported in a kernel", "Leave out the dtype.")
        node = current().builder.astype(node, found)
        (result,) = call(name, [node], [node.shape], dtypes=[found], axis=at)
        return result if out is None else _written(result, out, name)

    function.__name__ = name
    return function


def _cumulative(name: str) -> Callable[..., Tracer]:
    plain, start = {"cumulative_sum": ("cumsum", 0), "cumulative_prod": ("cumprod", 1)}[name]

    def function(
        x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
    ) -> Tracer:
        x = asarray(x)
        if x.ndim == 0:
            raise ValueError("Input arrays needs to be at least one dimensional.")
        if axis is None and x.ndim > 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        at = 0 if axis is None else normalize_axis(axis, x.ndim)
        result: Tracer = FUNCTIONS[plain](x, at, dtype)
        if include_initial:
            shape = (*result.shape[:at], 1, *result.shape[at + 1 :])
            first = FUNCTIONS["full"](shape, start, dtype=result.dtype)
            result = FUNCTIONS["concat"]([first, result], at)
        return result if out is None else _written(result, out, name)

    function.__name__ = name
    return function


def accumulate(name: str, x: Any, /, axis: Any = 0, dtype: Any = None, out: Any = None) -> Tracer:
    """Return ``np.add.accumulate(x)`` and the like."""
    x = asarray(x)
    if x.ndim == 0:
        raise TypeError("cannot accumulate on a scalar")
    if name in ("add", "multiply"):
        total: Tracer = FUNCTIONS[{"add": "cumsum", "multiply": "cumprod"}[name]](x, axis, dtype, out)
        return total
    if name not in ("maximum", "minimum") or dtype is not None:
        raise trace_error(
            f"np.{name}.accumulate is not known in a kernel", "Known are add, multiply, maximum and minimum."
        )
    node = x._read()
    at = normalize_axis(axis, x.ndim)
    (result,) = call(f"{name}.accumulate", [node], [node.shape], dtypes=[node.dtype], axis=at)
    return result if out is None else _written(result, out, name)


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Tracer:
    """Return the values at `x` of the piecewise linear function through ``(xp, fp)``."""
    session = current()
    nodes = [operand(session, value).cast(session, "float64") for value in (x, xp)]
    values = asarray(fp)._read()
    nodes.append(session.builder.astype(values, "complex128" if dtype_kind(values.dtype) == "c" else "float64"))
    if nodes[1].ndim != 1 or nodes[2].ndim != 1:
        raise ValueError("Data points must be 1-D sequences")
    if not session.guards.equal(nodes[1].shape[0], nodes[2].shape[0]):
        raise ValueError("fp and xp are not of the same length.")
    if not session.guards.at_least(nodes[1].shape[0], 1):
        raise ValueError("array of sample points is empty")
    ends = {"left": left, "right": right, "period": period}
    for keyword, value in ends.items():
        if isinstance(value, Tracer):
            raise trace_error(f"np.interp with {keyword}= of a traced array is not supported", "Give a Python number.")
    ends = {
        keyword: value if value is None else complex(value) if isinstance(value, complex) else float(value)
        for keyword, value in ends.items()
    }
    (result,) = call("interp", nodes, [nodes[0].shape], dtypes=[nodes[2].dtype], **ends)
    return result


def _data_dependent(name: str, advice: str) -> Callable[..., Any]:
    return refused(name, "gives arrays whose sizes are known only when the kernel runs", advice)


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name."""
    unique = {
        name: _data_dependent(name, "Call it outside of the kernel.")
        for name in ("unique", "unique_all", "unique_counts", "unique_inverse", "unique_values")
    }
    return {
        "sort": _sorter("sort"),
        "method sort": method_sort,
        "argsort": _sorter("argsort"),
        "searchsorted": searchsorted,
        "argmax": _extreme_index("argmax"),
        "argmin": _extreme_index("argmin"),
        "cumsum": _running("cumsum"),
        "cumprod": _running("cumprod"),
        "cumulative_sum": _cumulative("cumulative_sum"),
        "cumulative_prod": _cumulative("cumulative_prod"),
        "accumulate": accumulate,
        "interp": interp,
        **unique,
        "nonzero": _data_dependent("nonzero", "Choose with xp.where(mask, a, b)."),
        "argwhere": _data_dependent("argwhere", "Choose with xp.where(mask, a, b)."),
        "flatnonzero": _data_dependent("flatnonzero", "Choose with xp.where(mask, a, b)."),
        "bincount": _data_dependent(
            "bincount", "Where the number of bins is known: counts = xp.zeros(n); np.add.at(counts, i, 1)."
        ),
    }
