"""Elementwise functions: one for each row of the op table, and what NumPy adds to their meaning.

NumPy decides in which dtypes an operation computes; what is left here is to put the operands into
that form, and the few cases in which NumPy's loop for a dtype is another operation (adding booleans
is ``or``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xpaccel.graph.node import Node, Shape
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.ops import OPS, dtype_kind, in_category
from xpaccel.trace.promote import Operand, operand, resolve, result_type
from xpaccel.trace.scalar import Number
from xpaccel.trace.session import Session, check_session, checked_dtype, current
from xpaccel.trace.sizes import ONE, broadcast_shapes, common, hints
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import Tracer, fresh

#: What NumPy's loop for booleans does, under another operation's name; "" for nothing.
_ON_BOOLS = {
    "add": "logical_or",
    "multiply": "logical_and",
    "maximum": "logical_or",
    "minimum": "logical_and",
    "abs": "",
    "floor": "",
    "ceil": "",
    "trunc": "",
}
_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
_CLASSIFY = {"isnan": False, "isinf": False, "isfinite": True}


def match_shape(session: Session, node: Node, shape: Shape) -> Node:
    """Return `node` broadcast to `shape`, to which it is known to broadcast."""
    builder = session.builder
    if node.shape == shape:
        return node
    lead = len(shape) - node.ndim
    named = tuple(target if size != ONE else size for size, target in zip(node.shape, shape[lead:], strict=True))
    if named != node.shape:  # the same sizes by other names
        node = builder.slice(node, [0] * node.ndim, [1] * node.ndim, named)
    return builder.broadcast(node, shape)


def spread(session: Session, node: Node, axes: Sequence[int], shape: Shape) -> Node:
    """Return `node` broadcast to `shape`, of which `axes` are its own."""
    order = [axes.index(axis) if axis in axes else None for axis in range(len(shape))]
    return session.builder.broadcast(session.builder.axes(node, order), shape)


def compute(session: Session, name: str, operands: list[Operand]) -> Node:
    """Return operation `name` of `operands`, broadcast and converted as NumPy's ufunc does it."""
    literal = _compare_beyond_range(session, name, operands)
    if literal is not None:
        return literal
    shape = broadcast_shapes(session.guards, [o.shape for o in operands])
    if name.startswith("logical_"):
        dtypes: tuple[str, ...] = ("bool",) * (len(operands) + 1)
    else:
        dtypes = resolve(name, tuple(o.kind for o in operands))
        if dtypes[-1] == "bool":  # a predicate gives the same answer in a wider dtype
            dtypes = tuple("float32" if dtype == "float16" else dtype for dtype in dtypes)
        for dtype in dtypes:
            checked_dtype(dtype)
    inputs = [
        match_shape(
            session,
            _truth(session, o) if dtypes[0] == "bool" and name.startswith("logical_") else o.cast(session, dtype),
            shape,
        )
        for o, dtype in zip(operands, dtypes, strict=False)
    ]
    return compute_nodes(session, name, inputs)


def _truth(session: Session, o: Operand) -> Node:
    if o.node is None:
        assert o.expr is not None
        truth = o.expr if isinstance(o.value, bool) else ScalarExpr("bool", (o.expr,))
        if o.expr.op == "const":
            return session.builder.const(bool(o.value), "bool")
        return session.builder.scalar(truth, "bool")
    return session.builder.astype(o.node, "bool")


def compute_nodes(session: Session, name: str, inputs: list[Node]) -> Node:
    """Return operation `name` of nodes that have one shape and the dtypes of NumPy's loop."""
    builder = session.builder
    dtype = inputs[-1].dtype
    kind = dtype_kind(dtype)
    if kind == "b":
        if name in _ON_BOOLS:
            name = _ON_BOOLS[name]
            if not name:
                return inputs[0]
        elif name in _COMPARISONS[2:]:
            inputs = [builder.astype(node, "uint8") for node in inputs]
        elif name in _CLASSIFY:
            return match_shape(session, builder.const(_CLASSIFY[name], "bool"), inputs[0].shape)
    elif name in ("floor", "ceil", "trunc", "round") if kind in "iu" else name in ("conj", "real") and kind != "c":
        return inputs[0]
    elif kind != "c" and name == "imag":
        return match_shape(session, builder.const(0, dtype), inputs[0].shape)
    elif kind == "u" and name == "abs":
        return inputs[0]
    if len({node.dtype for node in inputs}) > 1:
        return _compare_signed_unsigned(session, name, inputs)
    if not in_category(inputs[-1].dtype, OPS[name].accepts):
        advice = "Convert it first: xp.astype(x, xp.float64)."
        if kind == "c":
            advice = "Take xp.real(x), xp.imag(x) or xp.abs(x) first."
        raise trace_error(f"{name} of {dtype} arrays is not supported in a kernel", advice)
    return builder.elementwise(name, *inputs)


