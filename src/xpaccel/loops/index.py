"""How an index moves through the movement primitives: from a node's element to its input's.

An `Index` gives, for every axis of a value, its position as an affine function of the loop
indices. Each movement primitive maps the index of its result to the index of its input, so views,
flips, permutations and broadcasts cost nothing: they are index arithmetic that ends in a load.

A ``gather`` makes a position a `Lookup`: the value of a node. It moves on through primitives as other
positions do, so a gather costs nothing more than the load of its index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node
from xpaccel.loops.program import Index, Position

ONE = Affine(1)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A computed position: ``start + step * v``, where v is element `index` of `node`, a ``place``."""

    start: Affine
    step: int
    node: Node
    index: Places
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.start, self.step, self.node, self.index)))

    def __hash__(self) -> int:
        return self._hash  # once: lookups may be nested

    def moved(self, start: Affine, step: int) -> Lookup:
        """Return ``start + step * self``."""
        return Lookup(start + step * self.start, step * self.step, self.node, self.index)


#: Where an element of a node is: an index, of which some positions may be computed.
Places = tuple[Position | Lookup, ...]


def lookups(index: Places) -> list[tuple[int, Lookup]]:
    """Return the computed positions of an index, with their axes."""
    return [(axis, p) for axis, p in enumerate(index) if isinstance(p, Lookup)]


def settled(index: Places) -> Index:
    """Return an index with its computed positions at their starts: what is left when they are 0."""
    return tuple(Position(p.start) if isinstance(p, Lookup) else p for p in index)


def varies_with(indices: Iterable[Places]) -> set[int]:
    """Return the axes of the index space that places depend on."""
    found: set[int] = set()
    for index in indices:
        for p in index:
            found |= varies_with([p.index]) if isinstance(p, Lookup) else {p.axis}
    return found - {-1}


def identity(ndim: int) -> Index:
    """Return the index of point (i0, i1, ...) itself."""
    return tuple(Position(Affine(), axis, 1) for axis in range(ndim))


def through_box(index: Places, box: Sequence[tuple[Affine, int]]) -> Places:
    """Return where element `index` of a strided box lies in what the box was taken from."""
    return tuple(
        p.moved(start, step) if isinstance(p, Lookup) else Position(start + step * p.start, p.axis, step * p.step)
        for p, (start, step) in zip(index, box, strict=True)
    )


def through_axes(index: Places, order: Sequence[int | None], ndim: int) -> Places:
    """Return the index before a permutation, insertion and removal of axes."""
    inner: list[Position | Lookup] = [Position(Affine())] * ndim
    for position, axis in zip(index, order, strict=True):
        if axis is not None:
            inner[axis] = position
    return tuple(inner)


def through_gather(index: Places, node: Node) -> Places:
    """Return the index into the source of a ``gather`` node."""
    places = iter(node.inputs[1:])
    return tuple(Lookup(Affine(), 1, next(places), index) if axis is None else index[axis] for axis in node.params)


def scattered(node: Node, index: Places) -> Places:
    """Return where in the base of a ``scatter`` node element `index` of its value is put."""
    places = iter(node.inputs[2:])
    found: list[Position | Lookup] = []
    for start, step, by in node.params[1:]:
        if by is None:
            found.append(Lookup(start, step, next(places), index))
        else:
            found += through_box((Position(Affine()) if by < 0 else index[by],), [(start, step)])
    return tuple(found)


def through_broadcast(index: Places, node: Node) -> Places:
    """Return the index into the input of a ``broadcast`` node."""
    source = node.inputs[0]
    lead = node.ndim - source.ndim
    return tuple(Position(Affine()) if source.shape[axis] == ONE else index[lead + axis] for axis in range(source.ndim))


def shifted(index: Places, axis: int, by: Affine) -> Places:
    """Return `index` with `by` added along one axis, which is not computed."""
    position = index[axis]
    assert isinstance(position, Position), position
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


def along(index: Places, axis: int, place: int) -> Places:
    """Return the index into the source of a reduction over one axis: element `place` of that axis."""
    return (*index[:axis], Position(Affine(place)), *index[axis:])


def move(node: Node, index: Places) -> tuple[Node, Places] | None:
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
