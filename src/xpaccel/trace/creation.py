"""Functions that make arrays: of a constant, of a range, or of what they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node, Shape
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.ops import dtype_kind
from xpaccel.trace.elementwise import compute_nodes, match_shape, value_for
from xpaccel.trace.promote import default_dtype, nested, number_node, operand, result_type
from xpaccel.trace.scalar import Number, as_affine, expression
from xpaccel.trace.session import Session, checked_dtype, current
from xpaccel.trace.sizes import ZERO, settle
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import FUNCTIONS, Tracer, fresh
from xpaccel.trace.view import View


def check_device(device: Any) -> None:
    """Refuse a device other than the one that NumPy has."""
    if device not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')


def as_shape(session: Session, shape: Any) -> Shape:
    """Return sizes given as an integer or a sequence of them; raise ValueError for a negative one."""
    items = shape if isinstance(shape, Sequence | np.ndarray) else (shape,)
    sizes = tuple(as_affine(item) for item in items)
    for size in sizes:
        if session.guards.less(size, 0):
            raise ValueError("negative dimensions are not allowed")
    return tuple(settle(session.guards, size) for size in sizes)


def filled(session: Session, value: Any, dtype: str, shape: Shape) -> Tracer:
    """Return a new array of one value."""
    return fresh(session, value_for(session, value, dtype, shape))


def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None, like: Any = None
) -> Tracer:
    """Return an array of `shape`, every element `fill_value`."""
    session = current()
    check_device(device)
    chosen = checked_dtype(dtype) if dtype is not None else default_dtype(operand(session, fill_value).kind)
    return filled(session, fill_value, chosen, as_shape(session, shape))


def _maker(value: int) -> Callable[..., Tracer]:
    def make(shape: Any, dtype: Any = None, order: str = "C", *, device: Any = None, like: Any = None) -> Tracer:
        session = current()
        check_device(device)
        chosen = checked_dtype(np.float64 if dtype is None else dtype)
        return filled(session, value, chosen, as_shape(session, shape))

    return make


def full_like(
    x: Any,
    /,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Tracer:
    """Return an array like `x`, every element `fill_value`."""
    session = current()
    check_device(device)
    o = operand(session, x)
    chosen = checked_dtype(dtype) if dtype is not None else default_dtype(o.kind)
    return filled(session, fill_value, chosen, o.shape if shape is None else as_shape(session, shape))


def _maker_like(value: int) -> Callable[..., Tracer]:
    def make(
        x: Any,
        /,
        dtype: Any = None,
        order: str = "K",
        subok: bool = True,
        shape: Any = None,
        *,
        device: Any = None,
    ) -> Tracer:
        return full_like(x, value, dtype, order, subok, shape, device=device)

    return make


def asarray(
    obj: Any,
    /,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    like: Any = None,
) -> Tracer:
    """Return `obj` as an array: itself where it is one, as NumPy does, unless a copy is asked for."""
    session = current()
    check_device(device)
    if session.is_array(obj):
        obj = Tracer(session, View.whole(session.constant(obj)))
    elif isinstance(obj, list | tuple):
        made = nested(session, obj)
        obj = made if isinstance(made, Tracer) else fresh(session, session.constant(made, made_here=True).node)
    elif not isinstance(obj, Tracer):
        o = operand(session, obj)
        obj = fresh(session, o.cast(session, default_dtype(o.kind)))
    name = obj.dtype.name if dtype is None else checked_dtype(dtype)
    if name != obj.dtype.name:
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        result: Tracer = FUNCTIONS["astype"](obj, name)
        return Tracer(session, result._view)
    assert isinstance(obj, Tracer)
    if copy or obj._scalar:
        return fresh(session, obj._read())
    return obj


def iota(session: Session, size: Affine, dtype: str) -> Node:
    """Return ``0 .. size-1`` as `dtype`."""
    return session.builder.astype(session.builder.iota(size), dtype)


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, dtype: Any = None, *, device: Any = None, like: Any = None
) -> Tracer:
    """Return ``start, start + step, ...`` up to before `stop`."""
    session = current()
    check_device(device)
    if stop is None:
        start, stop = 0, start
    numbers = [_as_number(session, value) for value in (start, stop, step)]
    start, stop, step = numbers
    kinds = tuple(_kind(value) for value in numbers)
    name = checked_dtype(dtype) if dtype is not None else checked_dtype(result_type(kinds))
    count = _arange_length(session, start, stop, step)
    if dtype_kind(name) not in "iuf":
        raise trace_error(f"arange of dtype {name} is not supported in a kernel", "Make it of integers and convert it.")
    if count == ZERO:
        return fresh(session, session.builder.astype(session.builder.iota(ZERO), name))
    index = iota(session, count, name)
    # NumPy converts the first two elements, and goes on by their difference
    first, second = _number(session, start, name), _number(session, start + step, name)
    make = session.builder.elementwise
    delta = make("subtract", second, first)
    shape = (count,)
    values = make("multiply", index, match_shape(session, delta, shape))
    values = make("add", match_shape(session, first, shape), values)
    if dtype_kind(name) == "f" and not _is_zero(start):
        one = match_shape(session, session.builder.const(1, name), shape)
        is_second = make("equal", index, one)
        values = make("where", is_second, match_shape(session, second, shape), values)
    return fresh(session, values)


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


def _as_number(session: Session, value: Any) -> Any:
    if isinstance(value, Number | int | float) and not hasattr(value, "dtype"):
        return value
    if isinstance(value, np.generic):
        return value.item()
    raise trace_error(
        f"a range was asked of {'a traced array' if isinstance(value, Tracer) else type(value).__name__}, "
        "so that its length is known only when the kernel runs",
        "Give Python numbers or sizes.",
    )


def _kind(value: Any) -> type:
    kind = type(value._value) if isinstance(value, Number) else type(value)
    return int if kind is bool else kind


def _number(session: Session, value: Any, dtype: str) -> Node:
    kind = _kind(value)
    plain = value._value if isinstance(value, Number) else value
    if kind is float and dtype_kind(dtype) in "iu":
        return session.builder.astype(number_node(session, expression(value), plain, "float64"), dtype)
    return number_node(session, expression(value), plain, dtype)


def _arange_length(session: Session, start: Any, stop: Any, step: Any) -> Affine:
    if isinstance(step, Number) and step._affine is not None:
        step = int(step)
    if step == 0:
        raise ZeroDivisionError("division by zero")
    distance = stop - start
    is_size = type(distance) is int or (isinstance(distance, Number) and distance._affine is not None)
    if is_size and type(step) is int:
        size = as_affine(distance if step > 0 else -distance)
        if not session.guards.at_least(size, 1):
            return ZERO
        divided = size.divided(abs(step)) if size.terms else None
        if divided is None:
            divided = size if abs(step) == 1 else Affine(-(-session.guards.specialise(size) // abs(step)))
        return settle(session.guards, divided)
    ratio = distance / step
    if not isinstance(ratio, Number):
        return Affine(max(0, int(np.ceil(ratio))))
    negated = ScalarExpr("floordiv", (ScalarExpr("neg", (expression(ratio),)), ScalarExpr.const(1)))
    value = (-ratio._value) // 1
    session.assume(negated, value)
    return Affine(max(0, int(-value)))


def linspace(
    start: Any,
    stop: Any,
    /,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Tracer:
    """Return `num` evenly spaced numbers from `start` to `stop`, by NumPy's formula."""
    session = current()
    check_device(device)
    if retstep or axis != 0:
        raise trace_error("linspace with retstep or axis is not supported in a kernel", "Compute the step yourself.")
    size = as_affine(num)
    if session.guards.less(size, 0):
        raise ValueError(f"Number of samples, {session.guards.hint(size)}, must be non-negative.")
    size = settle(session.guards, size)
    ends = [operand(session, value) for value in (start, stop)]
    if any(o.shape for o in ends):
        raise trace_error("linspace between arrays is not supported in a kernel", "Combine xp.arange with the arrays.")
    computed = checked_dtype(result_type((*(o.kind for o in ends), float)))
    target = computed if dtype is None else checked_dtype(dtype)
    first, last = (o.cast(session, computed) for o in ends)
    make, shape = session.builder.elementwise, (size,)

    def spread(node: Node) -> Node:
        return match_shape(session, node, shape)

    count = (
        session.builder.scalar(ScalarExpr.size(size - 1 if endpoint else size), computed)
        if size.terms
        else (session.builder.const(float(size.const - bool(endpoint)), computed))
    )
    index = iota(session, size, computed)
    delta = make("subtract", last, first)
    if size.terms or size.const - bool(endpoint) > 0:
        step = make("divide", delta, count)
        zero = session.builder.const(0.0, computed)
        # where the step underflows to 0, NumPy divides first
        by_step = make("multiply", index, spread(step))
        by_delta = make("multiply", make("divide", index, spread(count)), spread(delta))
        values = make("where", spread(make("equal", step, zero)), by_delta, by_step)
    else:
        values = make("multiply", index, spread(delta))
    values = make("add", values, spread(first))
    if endpoint and (size.terms or size.const > 1):
        position = iota(session, size, "int64")
        end = (
            session.builder.scalar(ScalarExpr.size(size - 1), "int64")
            if size.terms
            else (session.builder.const(size.const - 1, "int64"))
        )
        values = make("where", make("equal", position, spread(end)), spread(last), values)
    if dtype_kind(target) in "iu":
        values = compute_nodes(session, "floor", [values])
    return fresh(session, session.builder.astype(values, target))


