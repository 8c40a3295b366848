r"""Nodes of the array program and the builder that makes them.

The primitives, to which everything in a kernel is reduced (``shape`` is always the result's):

=============  ==========================  ====================================================
op             params                      meaning
=============  ==========================  ====================================================
``input``      (slot,)                     array argument `slot` as it was when the call began
``scalar``     (ScalarExpr,)               a run-time Python number, cast to ``dtype``; shape ()
``const``      (repr,)                     a literal; shape ()
name in OPS    ()                          elementwise; arguments of equal shape and, but for the
                                           condition of ``where``, equal dtype
``astype``     ()                          cast, as NumPy casts (``casting="unsafe"``)
``iota``       ()                          ``0 .. n-1`` as int64; shape (n,)
``slice``      ((start, step), ...)        a strided box: element k of an axis is ``start + k*step``;
                                           steps may be negative, never 0
``axes``       (input axis | None, ...)    permute, insert (None) and drop axes of size 1
``broadcast``  ()                          NumPy's broadcasting to ``shape`` (right-aligned)
``reshape``    ()                          C order
``concat``     (axis,)                     inputs in sequence along an axis
``roll``       (axis, shift)               ``result[(i + shift) mod n] = x[i]``, ``0 <= shift < n``
``reduce``     (kind, axes)                kind in `REDUCTIONS`; axes sorted, removed
``update``     ((start, step), ...)        inputs (base, value): base with the strided box of
                                           ``value.shape`` replaced by value
``place``      (size,)                     where NumPy's index points to on an axis of `size` (not 0):
                                           ``i + size`` where negative; IndexError outside
``gather``     (axis | None, ...)          inputs (source, \*places): an element of source for each
                                           element of the places, which have the result's shape.
                                           Each axis of source is walked with an axis of the
                                           result, or is (None) at the next of the places
``scatter``    (mode, (start, step, by),   inputs (base, value, \*places), the places of value's shape:
               ...)                        base, into which the elements of value are put in C order.
                                           An axis of base is at ``start + step*k``, k the element's
                                           index along axis `by`, its next place (None), or 0 (-1)
``call``       (function, arguments, n)    result `n` of a function of the namespace, by its dotted
                                           name; `arguments` are ``(keyword, value)`` pairs
=============  ==========================  ====================================================

The mode of a scatter is ``set`` (the last one wins), or the kind of reduction that combines an
element with what is there, in the dtype of value; the result is cast to the dtype of base.

Starts and shapes are `Affine`. Sizes of 1 are always constants, so broadcasting needs no guard.
A node's position in the order of construction is its `serial`: eager NumPy would have computed the
nodes in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from xpaccel.graph.affine import Affine, AffineLike
from xpaccel.graph.scalar import ScalarExpr, literal
from xpaccel.ops import OPS, result_dtype

Shape = tuple[Affine, ...]

#: The kinds of reduction.
REDUCTIONS = ("sum", "prod", "max", "min", "any", "all")


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value of the array program. Equal values of one trace are the same object."""

    op: str
    inputs: tuple[Node, ...]
    params: tuple[Any, ...]
    dtype: str
    shape: Shape
    serial: int
    line: str = field(default="", repr=False)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def is_elementwise(self) -> bool:
        """Whether each element depends on the same element of the inputs alone."""
        return self.op in OPS or self.op in ("astype", "place")

    @property
    def is_update(self) -> bool:
        """Whether it is another version of its first input, so that both may lie in one memory."""
        return self.op in ("update", "scatter")

    def __repr__(self) -> str:
        shape = ", ".join(map(str, self.shape))
        inputs = ", ".join(f"%{node.serial}" for node in self.inputs)
        params = " ".join(map(str, self.params))
        return f"%{self.serial} = {self.op}({inputs}) {params} : {self.dtype}[{shape}]"


