"""Indexing with arrays of integers, by NumPy's rules: what a key picks, and reading and writing there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpaccel.graph.node import Node, Shape
from xpaccel.trace.creation import asarray
from xpaccel.trace.elementwise import match_shape, spread, value_for
from xpaccel.trace.masks import assign_masked
from xpaccel.trace.picked import Picked
from xpaccel.trace.session import Session, current
from xpaccel.trace.sizes import broadcast_shapes
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import Tracer, fresh, is_array_index, selection
from xpaccel.trace.view import View

_WHOLE = (None, None, 1)


@dataclass(frozen=True, slots=True)
class Pick:
    """What an index with arrays selects.

    Attributes
    ----------
    view
        The view that the other parts of the key select, with the axes that are looked up still whole.
    places
        For each axis of `view` that is looked up, where, of the shape of the result.
    walked
        For each other axis of `view`, the axis of the result that goes along with it.
    shape
        The shape of the result.
    """

    view: View
    places: dict[int, Node]
    walked: dict[int, int]
    shape: Shape

    def read(self, session: Session) -> Node:
        """Return what is there."""
        places = [self.places[axis] for axis in sorted(self.places)]
        axes = [self.walked.get(axis) for axis in range(len(self.view.shape))]
        return session.builder.gather(self.view.read(session), places, axes)

    def write(self, session: Session, mode: str, value: Node) -> None:
        """Put `value`, of the shape of the result, there."""
        self.view.scatter(session, mode, value, self.places, self.walked)


def expanded(key: Any, ndim: int) -> list[Any]:
    """Return the parts of a key, with slices for what it leaves out; a mask counts for all its axes."""
    items = list(key) if isinstance(key, tuple) else [key]
    if sum(item is Ellipsis for item in items) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    given = sum(_width(item) for item in items)
    if given > ndim:
        raise IndexError(f"too many indices for array: array is {ndim}-dimensional, but {given} were indexed")
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)
    at = next(k for k, item in enumerate(items) if item is Ellipsis)
    return [*items[:at], *[slice(None)] * (ndim - given), *items[at + 1 :]]


def _width(item: Any) -> int:
    """Return how many axes a part of a key takes."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, Tracer) and item.dtype == np.bool and item.ndim else 1


def traced_key(session: Session, key: Any) -> Any:
    """Return a key with its index arrays traced."""
    if isinstance(key, tuple):
        return tuple(traced_key(session, item) for item in key)
    if not is_array_index(session, key):
        return key
    index = asarray(key, np.int64 if isinstance(key, list) and not key else None)
    if index.dtype.kind not in "iub":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    return index


def place(session: Session, index: Node, size: Any) -> Node:
    """Return where `index` points to on an axis of `size`; raise IndexError where that is empty and `index` not."""
    guards = session.guards
    if not guards.at_least(size, 1):
        if not any(guards.equal(count, 0) for count in index.shape):
            raise IndexError("index is out of bounds for an axis with size 0")
        return session.builder.astype(index, "int64")
    return session.builder.place(index, size)


def pick(x: Tracer, items: Sequence[Any]) -> Pick:
    """Return what expanded `items`, with arrays of integers among them, select of `x`."""
    session = current()
    basic: list[Any] = []
    looked: dict[int, Node] = {}
    places: list[int] = []  # where in the key an array or an integer stands
    before: list[int] = []  # how many axes the parts before it have in the result
    kept = axis = 0
    for number, item in enumerate(items):
        if isinstance(item, Tracer):
            looked[axis] = item._read()
            basic.append(_WHOLE)
        else:
            basic.append(selection(item))
        if isinstance(item, Tracer) or not (item is None or isinstance(item, slice)):
            places.append(number)
            before.append(kept)
        else:
            kept += 1
        axis += isinstance(item, Tracer | slice) or item is None
    view = x._view.select(session, basic)
    common_shape = broadcast_shapes(session.guards, [node.shape for node in looked.values()])
    together = all(b == a + 1 for a, b in itertools.pairwise(places))
    first = before[0] if together else 0  # NumPy's rule: what is looked up goes first where it is apart
    rest = [k for k in range(len(view.shape)) if k not in looked]
    own = [view.shape[k] for k in rest]
    shape = (*own[:first], *common_shape, *own[first:])
    middle = range(first, first + len(common_shape))
    walked = dict(zip(rest, (k for k in range(len(shape)) if k not in middle), strict=True))
    found = {
        k: spread(session, match_shape(session, place(session, node, view.shape[k]), common_shape), middle, shape)
        for k, node in looked.items()
    }
    return Pick(view, found, walked, shape)


def picked_view(x: Tracer, items: Sequence[Any]) -> View:
    """Return the view that integers and slices select of `x`, where 0-d arrays are among the integers."""
    session = current()
    places: dict[int, Node] = {}
    basic: list[Any] = []
    axis = 0
    for item in items:
        basic.append(_WHOLE if isinstance(item, Tracer) else selection(item))
        if isinstance(item, Tracer):
            places[axis] = item._read()
        axis += isinstance(item, Tracer | slice) or item is None
    view = x._view.select(session, basic)
    found = {k: place(session, index, view.shape[k]) for k, index in places.items()}
    return View.whole(Picked(session, view, found))


def _is_basic(items: Sequence[Any]) -> bool:
    """Whether all arrays of a key are 0-d: these are integers."""
    return all(not item.ndim for item in items if isinstance(item, Tracer))


def refuse_masks(items: Sequence[Any]) -> None:
    """Refuse boolean masks where a result would have a shape that depends on values."""
    if any(isinstance(item, bool | np.bool) or (isinstance(item, Tracer) and item.dtype == np.bool) for item in items):
        raise trace_error(
            "indexing with a boolean mask gives an array whose size is known only when the kernel runs",
            "Choose element by element instead: xp.where(mask, a, b). Assigning one value works: u[mask] = 0.",
        )


def get(x: Tracer, key: Any) -> Tracer:
    """Return ``x[key]`` for a key with arrays."""
    session = current()
    given = traced_key(session, key)
    items = expanded(given, x.ndim)
    refuse_masks(items)
    if not _is_basic(items):
        return fresh(session, pick(x, items).read(session))
    view = picked_view(x, items)
    if not view.shape and not _has_ellipsis(key):
        return fresh(session, view.read(session), scalar=True)
    if isinstance(key, Tracer) and not key._scalar:
        return fresh(session, view.read(session))  # a 0-d array that stands alone: NumPy copies
    return Tracer(session, view)


def _has_ellipsis(key: Any) -> bool:
    return isinstance(key, tuple) and any(item is Ellipsis for item in key)


def assign(x: Tracer, key: Any, value: Any) -> None:
    """Do ``x[key] = value`` for a key with arrays."""
    session = current()
    items = expanded(traced_key(session, key), x.ndim)
    if any(isinstance(item, Tracer) and item.dtype == np.bool and item.ndim for item in items):
        assign_masked(x, items, value)
        return
    refuse_masks(items)
    if _is_basic(items):
        view = picked_view(x, items)
        if not (isinstance(value, Tracer) and value._view == view):  # what `x[k] += y` does last: it is written
            view.write(session, value_for(session, value, x.dtype.name, view.shape))
        return
    found = pick(x, items)
    found.write(session, "set", value_for(session, value, x.dtype.name, found.shape))
