"""How an index moves through the movement primitives: from a node's element to its input's.

An `Index` gives, for every axis of a value, its position as an affine function of the loop
indices. Each movement primitive maps the index of its result to the index of its input, so views,
flips, permutations and broadcasts cost nothing: they are index arithmetic that ends in a load.
"""

from __future__ import annotations

from collections.abc import Sequence

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node
from xpaccel.loops.program import Index, Position

ONE = Affine(1)


def identity(ndim: int) -> Index:
    """Return the index of point (i0, i1, ...) itself."""
    return tuple(Position(Affine(), axis, 1) for axis in range(ndim))


def through_box(index: Index, box: Sequence[tuple[Affine, int]]) -> Index:
    """Return where element `index` of a strided box lies in what the box was taken from."""
    return tuple(
        Position(start + step * p.start, p.axis, step * p.step) for p, (start, step) in zip(index, box, strict=True)
    )


def through_axes(index: Index, order: Sequence[int | None], ndim: int) -> Index:
    """Return the index before a permutation, insertion and removal of axes."""
    inner = [Position(Affine())] * ndim
    for position, axis in zip(index, order, strict=True):
        if axis is not None:
            inner[axis] = position
    return tuple(inner)


def through_broadcast(index: Index, node: Node) -> Index:
    """Return the index into the input of a ``broadcast`` node."""
    source = node.inputs[0]
    lead = node.ndim - source.ndim
    return tuple(Position(Affine()) if source.shape[axis] == ONE else index[lead + axis] for axis in range(source.ndim))


def shifted(index: Index, axis: int, by: Affine) -> Index:
    """Return `index` with `by` added along one axis."""
    position = index[axis]
    return (*index[:axis], Position(position.start + by, position.axis, position.step), *index[axis + 1 :])


def pieces(node: Node) -> list[tuple[Node, Affine, Affine, Affine]]:
    """Return the pieces of a ``concat`` or ``roll``: ``(source, low, high, shift)``.

    Elements ``low <= k < high`` along the node's axis are elements ``k + shift`` of the source.
    """
    if node.op == "roll":
        axis, by = node.params
        size = node.shape[axis]
        return [(node.inputs[0], Affine(), by, size - by), (node.inputs[0], by, size, -by)]
    (axis,) = node.params
    found, low = [], Affine()
    for part in node.inputs:
        high = low + part.shape[axis]
        found.append((part, low, high, -low))
        low = high
    return found


def along(index: Index, axis: int, place: int) -> Index:
    """Return the index into the source of a reduction over one axis: element `place` of that axis."""
    return (*index[:axis], Position(Affine(place)), *index[axis:])


def move(node: Node, index: Index) -> tuple[Node, Index] | None:
    """Step through one movement primitive that has a single source; None for any other node."""
    if node.op == "slice":
        return node.inputs[0], through_box(index, node.params)
    if node.op == "axes":
        return node.inputs[0], through_axes(index, node.params, node.inputs[0].ndim)
    if node.op == "broadcast":
        return node.inputs[0], through_broadcast(index, node)
    if node.op == "reshape":
        order = trivial_reshape(node)
        if order is not None:
            return node.inputs[0], through_axes(index, order, node.inputs[0].ndim)
    return None


def trivial_reshape(node: Node) -> list[int | None] | None:
    """Return the ``axes`` order of a reshape that only inserts and removes axes of size 1, else None."""
    source = node.inputs[0]
    long = [axis for axis, size in enumerate(source.shape) if size != ONE]
    if [source.shape[axis] for axis in long] != [size for size in node.shape if size != ONE]:
        return None
    remaining = iter(long)
    return [None if size == ONE else next(remaining) for size in node.shape]
