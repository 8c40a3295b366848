"""A whole traced array program: what it reads, what it returns, and what it writes."""

from __future__ import annotations

from dataclasses import dataclass

from xpaccel.graph.affine import Guards
from xpaccel.graph.node import Node, topological
from xpaccel.graph.scalar import ScalarExpr


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """The array program of one trace.

    Attributes
    ----------
    inputs
        The ``input`` nodes, by slot: first the array arguments, then captured arrays.
    outputs
        The values that the kernel returns as new arrays.
    writes
        ``(slot, node)``: what each array argument that was written holds when the call ends. Each
        such node is an ``update`` whose chain of bases ends in that argument's ``input``, unless
        the chain was cut by an update of the whole array.
    guards
        The hints of the call, and all that was assumed about sizes.
    scalar_guards
        ``(expression, value)``: what was assumed about Python numbers.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    writes: tuple[tuple[int, Node], ...]
    guards: Guards
    scalar_guards: tuple[tuple[ScalarExpr, object], ...] = ()

    def nodes(self) -> list[Node]:
        """Return the nodes that matter, each after its inputs."""
        return topological((*self.inputs, *self.outputs, *(node for _, node in self.writes)))
