"""Functions that read and write at computed places: ``take``, ``take_along_axis``, the ``at`` of ufuncs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node, Shape
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.trace.creation import asarray
from xpaccel.trace.elementwise import compute_nodes, fit_assignment, match_shape, spread, value_for
from xpaccel.trace.indexing import assign, expanded, get, pick, place, refuse_masks, traced_key
from xpaccel.trace.promote import default_dtype, number_node, operand, resolve
from xpaccel.trace.session import Session, checked_dtype, current
from xpaccel.trace.sizes import ONE, broadcast_shapes, normalize_axis, settle
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import FUNCTIONS, Tracer, fresh, has_arrays

#: How the ``at`` of a ufunc combines; on booleans, adding is ``or``.
_MODES = {"add": "sum", "subtract": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
_BOOL_MODES = {
    "add": "any",
    "maximum": "any",
    "logical_or": "any",
    "bitwise_or": "any",
    "multiply": "all",
    "minimum": "all",
    "logical_and": "all",
    "bitwise_and": "all",
}


def _indices(indices: Any) -> Tracer:
    index = asarray(indices, np.int64 if isinstance(indices, list | tuple) and not len(indices) else None)
    if index.dtype.kind not in "iub":
        wanted = np.dtype(np.int64)
        raise TypeError(f"Cannot cast array data from {index.dtype!r} to {wanted!r} according to the rule 'safe'")
    return index


def take(x: Any, /, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Tracer:
    """Return the elements of `x` at `indices` along `axis` (flattened, by default)."""
    session = current()
    if out is not None:
        raise trace_error("take with out= is not supported in a kernel", "Assign the result instead.")
    x = asarray(x)
    if axis is None:
        x, axis = FUNCTIONS["reshape"](x, -1), 0
    index, at = _indices(indices)._read(), normalize_axis(axis, x.ndim)
    source = x._read()
    size = source.shape[at]
    if mode != "raise":
        index = _within(session, index, size, mode)
    shape = (*source.shape[:at], *index.shape, *source.shape[at + 1 :])
    middle = range(at, at + index.ndim)
    axes = [None if k == at else k if k < at else k + index.ndim - 1 for k in range(source.ndim)]
    where = spread(session, place(session, index, size), middle, shape)
    return fresh(session, session.builder.gather(source, [where], axes), scalar=True)


def _within(session: Session, index: Node, size: Affine, mode: str) -> Node:
    """Return indices brought onto an axis, by ``"wrap"`` or ``"clip"``."""
    if mode not in ("wrap", "clip"):
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    builder = session.builder

    def number(value: Affine) -> Node:
        expr = ScalarExpr.size(value) if value.terms else ScalarExpr.const(value.const)
        node = number_node(session, expr, value.const, "int64")
        return match_shape(session, node, index.shape)

    index = builder.astype(index, "int64")
    if not session.guards.at_least(size, 1):
        return index
    if mode == "wrap":
        return compute_nodes(session, "remainder", [index, number(size)])
    above = compute_nodes(session, "maximum", [index, number(Affine())])
    return compute_nodes(session, "minimum", [above, number(size - 1)])


def _along(session: Session, x: Tracer, indices: Any, axis: Any) -> tuple[Node, int, Shape]:
    """Return the index of a function along an axis, that axis, and the shape that both broadcast to."""
    index, at = _indices(indices)._read(), normalize_axis(axis, x.ndim)
    if index.ndim != x.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    own = tuple(ONE if k == at else size for k, size in enumerate(x._view.shape))
    shape = broadcast_shapes(session.guards, [own, index.shape])
    return match_shape(session, place(session, index, x._view.shape[at]), shape), at, shape


def take_along_axis(x: Any, indices: Any, /, axis: Any = -1) -> Tracer:
    """Return, for each element of `indices`, the element of `x` that it names along `axis`."""
    session = current()
    x = asarray(x)
    if axis is None:
        x, axis = FUNCTIONS["reshape"](x, -1), 0
    where, at, shape = _along(session, x, indices, axis)
    source = match_shape(session, x._read(), (*shape[:at], x._view.shape[at], *shape[at + 1 :]))
    axes = [None if k == at else k for k in range(source.ndim)]
    return fresh(session, session.builder.gather(source, [where], axes))


def put_along_axis(x: Any, indices: Any, values: Any, axis: Any) -> None:
    """Put `values` where `indices` name elements of `x` along `axis`; the last one wins."""
    session = current()
    if not isinstance(x, Tracer) or axis is None:
        raise trace_error("put_along_axis needs a traced array and an axis", "Give both.")
    where, at, shape = _along(session, x, indices, axis)
    value = value_for(session, values, x.dtype.name, shape)
    x._view.scatter(session, "set", value, {at: where}, {k: k for k in range(x.ndim) if k != at})


def ufunc_at(name: str, x: Any, key: Any, value: Any) -> None:
    """Do ``np.add.at(x, key, value)`` and the like: every occurrence of an index counts."""
    session = current()
    if not isinstance(x, Tracer) or x._scalar:
        raise trace_error(
            f"np.{name}.at was given a NumPy array to write to",
            "Give that array to the kernel as an argument, or make it like a traced one: np.zeros_like(u).",
        )
    dtype = x.dtype.name
    modes = _BOOL_MODES if dtype == "bool" else _MODES
    o = operand(session, value)
    # a Python number is as good as an array here, as NumPy has it
    loop = resolve(name, (dtype, default_dtype(o.kind)))
    if name not in modes or not np.can_cast(loop[-1], dtype, "same_kind"):
        raise trace_error(
            f"np.{name}.at of a {dtype} array and {loop[1]} values is not supported in a kernel",
            f"Supported are {', '.join(sorted(modes))}, with values that NumPy casts to the array's dtype.",
        )
    node = o.cast(session, checked_dtype(loop[1]))
    if name == "subtract":
        node = session.builder.elementwise("negative", node)
    if not has_arrays(session, key):
        x[key] = FUNCTIONS[name](x[key], fresh(session, o.cast(session, loop[1])))
        return
    items = expanded(traced_key(session, key), x.ndim)
    refuse_masks(items)
    found = pick(x, items)
    found.write(session, modes[name], fit_assignment(session, node, found.shape))


def diagonal(x: Any, /, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Tracer:
    """Return the elements of `x` whose index along `axis2` is `offset` more than along `axis1`."""
    session = current()
    guards, builder = session.guards, session.builder
    x = asarray(x)
    if x.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    first, second = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    if first == second:
        raise ValueError("axis1 and axis2 cannot be the same")
    source = x._read()
    below, right = max(-int(offset), 0), max(int(offset), 0)
    count = guards.smaller(source.shape[first] - below, source.shape[second] - right)
    count = settle(guards, count) if guards.at_least(count, 0) else Affine()
    rest = [size for axis, size in enumerate(source.shape) if axis not in (first, second)]
    shape = (*rest, count)
    places = {}
    for axis, start in ((first, below), (second, right)):
        index = builder.iota(count)
        if start:
            index = builder.elementwise("add", index, match_shape(session, builder.const(start, "int64"), index.shape))
        places[axis] = spread(session, index, [len(rest)], shape)
    walked = iter(range(len(rest)))
    axes = [None if axis in places else next(walked) for axis in range(x.ndim)]
    return fresh(session, builder.gather(source, [places[axis] for axis in sorted(places)], axes))


def trace(x: Any, /, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None, out: Any = None) -> Tracer:
    """Return the sum of the diagonal."""
    result: Tracer = FUNCTIONS["sum"](diagonal(x, offset, axis1, axis2), axis=-1, dtype=dtype, out=out)
    return result


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name."""
    return {
        "getitem": get,
        "setitem": assign,
        "take": take,
        "take_along_axis": take_along_axis,
        "put_along_axis": put_along_axis,
        "ufunc_at": ufunc_at,
        "diagonal": diagonal,
        "trace": trace,
    }
