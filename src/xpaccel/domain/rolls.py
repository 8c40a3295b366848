"""Rolling along a periodic axis: reading at an offset, from a ghost where that is another rank's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpaccel.domain.location import axis_name
from xpaccel.errors import TraceError
from xpaccel.graph.affine import Affine, Symbol
from xpaccel.graph.graph import Graph
from xpaccel.graph.node import Node


def as_offsets(graph: Graph, grown: frozenset[Symbol], periodic: Sequence[bool]) -> Graph:
    """Return a graph in which fields are rolled by reading them at an offset, beyond their ends if need be.

    Parameters
    ----------
    graph
        What was traced.
    grown
        The sizes that are sizes of the grid.
    periodic
        Whether each axis of the grid wraps around.

    Raises
    ------
    TraceError
        If a field is rolled along an axis that does not.
    """
    if all(node.op != "roll" for node in graph.nodes()):
        return graph
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        inputs = tuple(new[item] for item in node.inputs)
        made = node if inputs == node.inputs else replace(node, inputs=inputs)
        if node.op == "roll":
            axis, shift = node.params
            size = node.shape[axis]
            along = {symbol[1] for symbol, _ in size.terms if symbol in grown}
            if along:
                (number,) = along
                if not periodic[number]:
                    raise TraceError(
                        f"a field is rolled along axis {axis_name(number)} ({node.line or 'no line'}), which is not "
                        "periodic: values would come from the other end of the domain.\n    Make the grid periodic "
                        "there, or slice (u[1:] and u[:-1]) and give the field a boundary condition."
                    )
                start = (size if shift.terms else Affine()) - shift
                box = [(start if k == axis else Affine(), 1) for k in range(node.ndim)]
                made = replace(made, op="slice", params=tuple(box))
        new[node] = made
    return replace(
        graph,
        inputs=tuple(new[node] for node in graph.inputs),
        outputs=tuple(new[node] for node in graph.outputs),
        writes=tuple((slot, new[node]) for slot, node in graph.writes),
    )
