"""Reductions, with NumPy's result dtypes and its two-pass mean and variance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpaccel.graph.node import Node
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.ops import dtype_kind
from xpaccel.trace.creation import asarray
from xpaccel.trace.elementwise import compute_nodes, match_shape, write_out
from xpaccel.trace.promote import number_node
from xpaccel.trace.scalar import Number, expression, size_number
from xpaccel.trace.session import Session, checked_dtype, current
from xpaccel.trace.sizes import normalize_axes
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import Tracer, fresh


def _prepare(x: Any, axis: Any, options: dict[str, Any]) -> tuple[Session, Node, tuple[int, ...]]:
    """Return the session, the value to reduce and the axes; refuse what NumPy has beyond the standard."""
    for name, value in options.items():
        if name == "where" and value is True:
            continue
        raise trace_error(
            f"a reduction with {name}= is not supported in a kernel",
            "Put it into the values: xp.sum(xp.where(mask, x, 0)).",
        )
    session = current()
    node = (x if isinstance(x, Tracer) else asarray(x))._read()
    axes = tuple(range(node.ndim)) if axis is None else normalize_axes(axis, node.ndim, name="axis in reduction")
    return session, node, axes


def _reduced(session: Session, kind: str, node: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    result = session.builder.reduce(kind, node, axes)
    if keepdims and axes:
        rest = iter(range(result.ndim))
        result = session.builder.axes(result, [None if k in axes else next(rest) for k in range(node.ndim)])
    return result


def _finish(session: Session, node: Node, out: Any, name: str) -> Tracer:
    result = fresh(session, node, scalar=True)
    if out is None:
        return result
    if not isinstance(out, Tracer):
        raise trace_error(f"{name} was given out= that is not a traced array", "Leave it out and use the result.")
    write_out(result, out, name)
    return out


def _wide(dtype: str) -> str:
    """Return the dtype in which NumPy adds and multiplies up: at least 64 bits for whole numbers."""
    return {"b": "int64", "i": "int64", "u": "uint64"}.get(dtype_kind(dtype), dtype)


def _accumulate(kind: str) -> Callable[..., Tracer]:
    def function(
        x: Any,
        /,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        **options: Any,
    ) -> Tracer:
        session, node, axes = _prepare(x, axis, options)
        name = checked_dtype(dtype) if dtype is not None else _wide(node.dtype)
        if dtype_kind(node.dtype) == "c" and dtype_kind(name) != "c":
            raise trace_error(f"{kind} of {node.dtype} as {name} drops the imaginary part", "Take xp.real(x) first.")
        used = {"sum": "any", "prod": "all"}[kind] if name == "bool" else kind
        node = session.builder.astype(node, name)
        return _finish(session, _reduced(session, used, node, axes, bool(keepdims)), out, kind)

    function.__name__ = kind
    return function


def _extreme(kind: str) -> Callable[..., Tracer]:
    def function(x: Any, /, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Tracer:
        session, node, axes = _prepare(x, axis, options)
        if dtype_kind(node.dtype) == "c":
            raise trace_error(f"{kind} of complex arrays is not supported", "Take xp.abs(x) or xp.real(x) first.")
        guards = session.guards
        empty = [guards.equal(node.shape[k], 0) for k in axes]
        if any(empty) and not any(guards.equal(size, 0) for k, size in enumerate(node.shape) if k not in axes):
            raise ValueError(f"zero-size array to reduction operation {kind}imum which has no identity")
        used = {"max": "any", "min": "all"}[kind] if node.dtype == "bool" else kind
        return _finish(session, _reduced(session, used, node, axes, bool(keepdims)), out, kind)

    function.__name__ = kind
    return function


def _logical(kind: str) -> Callable[..., Tracer]:
    def function(x: Any, /, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Tracer:
        session, node, axes = _prepare(x, axis, options)
        node = session.builder.astype(node, "bool")
        return _finish(session, _reduced(session, kind, node, axes, bool(keepdims)), out, kind)

    function.__name__ = kind
    return function


def _count(session: Session, node: Node, axes: tuple[int, ...]) -> Any:
    """Return how many elements are reduced to one."""
    total: Any = 1
    for axis in axes:
        total = total * size_number(session, node.shape[axis])
    return total


def _divided(session: Session, node: Node, count: Any) -> Node:
    """Return ``node / count`` as NumPy's mean has it: in 64-bit precision, rounded once."""
    builder = session.builder
    exact = {"float32": "float64", "complex64": "complex128"}.get(node.dtype, node.dtype)
    value = count._value if isinstance(count, Number) else count
    divisor = match_shape(session, number_node(session, expression(count), value, exact), node.shape)
    return builder.astype(builder.elementwise("divide", builder.astype(node, exact), divisor), node.dtype)