class Builder:
    """Makes the nodes of one trace; a node that exists already is returned, not made again.

    Attributes
    ----------
    line
        Where in the user's source the next nodes come from (``"file.py:14"``); kept by the first
        node of a value, for messages and ``explain``.
    """

    def __init__(self) -> None:
        self._nodes: dict[tuple[Any, ...], Node] = {}
        self.line = ""

    def __len__(self) -> int:
        return len(self._nodes)

    def make(
        self, op: str, inputs: Sequence[Node], params: Sequence[Any], dtype: str, shape: Iterable[AffineLike]
    ) -> Node:
        """Return the node with these fields. Prefer the methods below, which check them."""
        inputs, params = tuple(inputs), tuple(params)
        sizes = tuple(map(Affine.of, shape))
        key = (op, inputs, params, dtype, sizes)
        node = self._nodes.get(key)
        if node is None:
            node = Node(op, inputs, params, dtype, sizes, len(self._nodes), self.line)
            self._nodes[key] = node
        return node

    def input(self, slot: int, dtype: str, shape: Iterable[AffineLike]) -> Node:
        """Return array argument `slot`."""
        return self.make("input", (), (slot,), dtype, shape)

    def scalar(self, expr: ScalarExpr, dtype: str) -> Node:
        """Return a run-time Python number as a 0-d value of `dtype`; a literal becomes a constant."""
        if expr.op == "const":
            return self.const(literal(expr.args[0]), dtype)
        return self.make("scalar", (), (expr,), dtype, ())

    def const(self, value: complex, dtype: str) -> Node:
        """Return a literal as a 0-d value of `dtype`."""
        return self.make("const", (), (repr(value),), dtype, ())

    def elementwise(self, name: str, *inputs: Node) -> Node:
        """Return operation `name` of `inputs`, whose shapes and dtypes agree already."""
        op = OPS[name]
        assert len(inputs) == op.arity, (name, inputs)
        assert all(node.shape == inputs[0].shape for node in inputs), (name, inputs)
        assert all(node.dtype == inputs[-1].dtype for node in inputs[name == "where" :]), (name, inputs)
        return self.make(name, inputs, (), result_dtype(op, inputs[-1].dtype), inputs[0].shape)

    def astype(self, x: Node, dtype: str) -> Node:
        """Return `x` cast to `dtype`; `x` itself where it has it."""
        return x if x.dtype == dtype else self.make("astype", (x,), (), dtype, x.shape)

    def iota(self, size: AffineLike) -> Node:
        """Return ``0 .. size-1`` as int64."""
        return self.make("iota", (), (), "int64", (size,))

    def slice(self, x: Node, starts: Sequence[AffineLike], steps: Sequence[int], shape: Iterable[AffineLike]) -> Node:
        """Return the strided box of `x` of that shape; `x` itself where that is all of it."""
        shape = tuple(map(Affine.of, shape))
        box = tuple((Affine.of(start), step) for start, step in zip(starts, steps, strict=True))
        assert len(box) == x.ndim == len(shape), (x, box)
        assert all(step for _, step in box), (x, box)
        if shape == x.shape and all(b == (Affine(), 1) for b in box):
            return x
        return self.make("slice", (x,), box, x.dtype, shape)

    def axes(self, x: Node, order: Sequence[int | None]) -> Node:
        """Permute the axes of `x`; None inserts an axis of size 1, an axis left out must have size 1."""
        left_out = set(range(x.ndim)) - set(order)
        assert all(x.shape[axis] == Affine(1) for axis in left_out), (x, order)
        if list(order) == list(range(x.ndim)):
            return x
        shape = tuple(Affine(1) if axis is None else x.shape[axis] for axis in order)
        return self.make("axes", (x,), tuple(order), x.dtype, shape)

    def broadcast(self, x: Node, shape: Iterable[AffineLike]) -> Node:
        """Return `x` broadcast to `shape` by NumPy's rule; `x` itself where it has that shape."""
        shape = tuple(map(Affine.of, shape))
        assert x.ndim <= len(shape), (x, shape)
        for size, target in zip(reversed(x.shape), reversed(shape), strict=False):
            assert size in (Affine(1), target), (x, shape)
        return x if shape == x.shape else self.make("broadcast", (x,), (), x.dtype, shape)

    def reshape(self, x: Node, shape: Iterable[AffineLike]) -> Node:
        """Return the elements of `x`, in C order, in another shape of equally many elements."""
        shape = tuple(map(Affine.of, shape))
        return x if shape == x.shape else self.make("reshape", (x,), (), x.dtype, shape)

    def concat(self, parts: Sequence[Node], axis: int) -> Node:
        """Return `parts`, of one dtype and equal but for `axis`, in sequence along `axis`."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        assert all(part.dtype == first.dtype and part.ndim == first.ndim for part in parts), parts
        total = sum((part.shape[axis] for part in parts), Affine())
        shape = (*first.shape[:axis], total, *first.shape[axis + 1 :])
        return self.make("concat", parts, (axis,), first.dtype, shape)

    def roll(self, x: Node, axis: int, shift: AffineLike) -> Node:
        """Return `x` shifted cyclically by `shift`, known to be in ``0 .. n-1``, along `axis`."""
        shift = Affine.of(shift)
        return x if shift == Affine() else self.make("roll", (x,), (axis, shift), x.dtype, x.shape)

    def reduce(self, kind: str, x: Node, axes: Iterable[int]) -> Node:
        """Reduce `x` over `axes`, which are removed; the dtype stays (cast before)."""
        axes = tuple(sorted(axes))
        assert kind in REDUCTIONS, kind
        if not axes:
            return x
        shape = tuple(size for axis, size in enumerate(x.shape) if axis not in axes)
        return self.make("reduce", (x,), (kind, axes), x.dtype, shape)

    def update(self, base: Node, value: Node, starts: Sequence[AffineLike], steps: Sequence[int]) -> Node:
        """Return `base` with the strided box of ``value.shape`` replaced by `value`."""
        assert base.dtype == value.dtype, (base, value)
        assert base.ndim == value.ndim == len(starts), (base, value)
        box = tuple((Affine.of(start), step) for start, step in zip(starts, steps, strict=True))
        return self.make("update", (base, value), box, base.dtype, base.shape)

    def place(self, index: Node, size: AffineLike) -> Node:
        """Return where the elements of `index` point to on an axis of `size`, which is not 0."""
        return self.make("place", (self.astype(index, "int64"),), (Affine.of(size),), "int64", index.shape)

    def gather(self, source: Node, places: Sequence[Node], axes: Sequence[int | None]) -> Node:
        """Return an element of `source` for each element of `places`, of which None in `axes` take one each."""
        assert len(axes) == source.ndim, (source, axes)
        assert axes.count(None) == len(places) > 0, (axes, places)
        assert all(place.shape == places[0].shape for place in places), places
        return self.make("gather", (source, *places), tuple(axes), source.dtype, places[0].shape)

    def scatter(
        self,
        base: Node,
        value: Node,
        places: Sequence[Node],
        mode: str,
        box: Sequence[tuple[AffineLike, int, int | None]],
    ) -> Node:
        """Return `base` with the elements of `value` put at `places`."""
        assert mode == "set" or mode in REDUCTIONS, mode
        assert len(box) == base.ndim, (base, box)
        assert all(place.shape == value.shape for place in places), (value, places)
        params = [(Affine.of(start), step, by) for start, step, by in box]
        return self.make("scatter", (base, value, *places), (mode, *params), base.dtype, base.shape)

    def call(
        self,
        function: str,
        inputs: Sequence[Node],
        arguments: Sequence[tuple[str, Any]],
        results: Sequence[tuple[str, Iterable[AffineLike]]],
    ) -> list[Node]:
        """Return the results, each of a dtype and a shape, of a function of the namespace."""
        return [
            self.make("call", inputs, (function, tuple(arguments), number), dtype, shape)
            for number, (dtype, shape) in enumerate(results)
        ]


def topological(outputs: Iterable[Node]) -> list[Node]:
    """Return every node that `outputs` need, each after its inputs (by serial)."""
    seen: dict[Node, None] = {}
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen[node] = None
            stack.extend(node.inputs)
    return sorted(seen, key=lambda node: node.serial)
