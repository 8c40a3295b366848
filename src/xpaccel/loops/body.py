"""The body of a nest: values pulled from the graph, for one box of the index space.

An element of ``concat`` or ``roll`` comes from one of several pieces. A box in which one position
meets two pieces raises `Cut`, and the caller tries again with the two halves: so edges are peeled
off, and no loop ever asks which piece it is in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xpaccel.graph.affine import Affine, Guards
from xpaccel.graph.node import Node
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.loops.index import Lookup, Places, lookups, move, pieces, settled, shifted
from xpaccel.loops.program import COMBINE, Check, Moves, Position, Store, Value
from xpaccel.loops.sinks import Box, Memory, Sink, Time, expansions


class Cut(Exception):
    """The box must be cut: axis `axis` below and from `at`."""

    def __init__(self, axis: int, at: Affine) -> None:
        super().__init__(axis, at)
        self.axis, self.at = axis, at


class Empty(Exception):
    """The box has no points."""


@dataclass
class Scalars:
    """The run-time scalars of a program, numbered as they are met."""

    numbers: dict[tuple[ScalarExpr, str], int] = field(default_factory=dict)

    def number(self, expr: ScalarExpr, dtype: str) -> int:
        """Return the number of this scalar."""
        return self.numbers.setdefault((expr, dtype), len(self.numbers))


class Body:
    """Collects the values of one nest over one box.

    Parameters
    ----------
    memory
        What is in memory.
    scalars
        The program's scalars.
    box
        The part of the index space that the nest runs over.
    """

    def __init__(self, memory: Memory, scalars: Scalars, box: Box) -> None:
        self.values: list[Value] = []
        self.checks: dict[Check, int] = {}
        self._memory, self._scalars, self._box = memory, scalars, box
        self._numbers: dict[Value, int] = {}
        self._known: dict[tuple[Node, Places], int] = {}
        self._defined: dict[Node, tuple[Places, int]] = {}

    def add(self, value: Value) -> int:
        """Return the number of `value`, which is added unless it is there."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number

    def load(self, array: int, index: Places) -> int:
        """Return the number of an element of an array."""
        args, moves = self._moves(index)
        data = (array, settled(index), moves) if moves else (array, index)
        return self.add(Value("gather" if moves else "load", args, self._memory.arrays[array].dtype, data))

    def _moves(self, index: Places) -> tuple[tuple[int, ...], Moves]:
        """Return the numbers of the computed positions of an index, which are known, and what they move."""
        found = lookups(index)
        args = tuple(self._known[lookup.node, lookup.index] for _, lookup in found)
        return args, tuple((axis, lookup.step) for axis, lookup in found)

    def store(self, sink: Sink) -> Store:
        """Return what `sink` stores, once its value is in the body."""
        for lookup in sink.lookups:
            self._pull(lookup.node, lookup.index, sink.time)
        return Store(sink.target, settled(sink.index), self.root(sink), sink.mode, *self._moves(sink.index))

    def root(self, sink: Sink) -> int:
        """Return the number of the value that `sink` stores."""
        if sink.root is None:
            return self.load(sink.source, (Position(Affine(), 1, 1),))
        if sink.expand:
            parts = self._parts(sink.root, sink.root_index)
            number = self._apply(sink.root, sink.root_index, [self._pull(*part, sink.time) for part in parts])
        else:
            number = self._pull(sink.root, sink.root_index, sink.time)
        if sink.defines is not None and sink.reduction is None and not sink.is_scatter:
            self._defined[sink.defines] = (sink.index, number)
        return number

    def _pull(self, node: Node, index: Places, time: Time) -> int:
        """Return the number of element `index` of `node`, for a reader at `time`."""
        known = self._known
        stack = [(node, index)]
        while stack:
            node, index = stack[-1]
            if (node, index) in known:
                stack.pop()
                continue
            if self._defined.get(node, (None,))[0] == index:
                known[node, index] = self._defined[node][1]
                continue
            array = self._memory.locate(node, time)
            if array is not None:
                known[node, index] = self.load(array, index)
                continue
            parts = self._parts(node, index)
            missing = [part for part in parts if part not in known]
            if missing:
                stack.extend(reversed(missing))
            else:
                known[node, index] = self._apply(node, index, [known[part] for part in parts])
        return known[node, index]

    def _parts(self, node: Node, index: Places) -> list[tuple[Node, Places]]:
        """Return what element `index` of `node` is computed from, within the box."""
        moved = move(node, index)
        if moved is not None:
            return [moved]
        if node.op in ("concat", "roll"):
            return [self._piece(node, index)]
        if node in self._memory.short or node.op == "gather":
            return expansions(node, index, self._memory)
        return [(source, index) for source in node.inputs]

    def _apply(self, node: Node, index: Places, args: list[int]) -> int:
        """Return the number of `node` computed from the numbers of its parts."""
        if node.op == "place":
            check = self.checks.setdefault(Check(node.params[0], node.line), len(self.checks))
            return self.add(Value("place", tuple(args), "int64", (check,)))
        if node.op == "gather":
            return args[-1]
        if node.is_elementwise:
            return self.add(Value(node.op, tuple(args), node.dtype))
        if node in self._memory.short:
            total, *rest = args
            for arg in rest:
                total = self.add(Value(COMBINE[node.params[0]], (total, arg), node.dtype))
            return total
        if args:  # a movement: the element itself
            return args[0]
        if node.op == "const":
            return self.add(Value("const", (), node.dtype, node.params))
        if node.op == "scalar":
            number = self._scalars.number(node.params[0], node.dtype)
            return self.add(Value("scalar", (), node.dtype, (number,)))
        assert node.op == "iota", node
        (position,) = index
        return self._computed(position) if isinstance(position, Lookup) else self._position(position)

    def _position(self, position: Position) -> int:
        return self.add(Value("index", (), "int64", (position,)))

    def _computed(self, lookup: Lookup) -> int:
        """Return the number of a computed position itself."""
        number = self._known[lookup.node, lookup.index]
        if lookup.step != 1:
            step = self._position(Position(Affine(lookup.step)))
            number = self.add(Value("multiply", (step, number), "int64"))
        if lookup.start != Affine():
            number = self.add(Value("add", (self._position(Position(lookup.start)), number), "int64"))
        return number

    def _piece(self, node: Node, index: Places) -> tuple[Node, Places]:
        """Return the piece of a ``concat`` or ``roll`` that the whole box reads; raise `Cut` if it is several."""
        guards: Guards = self._memory.guards
        axis = node.params[0]
        position = index[axis]
        assert isinstance(position, Position), node  # where it is computed, the node is kept in memory
        if position.axis < 0:
            first = last = position.start
        else:
            low, high = self._box[position.axis]
            assert isinstance(high, Affine)
            if not guards.at_least(high, low + 1):
                raise Empty
            first, last = (position.start + position.step * i for i in (low, high - 1))
        for source, low, high, shift in pieces(node):
            if not (guards.at_least(first, low) and guards.less(first, high)):
                continue
            if guards.at_least(last, low) and guards.less(last, high):
                return source, shifted(index, axis, shift)
            raise Cut(position.axis, _leaves(position, low if position.step < 0 else high, guards))
        raise AssertionError(f"{first} is in no piece of {node!r}")


def _leaves(position: Position, bound: Affine, guards: Guards) -> Affine:
    """Return the first loop index whose place is not on the first one's side of `bound`.

    For a positive step that is the first place ``>= bound``, for a negative one the first ``< bound``.
    """
    step = abs(position.step)
    distance = bound - position.start if position.step > 0 else position.start - bound + 1
    exact = (distance + (step - 1)).divided(step) if step == 1 else None
    if exact is None:
        exact = Affine(-(-guards.specialise(distance) // step))
    return exact