def _mean_dtype(node: Node, dtype: Any) -> str:
    if dtype is not None:
        name = checked_dtype(dtype)
        if dtype_kind(name) not in "fc" or (dtype_kind(node.dtype) == "c" and dtype_kind(name) != "c"):
            raise trace_error(
                f"a mean of {node.dtype} in dtype {name} is not supported in a kernel", "Convert the result."
            )
        return name
    return "float64" if dtype_kind(node.dtype) in "biu" else node.dtype


def mean(
    x: Any, /, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, **options: Any
) -> Tracer:
    """Return the mean over `axis`."""
    session, node, axes = _prepare(x, axis, options)
    name = _mean_dtype(node, dtype)
    total = _reduced(session, "sum", session.builder.astype(node, name), axes, bool(keepdims))
    return _finish(session, _divided(session, total, _count(session, node, axes)), out, "mean")


def _variance(session: Session, node: Node, axes: tuple[int, ...], dtype: Any, keepdims: bool, correction: Any) -> Node:
    builder = session.builder
    name = _mean_dtype(node, dtype)
    count = _count(session, node, axes)
    centre = _divided(session, _reduced(session, "sum", builder.astype(node, name), axes, True), count)
    common = name if dtype is None else _wider(node.dtype, name)
    spread = builder.elementwise(
        "subtract",
        builder.astype(node, common),
        match_shape(session, builder.astype(centre, common), node.shape),
    )
    if dtype_kind(common) == "c":
        real, imag = builder.elementwise("real", spread), builder.elementwise("imag", spread)
        square = builder.elementwise("add", _square(session, real), _square(session, imag))
    else:
        square = _square(session, spread)
        square = builder.astype(square, name)
    total = _reduced(session, "sum", square, axes, keepdims)
    return _divided(session, total, _reduced_count(session, count, correction))


def _square(session: Session, node: Node) -> Node:
    return compute_nodes(session, "multiply", [node, node])


def _wider(first: str, second: str) -> str:
    from xpaccel.trace.promote import result_type

    return result_type((first, second))


def _reduced_count(session: Session, count: Any, correction: Any) -> Any:
    """Return ``max(count - correction, 0)``."""
    less = count - correction
    if not isinstance(less, Number):
        return max(less, 0)
    if less._affine is not None:
        return less if session.guards.at_least(less._affine, 0) else 0
    expr = ScalarExpr("max", (expression(less), ScalarExpr.const(0)))
    return Number(session, expr, max(less._value, 0))


def _deviation(name: str) -> Callable[..., Tracer]:
    def function(
        x: Any,
        /,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: Any = None,
        keepdims: bool = False,
        *,
        correction: Any = None,
        **options: Any,
    ) -> Tracer:
        session, node, axes = _prepare(x, axis, options)
        if ddof is not None and correction is not None:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        less = next((value for value in (ddof, correction) if value is not None), 0)
        result = _variance(session, node, axes, dtype, bool(keepdims), less)
        if name == "std":
            result = session.builder.elementwise("sqrt", result)
        return _finish(session, result, out, name)

    function.__name__ = name
    return function


def count_nonzero(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Tracer:
    """Return how many elements are not zero."""
    session, node, axes = _prepare(x, axis, {})
    node = session.builder.astype(session.builder.astype(node, "bool"), "int64")
    return _finish(session, _reduced(session, "sum", node, axes, bool(keepdims)), None, "count_nonzero")


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name."""
    return {
        "sum": _accumulate("sum"),
        "prod": _accumulate("prod"),
        "max": _extreme("max"),
        "min": _extreme("min"),
        "any": _logical("any"),
        "all": _logical("all"),
        "mean": mean,
        "var": _deviation("var"),
        "std": _deviation("std"),
        "count_nonzero": count_nonzero,
    }
