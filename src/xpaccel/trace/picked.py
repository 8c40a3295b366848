"""Views at a place that is known only when the program runs: ``row = u[k]`` for a traced `k`.

NumPy takes an integer scalar as basic indexing, so the result is a view, through which one may write.
"""

from __future__ import annotations

from collections.abc import Mapping

from xpaccel.graph.node import Node, Shape
from xpaccel.trace.session import Session
from xpaccel.trace.view import Buffer, View


class Picked(Buffer):
    """What a view shows at 0-d places along some of its axes, as a buffer of its own.

    Parameters
    ----------
    session
        The trace.
    base
        The view.
    places
        For each axis that is picked from, a 0-d ``place``.
    """

    __slots__ = ("_base", "_places", "_session")

    def __init__(self, session: Session, base: View, places: Mapping[int, Node]) -> None:
        self._session, self._base, self._places = session, base, dict(places)
        self.slot, self.constant, self.family, self.stale = None, False, None, ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picked) and (self._base, self._places) == (other._base, other._places)

    def __hash__(self) -> int:
        return hash((self._base, *self._places.items()))

    @property
    def _kept(self) -> list[int]:
        return [axis for axis in range(len(self._base.shape)) if axis not in self._places]

    @property
    def _shape(self) -> Shape:
        return tuple(self._base.shape[axis] for axis in self._kept)

    def _spread(self) -> dict[int, Node]:
        """Return the places, the same for every element."""
        return {axis: self._session.builder.broadcast(place, self._shape) for axis, place in self._places.items()}

    @property
    def node(self) -> Node:  # type: ignore[override]
        """What the base shows there now."""
        spread, kept = self._spread(), self._kept
        axes = [None if axis in spread else kept.index(axis) for axis in range(len(self._base.shape))]
        source = self._base.read(self._session)
        return self._session.builder.gather(source, [spread[axis] for axis in sorted(spread)], axes)

    def relate(self, other: Buffer) -> None:
        """Note that `other` might be the same memory."""
        self._base.buffer.relate(other)

    def check(self) -> None:
        """Raise where the content is not known."""
        self._base.buffer.check()

    def write(self, node: Node, line: str) -> None:
        """Put another value there."""
        walked = {axis: k for k, axis in enumerate(self._kept)}
        self._base.scatter(self._session, "set", node, self._spread(), walked)