def _compare_signed_unsigned(session: Session, name: str, inputs: list[Node]) -> Node:
    """Compare int64 with uint64 by value, as NumPy does."""
    assert name in _COMPARISONS, name
    builder = session.builder
    swapped = inputs[0].dtype == "uint64"
    signed, unsigned = inputs[::-1] if swapped else inputs
    negative = builder.elementwise("less", signed, match_shape(session, builder.const(0, "int64"), signed.shape))
    both = [builder.astype(signed, "uint64"), unsigned]
    result = builder.elementwise(name, *(both[::-1] if swapped else both))
    below = (
        name in ("not_equal", "greater", "greater_equal") if swapped else name in ("not_equal", "less", "less_equal")
    )
    if below:
        return builder.elementwise("logical_or", negative, result)
    return builder.elementwise("logical_and", builder.elementwise("logical_not", negative), result)


def _compare_beyond_range(session: Session, name: str, operands: list[Operand]) -> Node | None:
    """Return a comparison with a Python int that the array's dtype cannot hold: it has one answer."""
    if name not in _COMPARISONS or sum(o.node is None for o in operands) != 1:
        return None
    number, array = operands if operands[0].node is None else operands[::-1]
    if number.kind is not int or dtype_kind(str(array.kind)) not in "iu":
        return None
    info = np.iinfo(str(array.kind))
    least, most = int(info.min), int(info.max)
    assert number.expr is not None
    assert array.node is not None
    for beyond, op, bound in (("below", "lt", least), ("above", "gt", most)):
        outside = number.value < least if beyond == "below" else number.value > most
        if number.expr.op != "size":
            session.assume(ScalarExpr(op, (number.expr, ScalarExpr.const(bound))), outside)
        if outside:
            number_is_left = operands[0].node is None
            array_is_greater = beyond == "below"
            if name in ("equal", "not_equal"):
                answer = name == "not_equal"
            else:
                answer = (name.startswith("greater") == array_is_greater) != number_is_left
            return match_shape(session, session.builder.const(answer, "bool"), array.shape)
    return None


def is_zero_d(operands: list[Operand]) -> bool:
    """Whether NumPy gives a NumPy scalar: every operand is 0-d."""
    return all(not o.shape for o in operands)


def apply(name: str, *values: Any) -> Tracer:
    """Return operation `name` of the op table on arrays, numbers and traced ones.

    Parameters
    ----------
    name
        A row of the op table.
    *values
        Its arguments.

    Returns
    -------
    Tracer
        A new array, of the dtype and shape that NumPy gives.
    """
    session = current()
    operands = [operand(session, value) for value in values]
    return fresh(session, compute(session, name, operands), scalar=is_zero_d(operands))


def power(x: Any, y: Any) -> Tracer:
    """Return ``x**y``, by multiplication where the source spells out a small exponent."""
    session = current()
    base, exponent = operand(session, x), operand(session, y)
    dtypes = resolve("pow", (base.kind, exponent.kind))
    if exponent.kind is int and dtype_kind(dtypes[0]) in "iu":
        assert exponent.expr is not None
        if exponent.expr.op != "const":
            session.assume(ScalarExpr("lt", (exponent.expr, ScalarExpr.const(0))), exponent.value < 0)
        if exponent.value < 0:
            raise ValueError("Integers to negative integer powers are not allowed.")
    elif dtype_kind(dtypes[0]) == "i" and exponent.node is not None and dtype_kind(exponent.node.dtype) == "i":
        raise trace_error(
            "cannot raise integers to an array of signed integers: NumPy raises if one is negative, which shows only "
            "when the kernel runs",
            "Make the exponents unsigned (xp.astype(n, xp.uint8)) or the base floating.",
        )
    scalar = is_zero_d([base, exponent])
    kind = dtype_kind(dtypes[0])
    if exponent.is_literal and base.node is not None:
        node = session.builder.astype(base.node, checked_dtype(dtypes[0]))
        found = _by_multiplication(session, node, exponent.value, kind)
        if found is not None:
            return fresh(session, found, scalar=scalar)
    return fresh(session, compute(session, "pow", [base, exponent]), scalar=scalar)


