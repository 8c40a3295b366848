"""Assigning where a mask of booleans holds: a choice, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node
from xpaccel.trace.creation import asarray
from xpaccel.trace.elementwise import match_shape, spread, value_for
from xpaccel.trace.session import Session, current
from xpaccel.trace.sizes import ONE, common, hints
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import Tracer, fresh, selection


def assign_masked(x: Tracer, items: Sequence[Any], value: Any) -> None:
    """Do ``x[mask] = value``.

    Parameters
    ----------
    x
        What is assigned to.
    items
        The parts of the index, one for each axis or mask: one mask, and slices.
    value
        A number, or an array that does not depend on how many elements the mask selects.
    """
    session = current()
    number = next(k for k, item in enumerate(items) if isinstance(item, Tracer))
    others = [*items[:number], *items[number + 1 :]]
    if not all(item is None or isinstance(item, slice) for item in others):
        raise trace_error(
            "a boolean mask together with integers or other arrays is not supported in a kernel",
            "Take a view first of what the mask is for: row = u[0]; row[mask] = value.",
        )
    mask = items[number]._read()
    basic = [selection(item) for item in items[:number]] + [(None, None, 1)] * mask.ndim
    view = x._view.select(session, basic + [selection(item) for item in items[number + 1 :]])
    own = view.shape[number : number + mask.ndim]
    for axis, (size, target) in enumerate(zip(mask.shape, own, strict=True)):
        if common(session.guards, size, target) is None:
            raise IndexError(
                f"boolean index did not match indexed array along axis {number + axis}; size of axis is "
                f"{session.guards.hint(target)} but size of corresponding boolean axis is {session.guards.hint(size)}"
            )
    chosen = spread(session, match_shape(session, mask, own), range(number, number + mask.ndim), view.shape)
    if isinstance(value, Tracer | list | tuple) or session.is_array(value):
        rest = view.shape[number + mask.ndim :]
        value = fresh(session, _without_count(session, asarray(value)._read(), mask.ndim, rest))
    filled = value_for(session, value, x.dtype.name, view.shape)
    view.write(session, session.builder.elementwise("where", chosen, filled, view.read(session)))


def _without_count(session: Session, node: Node, ndim: int, after: Sequence[Affine]) -> Node:
    """Return an assigned array with the axes of the mask, `ndim` of size 1, for the axis of what it selects."""
    at = node.ndim - len(after) - 1
    if at < 0:
        return node
    if node.shape[at] != ONE:
        raise trace_error(
            f"an array of shape {hints(session.guards, node.shape)} was assigned to the elements that a mask selects, "
            "and how many these are is known only when the kernel runs",
            "Choose element by element instead: u[...] = xp.where(mask, values, u), with values of u's shape.",
        )
    return session.builder.axes(node, [*range(at), *[None] * ndim, *range(at + 1, node.ndim)])
