"""Where the result of a kernel sits in its input: found only where there is no doubt.

A kernel that returns fewer elements than it is given (``u[2:] - 2 * u[1:-1] + u[:-2]``) says nowhere to which points
they belong. If as many elements are missing at both ends, they may belong to the middle of what is read; but
one-sided formulas of odd width (a second-order upwind difference) look just so. The result is taken to be centred
only if its formula is: if every part of it reads at the centre alone, or keeps its value, or changes its sign, when
all that is read along the axis is mirrored about the centre.

Expressions are compared as sums and products of terms in any order, with signs drawn out. Nothing is
expanded, so what is found equal is equal; where symmetry is hidden, the user is asked (``origin=``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node
from xpaccel.loops.index import Places, identity, move, varies_with
from xpaccel.loops.program import Position
from xpaccel.ops import OPS

#: An expression: its sign, and the number of what is left.
Term = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mirror:
    """A reflection of what is read along an axis of the result.

    Parameters
    ----------
    axis
        The axis of the result.
    twice
        For each array slot: twice the start at which a load is its own mirror image.
    """

    axis: int
    twice: Mapping[int, Affine]


def is_centred(root: Node, mirror: Mirror) -> bool:
    """Whether every part of a value has a parity under a reflection, or is made of parts that have one.

    Parameters
    ----------
    root
        The value, of which element i is looked at.
    mirror
        The reflection.
    """
    try:
        return _Search(mirror).centred(root, identity(root.ndim))
    except RecursionError:  # a formula of thousands of steps
        return False


@dataclass
class _Search:
    """Looks for parities; what it meets again it knows."""

    mirror: Mirror
    numbers: dict[Any, int] = field(default_factory=dict)
    contents: list[Any] = field(default_factory=list)
    plain: dict[tuple[Node, Places], Term] = field(default_factory=dict)
    mirrored: dict[tuple[Node, Places], Term] = field(default_factory=dict)
    known: dict[tuple[Node, Places], bool] = field(default_factory=dict)

    def centred(self, node: Node, index: Places) -> bool:
        found = self.known.get((node, index))
        if found is None:
            found = self.known[node, index] = self._centred(node, index)
        return found

    def _centred(self, node: Node, index: Places) -> bool:
        if self.form(node, index, False)[1] == self.form(node, index, True)[1]:
            return True
        parts = _parts(node, index)
        return bool(parts) and all(self.centred(*part) for part in parts)

    def form(self, node: Node, index: Places, mirrored: bool) -> Term:
        """Return the normal form of element `index` of a node, or of its mirror image."""
        known = self.mirrored if mirrored else self.plain
        found = known.get((node, index))
        if found is None:
            found = known[node, index] = self._form(node, index, mirrored)
        return found

    def _form(self, node: Node, index: Places, mirrored: bool) -> Term:
        parts = _parts(node, index)
        if not parts:
            return 1, self._number(("leaf", node, self._reflected(node, index) if mirrored else index))
        forms = [self.form(*part, mirrored) for part in parts]
        if node.op in OPS:
            return self._operation(node, forms)
        if node.op == "astype":
            sign, number = forms[0]
            return sign, self._number(("astype", node.dtype, number))
        return forms[0]

    def _operation(self, node: Node, forms: list[Term]) -> Term:
        if node.op == "negative":
            return -forms[0][0], forms[0][1]
        if node.op in ("add", "subtract"):
            (one, a), (other, b) = forms
            return self._sum([*self._addends(one, a), *self._addends(other if node.op == "add" else -other, b)])
        if node.op == "multiply":
            (one, a), (other, b) = forms
            return one * other, self._number(("product", *sorted([*self._factors(a), *self._factors(b)])))
        if node.op == "divide":
            (one, a), (other, b) = forms
            return one * other, self._number(("quotient", a, b))
        if node.op in ("square", "abs"):
            return 1, self._number((node.op, forms[0][1]))
        if node.op in ("maximum", "minimum", "equal", "not_equal", "hypot"):
            forms = sorted(forms)
        return 1, self._number((node.op, node.dtype, *forms))

    def _sum(self, addends: list[Term]) -> Term:
        one = sorted(addends, key=lambda term: (term[1], term[0]))
        other = sorted(((-sign, number) for sign, number in addends), key=lambda term: (term[1], term[0]))
        return (1, self._number(("sum", *one))) if one >= other else (-1, self._number(("sum", *other)))

    def _addends(self, sign: int, number: int) -> list[Term]:
        """Return the terms of a sum, which anything else is one of."""
        content = self.contents[number]
        if content[0] != "sum":
            return [(sign, number)]
        return [(sign * its, term) for its, term in content[1:]]

    def _factors(self, number: int) -> list[int]:
        content = self.contents[number]
        return list(content[1:]) if content[0] == "product" else [number]

    def _number(self, content: Any) -> int:
        number = self.numbers.setdefault(content, len(self.contents))
        if number == len(self.contents):
            self.contents.append(content)
        return number

    def _reflected(self, node: Node, index: Places) -> Any:
        """Return the mirror image of where something is read; what has none equals nothing."""
        if self.mirror.axis not in varies_with([index]):
            return index
        twice = self.mirror.twice.get(node.params[0]) if node.op == "input" else None
        if twice is None or any(not isinstance(p, Position) for p in index):
            return "mirrored", index
        return tuple(
            Position(twice - p.start, p.axis, p.step)
            if isinstance(p, Position) and p.axis == self.mirror.axis and p.step == 1
            else p
            for p in index
        )


def _parts(node: Node, index: Places) -> list[tuple[Node, Places]]:
    """Return what element `index` of a node is computed from; nothing where that is not looked into."""
    moved = move(node, index)
    if moved is not None:
        return [moved]
    if node.op in OPS or node.op == "astype":
        return [(item, index) for item in node.inputs]
    return []
