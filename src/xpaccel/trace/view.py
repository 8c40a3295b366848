"""Buffers and views of them: what memory a traced array stands for.

A buffer holds a value at each moment of the trace; writing gives it another. A view is a strided
box of a buffer with its axes in some order, as in NumPy, so whatever is read through it is what the
buffer holds then.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node, Shape
from xpaccel.trace.session import Session
from xpaccel.trace.sizes import ONE, ZERO, resolve_index, resolve_slice
from xpaccel.trace.source import trace_error


class Buffer:
    """Memory of a traced array.

    Attributes
    ----------
    node
        What it holds now.
    slot
        The array argument that it is, None for another.
    constant
        Whether it is a captured array, which a kernel must not write.
    family
        The buffers that might be the same memory in NumPy, because one is a reshape of another.
    stale
        Where a member of the family was written, after which the content of this one is not known.
    """

    __slots__ = ("__weakref__", "constant", "family", "node", "slot", "stale")

    def __init__(self, node: Node, slot: int | None = None, *, constant: bool = False) -> None:
        self.node = node
        self.slot = slot
        self.constant = constant
        self.family: list[weakref.ref[Buffer]] | None = None
        self.stale = ""

    def relate(self, other: Buffer) -> None:
        """Note that `other`, made from this one, might be the same memory."""
        if self.family is None:
            self.family = [weakref.ref(self)]
        self.family.append(weakref.ref(other))
        other.family = self.family

    def check(self) -> None:
        """Raise where the content is not known."""
        if self.stale:
            raise trace_error(
                "this array was reshaped from another, or another from it, and that was written since "
                f"(at {self.stale}): whether the two share memory depends on how the arrays lie",
                "Reshape after writing, or work on a copy: xp.reshape(x, shape, copy=True), x.copy().",
            )

    def write(self, node: Node, line: str) -> None:
        """Put another value in."""
        self.check()
        if self.constant:
            raise trace_error(
                "a kernel cannot write to an array that it was not given",
                "Give it to the kernel as an argument, or write to a copy: xp.asarray(x, copy=True).",
            )
        for reference in self.family or ():
            other = reference()
            if other is None or other is self:
                continue
            if other.slot is not None or other.constant:
                raise trace_error(
                    "this array was reshaped from an argument and is written now: whether that writes to "
                    "the argument too depends on how the argument lies in memory",
                    "Write to the argument itself through slices, or reshape a copy: xp.reshape(x, shape, copy=True).",
                )
            other.stale = line or "a line before"
        self.node = node


@dataclass(frozen=True, slots=True)
class View:
    """A strided box of a buffer, with its axes in some order.

    Parameters
    ----------
    buffer
        The memory.
    box
        ``(start, step, size)`` for each axis of the buffer.
    axes
        The buffer's axis for each axis of the view; None for an axis along which all is the same
        (a new axis, a broadcast one). An axis of the buffer left out has size 1.
    shape
        The view's shape.
    is_read_only
        Whether it was broadcast, which NumPy does not let one write through.
    """

    buffer: Buffer
    box: tuple[tuple[Affine, int, Affine], ...]
    axes: tuple[int | None, ...]
    shape: Shape
    is_read_only: bool = False

    @staticmethod
    def whole(buffer: Buffer) -> View:
        """Return the view of all of a buffer."""
        shape = buffer.node.shape
        return View(buffer, tuple((ZERO, 1, size) for size in shape), tuple(range(len(shape))), shape)

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the buffer as it lies."""
        shape = self.buffer.node.shape
        return (
            self.shape == shape
            and self.axes == tuple(range(len(shape)))
            and all(start == ZERO and step == 1 for start, step, _ in self.box)
        )

    def read(self, session: Session) -> Node:
        """Return what the view shows now."""
        self.buffer.check()
        builder = session.builder
        starts, steps, sizes = [b[0] for b in self.box], [b[1] for b in self.box], [b[2] for b in self.box]
        node = builder.slice(self.buffer.node, starts, steps, sizes)
        return builder.broadcast(builder.axes(node, self.axes), self.shape)

    def write(self, session: Session, value: Node) -> None:
        """Replace what the view shows by `value`, of the view's shape and the buffer's dtype."""
        builder = session.builder
        if self.is_read_only:
            raise ValueError("assignment destination is read-only")
        if ZERO in self.shape:
            return  # nothing is written
        order = [self.axes.index(axis) if axis in self.axes else None for axis in range(len(self.box))]
        value = builder.axes(value, order)
        fresh = self.buffer.slot is None
        base = self.buffer.node
        if fresh and value.shape == base.shape and all(b == (ZERO, 1, b[2]) for b in self.box):
            self.buffer.write(value, builder.line)
            return
        starts, steps = [b[0] for b in self.box], [b[1] for b in self.box]
        self.buffer.write(builder.update(base, value, starts, steps), builder.line)

    def scatter(
        self, session: Session, mode: str, value: Node, places: Mapping[int, Node], walked: Mapping[int, int]
    ) -> None:
        """Put the elements of `value` at places of the view.

        Parameters
        ----------
        mode
            How they are combined with what is there: see `xpaccel.graph.node`.
        value
            The elements.
        places
            For each axis of the view that is looked up, where: of the shape of `value`.
        walked
            For each other axis of the view, the axis of `value` that goes along with it.
        """
        builder = session.builder
        box: list[tuple[Affine, int, int | None]]
        if self.is_read_only:
            raise ValueError("assignment destination is read-only")
        if ZERO in value.shape:
            return  # nothing is written
        if any(self.axes[axis] is None for axis in places):  # a new axis: looked up in a copy that has it
            box = [(ZERO, 1, walked.get(axis)) for axis in range(len(self.shape))]
            chosen = [places[axis] for axis in sorted(places)]
            self.write(session, builder.scatter(self.read(session), value, chosen, mode, box))
            return
        box = []
        order: list[Node] = []
        for axis, (start, step, _) in enumerate(self.box):
            if axis not in self.axes:
                box.append((start, 1, -1))
                continue
            own = self.axes.index(axis)
            if own in places:
                order.append(places[own])
            box.append((start, step, None if own in places else walked[own]))
        self.buffer.write(builder.scatter(self.buffer.node, value, order, mode, box), builder.line)

    def select(self, session: Session, index: Sequence[Any]) -> View:
        """Return the view that basic indexing gives.

        Parameters
        ----------
        index
            An `Affine` (an integer), a ``(start, stop, step)`` tuple of `Affine` or None (a slice),
            or None (a new axis); one for each axis of the view but for new ones.
        """
        guards = session.guards
        box = list(self.box)
        axes: list[int | None] = []
        shape: list[Affine] = []
        position = 0
        for item in index:
            if item is None:
                axes.append(None)
                shape.append(ONE)
                continue
            axis, size = self.axes[position], self.shape[position]
            if isinstance(item, Affine):
                start, step, count = resolve_index(guards, item, size, position), 1, ONE
            else:
                start, step, count = resolve_slice(guards, item[0], item[1], item[2], size)
                axes.append(axis)
                shape.append(count)
            if axis is not None:
                first, stride, _ = box[axis]
                box[axis] = (first + start * stride, step * stride if count != ONE else 1, count)
            position += 1
        return View(self.buffer, tuple(box), tuple(axes), tuple(shape), self.is_read_only)

    def transpose(self, order: Sequence[int | None]) -> View:
        """Return the view with its axes in that order; None is a new axis, one left out has size 1."""
        axes = tuple(None if k is None else self.axes[k] for k in order)
        shape = tuple(ONE if k is None else self.shape[k] for k in order)
        return View(self.buffer, self.box, axes, shape, self.is_read_only)

    def broadcast(self, shape: Shape) -> View:
        """Return the view broadcast to `shape`, to which it is known to broadcast."""
        lead = len(shape) - len(self.shape)
        axes: list[int | None] = [None] * lead
        box = list(self.box)
        for axis, size, target in zip(self.axes, self.shape, shape[lead:], strict=True):
            axes.append(None if size == ONE and target != ONE else axis)
            if axes[-1] is not None and target != size and axis is not None:
                box[axis] = (*box[axis][:2], target)  # another name of the same size
        return View(self.buffer, tuple(box), tuple(axes), tuple(shape), True)
