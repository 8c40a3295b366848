"""Functions that move elements: views where NumPy gives views, new arrays where it copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xpaccel.graph.affine import Affine, Guards
from xpaccel.graph.node import Node, Shape
from xpaccel.ops import dtype_kind
from xpaccel.trace.creation import as_shape, asarray, check_device
from xpaccel.trace.elementwise import match_shape
from xpaccel.trace.promote import result_type
from xpaccel.trace.reshape import reshaped_shape
from xpaccel.trace.scalar import as_affine
from xpaccel.trace.session import Session, checked_dtype, current
from xpaccel.trace.sizes import (
    ONE,
    ZERO,
    broadcast_shapes,
    common,
    hints,
    normalize_axes,
    normalize_axis,
    settle,
)
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import FUNCTIONS, Tracer, fresh
from xpaccel.trace.view import View


def _viewed(x: Tracer, view: View) -> Tracer:
    return Tracer(x._session, view, scalar=x._scalar and not view.shape)


def _tracer(x: Any) -> Tracer:
    return x if isinstance(x, Tracer) else asarray(x)


def transpose(x: Any, /, axes: Any = None) -> Tracer:
    """Return the view of `x` with its axes permuted, reversed by default."""
    x = _tracer(x)
    order = tuple(range(x.ndim))[::-1] if axes is None else normalize_axes(axes, x.ndim, name="axis in transpose")
    if len(order) != x.ndim:
        raise ValueError("axes don't match array")
    return _viewed(x, x._view.transpose(order))


def method_transpose(x: Tracer, /, *axes: Any) -> Tracer:
    """Return the view of `x` with its axes permuted: ``x.transpose(1, 0)``, ``x.transpose((1, 0))``."""
    if not axes or axes == (None,):
        return transpose(x)
    return transpose(x, axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes)


def permute_dims(x: Any, /, axes: Any) -> Tracer:
    """Return the view of `x` with its axes in that order."""
    return transpose(x, axes)


def matrix_transpose(x: Any, /) -> Tracer:
    """Return the view of `x` with its last two axes exchanged."""
    x = _tracer(x)
    if x.ndim < 2:
        raise ValueError("matrix transpose with ndim < 2 is undefined")
    return swapaxes(x, -1, -2)


def swapaxes(x: Any, axis1: Any, axis2: Any) -> Tracer:
    """Return the view of `x` with two axes exchanged."""
    x = _tracer(x)
    order = list(range(x.ndim))
    first, second = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    order[first], order[second] = second, first
    return _viewed(x, x._view.transpose(order))


def moveaxis(x: Any, source: Any, destination: Any, /) -> Tracer:
    """Return the view of `x` with axes moved to other places."""
    x = _tracer(x)
    sources, places = normalize_axes(source, x.ndim), normalize_axes(destination, x.ndim)
    if len(sources) != len(places):
        raise ValueError("`source` and `destination` arguments must have the same number of elements")
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return _viewed(x, x._view.transpose(order))


def flip(x: Any, /, axis: Any = None) -> Tracer:
    """Return the view of `x` with the order of elements reversed along `axis` (all axes by default)."""
    x = _tracer(x)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axes(axis, x.ndim)
    index = [(None, None, -1 if k in axes else 1) for k in range(x.ndim)]
    return _viewed(x, x._view.select(x._session, index))


def squeeze(x: Any, /, axis: Any = None) -> Tracer:
    """Return the view of `x` without the given axes, of size 1 (all such axes by default)."""
    x = _tracer(x)
    shape = x._view.shape
    axes = tuple(k for k, size in enumerate(shape) if size == ONE) if axis is None else normalize_axes(axis, x.ndim)
    if any(shape[k] != ONE for k in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return _viewed(x, x._view.transpose([k for k in range(x.ndim) if k not in axes]))


def expand_dims(x: Any, /, axis: Any = 0) -> Tracer:
    """Return the view of `x` with new axes of size 1 at `axis` of the result."""
    x = _tracer(x)
    given = axis if isinstance(axis, tuple | list) else (axis,)
    places = normalize_axes(given, x.ndim + len(given))
    rest = iter(range(x.ndim))
    order = [None if k in places else next(rest) for k in range(x.ndim + len(places))]
    return Tracer(x._session, x._view.transpose(order))


def broadcast_to(x: Any, /, shape: Any, subok: bool = False) -> Tracer:
    """Return the read-only view of `x` broadcast to `shape`."""
    session = current()
    x = _tracer(x)
    target = as_shape(session, shape)
    both = broadcast_shapes(session.guards, [target, x._view.shape]) if x.ndim <= len(target) else None
    if both is None or any(common(session.guards, a, b) is None for a, b in zip(both, target, strict=True)):
        given, wanted = hints(session.guards, x._view.shape), hints(session.guards, target)
        raise ValueError(
            "operands could not be broadcast together with remapped shapes [original->remapped]: "
            f"{given} and requested shape {wanted}"
        )
    return Tracer(session, x._view.broadcast(target))


def broadcast_arrays(*arrays: Any, subok: bool = False) -> tuple[Tracer, ...]:
    """Return views of `arrays`, broadcast against one another."""
    session = current()
    tracers = [_tracer(x) for x in arrays]
    shape = broadcast_shapes(session.guards, [x._view.shape for x in tracers])
    return tuple(Tracer(session, x._view.broadcast(shape)) for x in tracers)


def reshape(x: Any, /, shape: Any = None, order: Any = "C", *, copy: bool | None = None) -> Tracer:
    """Return the elements of `x`, in C order, in another shape."""
    session = current()
    x = _tracer(x)
    if order not in ("C", None):
        raise trace_error(f"reshape in order {order!r} is not supported in a kernel", "Transpose, reshape, transpose.")
    source = x._view.shape
    target = reshaped_shape(session.guards, source, shape)
    view = _by_ones(session.guards, x._view, target)
    if view is not None and not copy:
        return _viewed(x, view)
    if copy is False:
        raise trace_error(
            "whether this reshape can do without a copy is not known while the kernel is traced",
            "Leave out copy=False.",
        )
    node = session.builder.reshape(_constant_sizes(session, x._read(), target), target)
    result = fresh(session, node, scalar=x._scalar)
    if not copy and not x._scalar:
        x._view.buffer.relate(result._view.buffer)
    return result


def _constant_sizes(session: Session, node: Node, target: Shape) -> Node:
    """Return `node` with sizes that are known to be constant spelled so, where the target's all are."""
    if any(size.terms for size in target) or not any(size.terms for size in node.shape):
        return node
    shape = [Affine(session.guards.specialise(size)) for size in node.shape]
    return session.builder.slice(node, [0] * node.ndim, [1] * node.ndim, shape)


