"""Bodies of nests that take values from the body of another one, at other points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from xpaccel.graph.affine import Affine
from xpaccel.loops.program import Index, Nest, Position, Value


class Transplant:
    """The body of a nest that takes values from another one's.

    Parameters
    ----------
    nest
        The other one.
    places
        Where its axes are here.

    Attributes
    ----------
    computed
        The numbers here of the values that stand for other axes of the old nest.
    """

    def __init__(self, nest: Nest, places: Mapping[int, Position]) -> None:
        self.values: list[Value] = []
        self.computed: Mapping[int, int] = {}
        self._nest, self._places = nest, places
        self._numbers: dict[Value, int] = {}
        self._pulled: dict[int, int] = {}

    def add(self, value: Value) -> int:
        """Return the number of a value, which is added unless it is there."""
        if value not in self._numbers:
            self._numbers[value] = len(self.values)
            self.values.append(value)
        return self._numbers[value]

    def const(self, number: int) -> int:
        """Return the number of a literal."""
        return self.add(Value("const", (), "int64", (repr(number),)))

    def size(self, size: Affine) -> int:
        """Return the number of a size."""
        return self.add(Value("index", (), "int64", (Position(size),)))

    def moved(self, index: Index) -> Index:
        """Return positions of the old nest as they are here, without what is computed."""
        found = []
        for position in index:
            if not position.step or position.axis in self.computed:
                found.append(Position(position.start))
            elif position.axis in self._places:
                found.append(Position(position.start, self._places[position.axis].axis, position.step))
            else:
                found.append(position)  # its axis is gone; whoever asks for it puts another in its place
        return tuple(found)

    def pull(self, number: int) -> int:
        """Return the number here of a value of the old nest."""
        if number in self._pulled:
            return self._pulled[number]
        value = self._nest.values[number]
        args = tuple(map(self.pull, value.args))
        if value.op in ("load", "gather"):
            array, index, *moves = value.data
            more = [(a, p) for a, p in enumerate(index) if p.step and p.axis in self.computed]
            args += tuple(self.computed[position.axis] for _, position in more)
            moved = (*(moves[0] if moves else ()), *((axis, position.step) for axis, position in more))
            data = (array, self.moved(index), moved) if moved else (array, self.moved(index))
            found = self.add(Value("gather" if moved else "load", args, value.dtype, data))
        elif value.op == "index" and value.data[0].step and value.data[0].axis in self.computed:
            (position,) = value.data
            found = self.affine(self.computed[position.axis], position.step, position.start)
        elif value.op == "index":
            found = self.add(replace(value, data=self.moved(value.data)))
        else:
            found = self.add(replace(value, args=args))
        self._pulled[number] = found
        return found

    def affine(self, number: int, step: int, start: Affine) -> int:
        """Return the number of ``start + step * value``."""
        if step != 1:
            number = self.add(Value("multiply", (self.const(step), number), "int64"))
        return number if start == Affine() else self.add(Value("add", (self.size(start), number), "int64"))

    def horner(self, number: int, size: object, place: int) -> int:
        """Return the number of ``value * size + place``."""
        assert isinstance(size, Affine), size
        wider = self.add(Value("multiply", (number, self.size(size)), "int64"))
        return self.add(Value("add", (wider, place), "int64"))

    def number(self, nest: Nest, axes: Iterable[int]) -> int:
        """Return the number of the value that counts the points along some axes, in C order."""
        found = -1
        for axis in axes:
            place = self.add(Value("index", (), "int64", (self._places[axis],)))
            found = place if found < 0 else self.horner(found, nest.extents[axis], place)
        return found