def eye(
    n_rows: Any,
    n_cols: Any = None,
    /,
    k: Any = 0,
    dtype: Any = None,
    order: str = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Tracer:
    """Return ones on diagonal `k`, zeros elsewhere."""
    session = current()
    check_device(device)
    shape = as_shape(session, (n_rows, n_rows if n_cols is None else n_cols))
    name = checked_dtype(np.float64 if dtype is None else dtype)
    on_diagonal = _compare_indices(session, "equal", shape, k)
    return fresh(session, session.builder.astype(on_diagonal, name))


def _compare_indices(session: Session, name: str, shape: Shape, k: Any) -> Node:
    """Return ``row + k <name> column`` for the last two axes of `shape`."""
    builder = session.builder
    offset = number_node(session, expression(k), k._value if isinstance(k, Number) else k, "int64")
    rows = builder.iota(shape[-2])
    rows = builder.elementwise("add", rows, match_shape(session, offset, rows.shape))
    columns = builder.iota(shape[-1])
    both = [match_shape(session, builder.axes(rows, [0, None]), shape), match_shape(session, columns, shape)]
    return builder.elementwise(name, *both)


def _triangle(name: str) -> Callable[..., Tracer]:
    def function(x: Any, /, k: Any = 0) -> Tracer:
        session = current()
        node = asarray(x)._read()
        if node.ndim < 2:
            raise trace_error("tril and triu need an array of two axes or more", "Add an axis first.")
        keep = _compare_indices(session, name, node.shape, k)
        zero = match_shape(session, session.builder.const(0, node.dtype), node.shape)
        return fresh(session, session.builder.elementwise("where", keep, node, zero))

    return function


def meshgrid(*arrays: Any, indexing: str = "xy", sparse: bool = False, copy: bool = True) -> tuple[Tracer, ...]:
    """Return coordinate arrays of one-dimensional `arrays`."""
    session = current()
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    vectors = [asarray(array)._read() for array in arrays]
    vectors = [session.builder.axes(v, [None]) if v.ndim == 0 else v for v in vectors]
    if any(v.ndim != 1 for v in vectors):
        raise trace_error("meshgrid needs one-dimensional arrays", "Flatten them first.")
    places = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        places[:2] = [1, 0]
    shape: list[Affine] = [ZERO] * len(vectors)
    for vector, place in zip(vectors, places, strict=True):
        shape[place] = vector.shape[0]
    result = []
    for vector, place in zip(vectors, places, strict=True):
        node = session.builder.axes(vector, [0 if axis == place else None for axis in range(len(vectors))])
        result.append(fresh(session, node if sparse else match_shape(session, node, tuple(shape))))
    return tuple(result)


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name."""
    return {
        "zeros": _maker(0),
        "ones": _maker(1),
        "empty": _maker(0),
        "full": full,
        "zeros_like": _maker_like(0),
        "ones_like": _maker_like(1),
        "empty_like": _maker_like(0),
        "full_like": full_like,
        "asarray": asarray,
        "arange": arange,
        "linspace": linspace,
        "eye": eye,
        "tril": _triangle("greater_equal"),
        "triu": _triangle("less_equal"),
        "meshgrid": meshgrid,
    }