def _by_ones(guards: Guards, view: View, target: Shape) -> View | None:
    """Return the view of shape `target` where it differs from `view` by axes of size 1 alone."""
    kept = [axis for axis, size in enumerate(view.shape) if size != ONE]
    wanted = [size for size in target if size != ONE]
    pairs = list(zip((view.shape[axis] for axis in kept), wanted, strict=False))
    if len(kept) != len(wanted) or any(guards.hint(a) != guards.hint(b) for a, b in pairs):
        return None
    if any(common(guards, a, b) is None for a, b in pairs):
        return None
    if len(view.shape) == len(target) and kept == [k for k, size in enumerate(target) if size != ONE]:
        return view.transpose(range(len(target)))
    rest = iter(kept)
    return view.transpose([None if size == ONE else next(rest) for size in target])


def method_reshape(x: Tracer, /, *shape: Any, order: Any = "C", copy: bool | None = None) -> Tracer:
    """Return `x` in another shape: ``x.reshape(2, -1)``, ``x.reshape((2, -1))``."""
    single = len(shape) == 1 and isinstance(shape[0], tuple | list)
    return reshape(x, shape[0] if single else shape, order, copy=copy)


def ravel(x: Any, /, order: Any = "C") -> Tracer:
    """Return `x` with one axis."""
    return reshape(x, -1, order)


def flatten(x: Any, /, order: Any = "C") -> Tracer:
    """Return a copy of `x` with one axis."""
    return reshape(x, -1, order, copy=True)


def _shift(session: Session, shift: Affine, size: Affine) -> Affine:
    """Return `shift` modulo `size` (which is not 0), as a size in ``0 .. size-1``."""
    guards = session.guards
    if abs(guards.hint(shift)) > 2 * guards.hint(size):
        return Affine(guards.specialise(shift) % guards.specialise(size))
    while guards.less(shift, 0):
        shift = shift + size
    while guards.at_least(shift, size):
        shift = shift - size
    return shift