def power_operator(x: Any, y: Any) -> Tracer:
    """Return ``x ** y``, which differs from ``np.power(x, y)`` for the square of booleans alone."""
    if isinstance(x, Tracer) and not x._scalar and x.dtype == np.bool:
        is_int = type(y) is int or (isinstance(y, Number) and isinstance(y._value, int))
        if is_int and y == 2:
            return apply("square", x)
    return power(x, y)


def _by_multiplication(session: Session, x: Node, exponent: Any, kind: str) -> Node | None:
    make = session.builder.elementwise
    if kind in "fc":
        if exponent == 0.5:
            return make("sqrt", x)
        if exponent == -1:
            return make("reciprocal", x)
    if exponent == 1:
        return x
    if exponent == 2:
        return make("square", x)
    if exponent == 3:
        return make("multiply", make("square", x), x)
    if exponent == 4:
        return make("square", make("square", x))
    return None


def positive(x: Any) -> Tracer:
    """Return a copy of `x`."""
    session = current()
    o = operand(session, x)
    resolve("positive", (o.kind,))
    return fresh(session, o.cast(session, resolve("positive", (o.kind,))[0]), scalar=not o.shape)


def where(condition: Any, x1: Any = None, x2: Any = None, /) -> Tracer:
    """Return `x1` where `condition` holds and `x2` elsewhere."""
    session = current()
    if x1 is None or x2 is None:
        raise trace_error(
            "where with a condition alone has a result whose size is known only when the kernel runs",
            "Give both values: xp.where(condition, a, b).",
        )
    c, a, b = (operand(session, value) for value in (condition, x1, x2))
    dtype = checked_dtype(result_type((a.kind, b.kind)))
    shape = broadcast_shapes(session.guards, [c.shape, a.shape, b.shape])
    inputs = [_truth(session, c), a.cast(session, dtype), b.cast(session, dtype)]
    return fresh(session, session.builder.elementwise("where", *(match_shape(session, n, shape) for n in inputs)))


def clip(x: Any, /, min: Any = None, max: Any = None) -> Tracer:
    """Return `x` limited to ``min .. max``; either may be None."""
    session = current()
    operands = [operand(session, value) for value in (x, min, max) if value is not None]
    dtype = result_type(tuple(o.kind for o in operands))
    checked_dtype(dtype)
    shape = broadcast_shapes(session.guards, [o.shape for o in operands])
    nodes = [match_shape(session, o.cast(session, dtype), shape) for o in operands]
    result = nodes[0]
    bounds = [name for name, value in (("less", min), ("greater", max)) if value is not None]
    for name, bound, node in zip(bounds, operands[1:], nodes[1:], strict=True):
        if bound.is_literal and bound.value == bound.value and dtype_kind(dtype) == "f":
            # as NumPy does it for constant bounds: -0.0 is not below 0.0, and stays
            outside = compute_nodes(session, name, [result, node])
            result = session.builder.elementwise("where", outside, node, result)
        else:
            result = compute_nodes(session, "maximum" if name == "less" else "minimum", [result, node])
    return fresh(session, result, scalar=is_zero_d(operands))


def round_(x: Any, /, decimals: int = 0) -> Tracer:
    """Return `x` rounded to the nearest whole number, half to even."""
    session = current()
    if decimals != 0:
        raise trace_error(
            "rounding to decimals is not supported in a kernel", "Scale instead: xp.round(x * 100) / 100."
        )
    o = operand(session, x)
    scalar = not o.shape
    if isinstance(o.kind, str) and dtype_kind(o.kind) in "iu":
        return fresh(session, o.cast(session, o.kind), scalar=scalar)
    return fresh(session, compute(session, "round", [o]), scalar=scalar)


def part(name: str) -> Callable[[Any], Tracer]:
    """Return the function ``real`` or ``imag``."""

    def function(x: Any, /) -> Tracer:
        session = current()
        o = operand(session, x)
        dtype = str(o.kind) if o.node is not None else result_type((o.kind,))
        result = fresh(session, compute_nodes(session, name, [o.cast(session, dtype)]), scalar=not o.shape)
        if isinstance(x, Tracer) and dtype_kind(dtype) == "c" and not x._scalar:
            x._view.buffer.relate(result._view.buffer)  # NumPy gives a view
        return result

    function.__name__ = name
    return function


