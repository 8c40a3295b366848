"""The slow interpreter of graphs: what a graph means, one node at a time, with NumPy.

It is the oracle of every pass and every target, so it does nothing clever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xpaccel.errors import out_of_bounds
from xpaccel.graph.affine import Affine, Symbol
from xpaccel.graph.calls import evaluate
from xpaccel.graph.graph import Graph
from xpaccel.graph.node import Node
from xpaccel.graph.scalar import compile_scalars, literal
from xpaccel.ops import OPS

Array = np.ndarray[Any, Any]
#: ``rule(node, inputs, shape, number)`` with the evaluated inputs, the shape, and what evaluates sizes.
Rule = Callable[[Node, Sequence[Array], tuple[int, ...], Callable[[Affine], int]], Array]

_REDUCE: dict[str, np.ufunc] = {
    "sum": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "any": np.logical_or,
    "all": np.logical_and,
}


def interpret(
    graph: Graph, arrays: Sequence[Array], scalars: Sequence[Any] = ()
) -> tuple[list[Array], dict[int, Array]]:
    """Evaluate a graph.

    Parameters
    ----------
    graph
        The array program.
    arrays
        By slot: the array arguments, then the captured arrays. None is changed. Their sizes may
        differ from those of the trace as long as the graph's guards hold.
    scalars
        By slot: the values of scalar arguments.

    Returns
    -------
    outputs : list of ndarray
        The values of ``graph.outputs``.
    writes : dict
        For each argument that is written, by slot: what it holds at the end.
    """
    sizes = {symbol: arrays[symbol[0]].shape[symbol[1]] for symbol in graph.guards.hints}
    values: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in graph.nodes():
            values[node] = _evaluate(node, values, arrays, scalars, sizes)
    return [values[node].copy() for node in graph.outputs], {slot: values[node].copy() for slot, node in graph.writes}


def _evaluate(
    node: Node,
    values: Mapping[Node, Array],
    arrays: Sequence[Array],
    scalars: Sequence[Any],
    sizes: Mapping[Symbol, int],
) -> Array:
    shape = tuple(size.value(sizes) for size in node.shape)
    if node.op == "input":
        result = np.array(arrays[node.params[0]])
    elif node.op == "scalar":
        result = number(compile_scalars(node.params)(scalars, sizes)[0], node.dtype)
    else:
        inputs = [values[item] for item in node.inputs]
        rule = _elementwise if node.op in OPS else _RULES[node.op]
        result = rule(node, inputs, shape, lambda size: size.value(sizes))
    if result.shape != shape or result.dtype != node.dtype:
        raise AssertionError(f"{node!r} gave {result.dtype}{list(result.shape)}, expected {node.dtype}{list(shape)}")
    return result


def number(value: Any, dtype: str) -> Array:
    """Return a Python number as a 0-d array, as NumPy converts a weakly typed one.

    Raises
    ------
    OverflowError
        If it is an int that does not fit.
    """
    return np.asarray(np.dtype(dtype).type(value))


def _elementwise(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    return np.asarray(getattr(np, OPS[node.op].numpy)(*inputs))


def _const(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    return number(literal(node.params[0]), node.dtype)


def _astype(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    return inputs[0].astype(node.dtype)


def _iota(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    return np.arange(shape[0], dtype=np.int64)


def _indices(
    box: Sequence[tuple[Affine, int]], shape: Sequence[int], size: Callable[[Affine], int]
) -> tuple[np.ndarray[Any, Any], ...]:
    return np.ix_(*(size(start) + step * np.arange(count) for (start, step), count in zip(box, shape, strict=True)))


def _slice(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    _check_box(node, inputs[0].shape, shape, size)
    return inputs[0][_indices(node.params, shape, size)] if shape else inputs[0]


def _update(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    base, value = inputs
    _check_box(node, base.shape, value.shape, size)
    result = base.copy()
    result[_indices(node.params, value.shape, size)] = value
    return result


def _check_box(node: Node, base: Sequence[int], counts: Sequence[int], size: Callable[[Affine], int]) -> None:
    """Refuse a box beyond the array, where NumPy's indices would wrap around."""
    if 0 in counts:
        return
    for (start, step), count, extent in zip(node.params, counts, base, strict=True):
        ends = size(start), size(start) + step * (count - 1)
        if min(ends) < 0 or max(ends) >= extent:
            raise AssertionError(f"{node!r} goes from {ends[0]} to {ends[1]} on an axis of {extent}")


def _axes(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    kept = [axis for axis in node.params if axis is not None]
    left_out = [axis for axis in range(inputs[0].ndim) if axis not in kept]
    moved = inputs[0].transpose(kept + left_out)
    return moved.reshape(tuple(1 if axis is None else inputs[0].shape[axis] for axis in node.params))


def _broadcast(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    return np.broadcast_to(inputs[0], shape).copy()


def _reshape(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    return np.reshape(inputs[0], shape)


def _concat(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    return np.concatenate(inputs, axis=node.params[0])


def _roll(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    axis, shift = node.params
    return np.roll(inputs[0], size(shift), axis)


def _reduce(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    kind, axes = node.params
    return np.asarray(_REDUCE[kind].reduce(inputs[0], axis=axes, dtype=node.dtype))


def _place(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    (index,), extent = inputs, size(node.params[0])
    places = np.where(index < 0, index + extent, index)
    if np.any((places < 0) | (places >= extent)):
        raise out_of_bounds(extent, node.line)
    return np.asarray(places)


def _at(
    by: Sequence[int | None], places: Sequence[Array], shape: Sequence[int]
) -> tuple[np.ndarray[Any, Any] | int, ...]:
    """Return an array of positions, broadcast against `shape`, for each axis; an axis at -1 is at 0."""
    remaining, grid = iter(places), np.indices(shape, sparse=True)
    return tuple(next(remaining) if axis is None else 0 if axis < 0 else grid[axis] for axis in by)


def _gather(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    source, *places = inputs
    return np.asarray(source[_at(node.params, places, shape)])


def _scatter(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    (base, value, *places), (mode, *box) = inputs, node.params
    at = _at([by for _, _, by in box], places, value.shape)
    positions = [
        np.broadcast_to(size(start) + step * k, value.shape).ravel()
        for (start, step, _), k in zip(box, at, strict=True)
    ]
    for position, extent in zip(positions, shape, strict=True):
        if position.size and not 0 <= position.min() <= position.max() < extent:
            raise AssertionError(f"{node!r} goes from {position.min()} to {position.max()} on an axis of {extent}")
    result = base.copy()
    for point, element in zip(zip(*positions, strict=True), value.ravel(), strict=True):
        if mode == "set":
            result[point] = element
        else:
            result[point] = np.asarray(_REDUCE[mode](result[point].astype(value.dtype), element)).astype(base.dtype)
    return result


def _call(node: Node, inputs: Sequence[Array], shape: tuple[int, ...], size: Callable[[Affine], int]) -> Array:
    function, arguments, number = node.params
    return np.asarray(evaluate(np, function, inputs, arguments)[number])


_RULES: dict[str, Rule] = {
    "const": _const,
    "astype": _astype,
    "iota": _iota,
    "slice": _slice,
    "update": _update,
    "axes": _axes,
    "broadcast": _broadcast,
    "reshape": _reshape,
    "concat": _concat,
    "roll": _roll,
    "reduce": _reduce,
    "place": _place,
    "gather": _gather,
    "scatter": _scatter,
    "call": _call,
}
