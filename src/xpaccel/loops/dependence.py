"""How the values of a nest depend on its axes."""

from __future__ import annotations

from xpaccel.graph.affine import Affine
from xpaccel.graph.scalar import literal
from xpaccel.loops.program import Nest, Position


def dependences(nest: Nest) -> list[set[int]]:
    """Return, for each value, the axes that it varies along."""
    found: list[set[int]] = []
    for value in nest.values:
        positions = value.data[1] if value.op in ("load", "gather") else value.data if value.op == "index" else ()
        axes = {position.axis for position in positions if position.step}
        found.append(axes.union(*(found[arg] for arg in value.args)))
    return found


def walked(nest: Nest, number: int) -> int:
    """Return the axis along which a place walks, from a start that is not negative, and never comes back; else -1."""
    value = nest.values[number]
    position = _position(nest, value.args[0]) if value.op == "place" else None
    if position is None:
        return -1
    least = [position.start.const, *(factor for _, factor in position.start.terms), position.step - 1]
    return position.axis if min(least) >= 0 else -1


def _position(nest: Nest, number: int) -> Position | None:
    """Return a value as a position, where it is one that is known before the program runs."""
    value = nest.values[number]
    if value.op == "index":
        position: Position = value.data[0]
        return position
    if value.op == "const" and value.dtype == "int64":
        return Position(Affine(int(literal(value.data[0]).real)))
    if value.op not in ("add", "subtract", "multiply"):
        return None
    left, right = (_position(nest, arg) for arg in value.args)
    if left is None or right is None:
        return None
    if value.op == "multiply":
        if right.step or right.start.terms:
            left, right = right, left
        factor = right.start.const
        constant = not right.step and not right.start.terms
        return Position(factor * left.start, left.axis if factor else -1, factor * left.step) if constant else None
    sign = -1 if value.op == "subtract" else 1
    if left.step and right.step:
        return None
    moving = max(left.axis, right.axis)
    return Position(left.start + sign * right.start, moving, left.step + sign * right.step)