def value_for(session: Session, value: Any, dtype: str, shape: Shape) -> Node:
    """Return `value` as what an assignment puts into an array of `dtype` and `shape`."""
    o = operand(session, value)
    if o.node is None:
        assert o.expr is not None
        kind = dtype_kind(dtype)
        if o.kind is complex and kind != "c":
            raise TypeError("float() argument must be a string or a real number, not 'complex'")
        if o.kind is float and kind in "iub":
            node = session.builder.astype(o.cast(session, "float64"), dtype)
        elif o.kind is int and kind == "b":
            node = _truth(session, o)
        else:
            node = o.cast(session, dtype)
    else:
        if dtype_kind(o.node.dtype) == "c" and dtype_kind(dtype) != "c":
            raise trace_error(
                f"a {o.node.dtype} value was assigned to a {dtype} array, which drops the imaginary part",
                "Say so: xp.real(value).",
            )
        node = session.builder.astype(o.node, dtype)
    return fit_assignment(session, node, shape)


def fit_assignment(session: Session, node: Node, shape: Shape) -> Node:
    """Return `node` broadcast to the `shape` that is assigned to; raise ValueError where NumPy does."""
    extra = node.ndim - len(shape)
    if extra > 0 and all(size == ONE for size in node.shape[:extra]):
        node = session.builder.axes(node, list(range(extra, node.ndim)))
    fits = node.ndim <= len(shape)
    if fits:
        for size, target in zip(reversed(node.shape), reversed(shape), strict=False):
            if size != ONE and common(session.guards, size, target) is None:
                fits = False
                break
    if not fits:
        given, wanted = hints(session.guards, node.shape), hints(session.guards, shape)
        raise ValueError(f"could not broadcast input array from shape {given} into shape {wanted}")
    return match_shape(session, node, shape)


def in_place(name: str, x: Tracer, value: Any) -> Any:
    """Do ``x += value`` and the like: compute as NumPy does, and write the result into `x`."""
    from xpaccel.trace.tracer import FUNCTIONS

    if x._scalar:
        return FUNCTIONS[name](x, value)  # a NumPy scalar: the name is bound to a new one
    result = FUNCTIONS[name](x, value)
    write_out(result, x, name)
    return x


def write_out(result: Tracer, out: Tracer, name: str) -> None:
    """Write the result of function `name` into `out`, as NumPy's ``out=`` does."""
    session = current()
    check_session(out._session, "a traced array")
    node = result._read()
    target = out.dtype.name
    if not np.can_cast(node.dtype, target, "same_kind"):
        raise trace_error(
            f"{name} gives {node.dtype}, which NumPy does not write into {target} (UFuncTypeError)",
            f"Convert one side: x[...] = xp.astype(value, x.dtype), or make the array {node.dtype}.",
        )
    shape = out._view.shape
    fits = len(node.shape) <= len(shape)
    if not fits or broadcast_or_none(session, node.shape, shape) != shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {hints(session.guards, shape)} doesn't match the "
            f"broadcast shape {hints(session.guards, node.shape)}"
        )
    out._write(match_shape(session, session.builder.astype(node, target), shape))


def broadcast_or_none(session: Session, shape: Shape, target: Shape) -> Shape | None:
    """Return `target` where `shape` broadcasts to it, None otherwise."""
    for size, wanted in zip(reversed(shape), reversed(target), strict=False):
        if size != ONE and common(session.guards, size, wanted) is None:
            return None
    return target


def table() -> dict[str, Callable[..., Any]]:
    """Return every elementwise function by its name in the standard."""

    def function(name: str) -> Callable[..., Tracer]:
        def call(*values: Any) -> Tracer:
            if len(values) != OPS[name].arity:
                raise TypeError(f"{name}() takes {OPS[name].arity} positional arguments but {len(values)} were given")
            return apply(name, *values)

        call.__name__ = name
        call.__doc__ = f"Return {name} of arrays, element by element, as ``numpy.{OPS[name].numpy}``."
        return call

    functions: dict[str, Callable[..., Any]] = {name: function(name) for name in OPS}
    functions.update(
        pow=power,
        power_operator=power_operator,
        positive=positive,
        where=where,
        clip=clip,
        round=round_,
        real=part("real"),
        imag=part("imag"),
        in_place=in_place,
    )
    return functions