def roll(x: Any, /, shift: Any, axis: Any = None) -> Tracer:
    """Return `x` with elements moved cyclically along `axis` (flattened, by default)."""
    session = current()
    x = _tracer(x)
    if axis is None:
        flat = roll(flatten(x), shift, 0)
        return fresh(session, session.builder.reshape(flat._read(), _flat_target(session, x, flat)))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    shifts = shift if isinstance(shift, tuple | list) else (shift,)
    if len(shifts) != len(axes):
        if 1 not in (len(shifts), len(axes)):
            raise ValueError("shape mismatch: objects cannot be broadcast to a single shape")
        longest = max(len(shifts), len(axes))
        axes, shifts = tuple(axes) * (longest // len(axes)), tuple(shifts) * (longest // len(shifts))
    totals: dict[int, Affine] = {}
    for one_shift, one_axis in zip(shifts, axes, strict=True):
        place = normalize_axis(one_axis, x.ndim)
        totals[place] = totals.get(place, ZERO) + as_affine(one_shift)
    node = x._read()
    for place, total in totals.items():
        size = node.shape[place]
        if total != ZERO and not session.guards.equal(size, 0):
            node = session.builder.roll(node, place, _shift(session, total, size))
    return fresh(session, node)


def _flat_target(session: Session, x: Tracer, flat: Tracer) -> Shape:
    if any(size.terms for size in flat._view.shape):
        return x._view.shape
    return tuple(Affine(session.guards.specialise(size)) for size in x._view.shape)


def concat(arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """Return `arrays` one after the other along `axis` (each flattened, where it is None)."""
    session = current()
    tracers = [_tracer(x) for x in arrays]
    if not tracers:
        raise ValueError("need at least one array to concatenate")
    if out is not None or casting != "same_kind":
        raise trace_error("concat with out= or casting= is not supported in a kernel", "Assign the result instead.")
    if axis is None:
        tracers, axis = [flatten(x) for x in tracers], 0
    name = checked_dtype(dtype) if dtype is not None else result_type(tuple(x.dtype.name for x in tracers))
    checked_dtype(name)
    if tracers[0].ndim == 0:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    if any(x.ndim != tracers[0].ndim for x in tracers):
        raise ValueError("all the input array dimensions except for the concatenation axis must match exactly")
    place = normalize_axis(axis, tracers[0].ndim)
    nodes = [session.builder.astype(x._read(), name) for x in tracers]
    return fresh(session, joined(session, nodes, place))


def joined(session: Session, nodes: Sequence[Node], axis: int) -> Node:
    """Return `nodes`, of one dtype, in sequence along `axis`; raise ValueError where the others differ."""
    guards = session.guards
    shape = list(nodes[0].shape)
    for node in nodes[1:]:
        for k, size in enumerate(node.shape):
            if k == axis:
                continue
            both = common(guards, shape[k], size)
            if both is None:
                raise ValueError(
                    "all the input array dimensions except for the concatenation axis must match exactly, "
                    f"but along dimension {k}, the array at index 0 has size {guards.hint(shape[k])} "
                    f"and another {guards.hint(size)}"
                )
            shape[k] = both
    parts = []
    for node in nodes:
        if guards.hint(node.shape[axis]) == 0 and len(nodes) > 1:
            guards.specialise(node.shape[axis])  # an empty part is left out
            continue
        parts.append(match_shape(session, node, (*shape[:axis], node.shape[axis], *shape[axis + 1 :])))
    if not parts:
        return match_shape(session, nodes[0], (*shape[:axis], nodes[0].shape[axis], *shape[axis + 1 :]))
    if len(parts) > 1:
        total = sum((part.shape[axis] for part in parts), ZERO)
        settle(guards, total)
    return session.builder.concat(parts, axis)


def stack(arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """Return `arrays` of one shape in sequence along a new axis."""
    tracers = [_tracer(x) for x in arrays]
    if not tracers:
        raise ValueError("need at least one array to stack")
    guards = current().guards
    for x in tracers[1:]:
        first, other = tracers[0]._view.shape, x._view.shape
        if len(first) != len(other) or any(common(guards, a, b) is None for a, b in zip(first, other, strict=True)):
            raise ValueError("all input arrays must have the same shape")
    place = normalize_axis(axis, tracers[0].ndim + 1)
    return concat([expand_dims(x, place) for x in tracers], place, out, dtype=dtype, casting=casting)


def _at_least(ndim: int, x: Any) -> Tracer:
    x = _tracer(x)
    return x if x.ndim >= ndim else reshape(x, (1,) * (ndim - x.ndim) + x.shape)


def atleast_1d(*arrays: Any) -> Any:
    """Return views of one axis at least."""
    result = tuple(_at_least(1, x) for x in arrays)
    return result[0] if len(result) == 1 else result


def atleast_2d(*arrays: Any) -> Any:
    """Return views of two axes at least."""
    result = tuple(_at_least(2, x) for x in arrays)
    return result[0] if len(result) == 1 else result


def hstack(arrays: Any, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """Return `arrays` side by side."""
    parts = [_at_least(1, x) for x in arrays]
    return concat(parts, 0 if parts and parts[0].ndim == 1 else 1, dtype=dtype, casting=casting)


def vstack(arrays: Any, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """Return `arrays` one below the other."""
    return concat([_at_least(2, x) for x in arrays], 0, dtype=dtype, casting=casting)


def unstack(x: Any, /, *, axis: Any = 0) -> tuple[Tracer, ...]:
    """Return the views of `x` at each place of `axis`."""
    x = _tracer(x)
    if x.ndim == 0:
        raise ValueError("Input array must be at least 1-d.")
    return tuple(moveaxis(x, axis, 0))


def astype(
    x: Any,
    dtype: Any,
    order: Any = "K",
    casting: str = "unsafe",
    subok: bool = True,
    copy: bool = True,
    *,
    device: Any = None,
) -> Tracer:
    """Return `x` converted to `dtype`; a new array, unless ``copy=False`` and it has that dtype."""
    session = current()
    check_device(device)
    x = _tracer(x)
    name = checked_dtype(dtype)
    if not np.can_cast(x.dtype, name, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"Cannot cast array data from {x.dtype!r} to {np.dtype(name)!r} according to the rule {casting!r}"
        )
    if dtype_kind(x.dtype.name) == "c" and dtype_kind(name) != "c":
        raise trace_error(f"converting {x.dtype.name} to {name} drops the imaginary part", "Take xp.real(x) first.")
    assert isinstance(x, Tracer)
    if name == x.dtype.name and not copy:
        return x
    return fresh(session, session.builder.astype(x._read(), name), scalar=x._scalar)


def standard_astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tracer:
    """Return `x` converted to `dtype`."""
    return astype(x, dtype, copy=copy, device=device)


def copy(x: Any, /, order: Any = "K", subok: bool = False) -> Tracer:
    """Return a copy of `x`."""
    return fresh(current(), _tracer(x)._read())


def method_copy(x: Tracer, /, order: Any = "C") -> Tracer:
    """Return a copy of `x`."""
    return fresh(current(), x._read(), scalar=x._scalar)


def as_contiguous(x: Any, /, dtype: Any = None, **ignored: Any) -> Tracer:
    """Return `x` in C order, which may be `x` itself or a copy."""
    session = current()
    x = _tracer(x)
    if dtype is not None and checked_dtype(dtype) != x.dtype.name:
        return astype(x, dtype)
    result = fresh(session, x._read())
    x._view.buffer.relate(result._view.buffer)
    return result


def fill(x: Tracer, value: Any, /) -> None:
    """Set every element of `x`."""
    x[...] = value


def diff(x: Any, /, n: int = 1, axis: Any = -1, prepend: Any = None, append: Any = None) -> Tracer:
    """Return the differences of neighbours along `axis`, `n` times."""
    x = _tracer(x)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    place = normalize_axis(axis, x.ndim)
    parts = [x]
    for extra, at_start in ((prepend, True), (append, False)):
        if extra is not None:
            part = _tracer(extra)
            if part.ndim == 0:
                part = broadcast_to(part, (*x.shape[:place], 1, *x.shape[place + 1 :]))
            parts.insert(0 if at_start else len(parts), part)
    if len(parts) > 1:
        x = concat(parts, place)
    before, after = [slice(None)] * x.ndim, [slice(None)] * x.ndim
    after[place], before[place] = slice(1, None), slice(None, -1)
    name = "not_equal" if x.dtype == np.bool else "subtract"
    for _ in range(n):
        x = FUNCTIONS[name](x[tuple(after)], x[tuple(before)])
    result: Tracer = x
    return result


def pad(x: Any, /, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Tracer:
    """Return `x` with elements added at the ends: a constant, the edge's, or the opposite side's."""
    session = current()
    x = _tracer(x)
    if mode not in ("constant", "edge", "wrap"):
        raise trace_error(
            f"pad with mode {mode!r} is not supported in a kernel",
            "Supported are constant, edge and wrap; or concat slices.",
        )
    if isinstance(pad_width, dict):
        raise trace_error("pad with a dictionary is not supported in a kernel", "Give ((before, after), ...).")
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    values = np.broadcast_to(np.asarray(constant_values), (x.ndim, 2)).tolist() if mode == "constant" else []
    for axis in range(x.ndim):
        before, after = widths[axis]
        if before < 0 or after < 0:
            raise ValueError("index can't contain negative values")

        def block(start: Any, stop: Any, axis: int = axis) -> tuple[Any, ...]:
            return (*(slice(None),) * axis, slice(start, stop), ...)

        size = x._view.shape[axis]
        if mode == "wrap" and not session.guards.at_least(size, max(before, after)):
            raise trace_error("pad with mode 'wrap' by more than the array's size is not supported", "Pad in steps.")
        if mode == "edge" and not session.guards.at_least(size, 1) and (before or after):
            raise ValueError(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'")
        parts = [x]
        for width, at_start in ((before, True), (after, False)):
            if not width:
                continue
            shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
            if mode == "constant":
                piece = FUNCTIONS["full"](shape, values[axis][not at_start], dtype=x.dtype)
            elif mode == "edge":
                piece = broadcast_to(x[block(0, 1) if at_start else block(-1, None)], shape)
            else:
                piece = x[block(-width, None) if at_start else block(0, width)]
            parts.insert(0 if at_start else len(parts), piece)
        x = concat(parts, axis) if len(parts) > 1 else x
    return fresh(session, x._read())


def tile(x: Any, repetitions: Any, /) -> Tracer:
    """Return `x` repeated as a whole, so many times along each axis."""
    x = _tracer(x)
    counts = [int(n) for n in (repetitions if isinstance(repetitions, tuple | list) else (repetitions,))]
    result = _at_least(len(counts), x)
    counts = [1] * (result.ndim - len(counts)) + counts
    if any(n < 1 for n in counts):
        raise trace_error("tile by 0 is not supported in a kernel", "Make an empty array: xp.zeros(shape).")
    for axis, count in enumerate(counts):
        if count > 1:
            result = concat([result] * count, axis)
    return fresh(current(), result._read())


def repeat(x: Any, repeats: Any, /, *, axis: Any = None) -> Tracer:
    """Return `x` with each element `repeats` times along `axis` (flattened, by default)."""
    if not isinstance(repeats, int):
        raise trace_error("repeat by an array of counts is not supported in a kernel", "Repeat by one Python int.")
    x = _tracer(x)
    if axis is None:
        x, axis = flatten(x), 0
    place = normalize_axis(axis, x.ndim)
    assert isinstance(x, Tracer)
    shape = x.shape
    wide = broadcast_to(expand_dims(x, place + 1), (*shape[: place + 1], repeats, *shape[place + 1 :]))
    return reshape(wide, (*shape[:place], shape[place] * repeats, *shape[place + 1 :]), copy=True)


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name; ``method NAME`` is the method where it differs."""
    return {
        "transpose": transpose,
        "method transpose": method_transpose,
        "permute_dims": permute_dims,
        "matrix_transpose": matrix_transpose,
        "swapaxes": swapaxes,
        "moveaxis": moveaxis,
        "flip": flip,
        "squeeze": squeeze,
        "expand_dims": expand_dims,
        "broadcast_to": broadcast_to,
        "broadcast_arrays": broadcast_arrays,
        "reshape": reshape,
        "method reshape": method_reshape,
        "ravel": ravel,
        "flatten": flatten,
        "roll": roll,
        "concat": concat,
        "stack": stack,
        "hstack": hstack,
        "vstack": vstack,
        "atleast_1d": atleast_1d,
        "atleast_2d": atleast_2d,
        "unstack": unstack,
        "astype": standard_astype,
        "method astype": astype,
        "copy": copy,
        "method copy": method_copy,
        "ascontiguousarray": as_contiguous,
        "fill": fill,
        "diff": diff,
        "pad": pad,
        "tile": tile,
        "repeat": repeat,
    }
