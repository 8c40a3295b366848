"""Halo exchange: one message to each neighbour for all fields of a call, sent while the interior is computed.

What is exchanged follows from the offsets at which a kernel reads: a corner is sent only if something reads it, and no
wider than that. The buffers and the requests are made once and started again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel import debug
from xpaccel.domain.communicator import Link, Parcel
from xpaccel.domain.footprint import Offset
from xpaccel.domain.location import axis_name
from xpaccel.domain.part import Ranges
from xpaccel.errors import BackendError, DomainError

if TYPE_CHECKING:
    from xpaccel.domain.field import Field
    from xpaccel.domain.grid import Grid

#: A step to a neighbour: -1, 0 or 1 along each axis.
Direction = tuple[int, ...]


def widths(offsets: set[Offset], direction: Direction) -> tuple[int, ...] | None:
    """Return how far reads go along each axis of a direction; None if none goes there.

    A read goes in a direction if it goes that way along every axis that the direction has. So a read at (2, -1)
    needs the corner that way, and both sides next to it.
    """
    there = [
        offset
        for offset in offsets
        if all(step * sign > 0 for step, sign in zip(offset, direction, strict=True) if sign)
    ]
    if not there:
        return None
    return tuple(max(abs(offset[axis]) for offset in there) if sign else 0 for axis, sign in enumerate(direction))


def directions(axes: int) -> list[Direction]:
    """Return every direction to a neighbour."""
    return [direction for direction in product((-1, 0, 1), repeat=axes) if any(direction)]


def received(owned: Ranges, direction: Direction, width: Sequence[int]) -> Ranges:
    """Return the ghosts in a direction."""
    return tuple(
        (low, high) if not sign else (high, high + far) if sign > 0 else (low - far, low)
        for (low, high), sign, far in zip(owned, direction, width, strict=True)
    )


def sent(owned: Ranges, direction: Direction, width: Sequence[int]) -> Ranges:
    """Return the points that are ghosts of the neighbour in a direction."""
    return tuple(
        (low, high) if not sign else (high - far, high) if sign > 0 else (low, low + far)
        for (low, high), sign, far in zip(owned, direction, width, strict=True)
    )


@dataclass(slots=True)
class Counters:
    """What a grid's exchanges have done on this rank.

    Attributes
    ----------
    exchanges, messages, bytes
        How many there were; messages and bytes are those sent.
    """

    exchanges: int = 0
    messages: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A box of points of a field, and where in a message it stands."""

    field: int
    ranges: Ranges
    first: int
    end: int


@dataclass(slots=True)
class Message:
    """What goes to, or comes from, a rank: pieces of fields in one buffer."""

    rank: int
    pieces: list[Piece]
    buffer: np.ndarray[Any, Any]


class Exchange:
    """The exchange of the halos of several fields, prepared.

    Parameters
    ----------
    grid
        Their grid.
    fields
        Examples of the fields, by their number among the arguments: those of a call have the same locations and dtypes.
    reads
        The offsets at which each of them is read.

    Raises
    ------
    DomainError
        If some rank has fewer points along an axis than its neighbour reads.
    """

    def __init__(self, grid: Grid, fields: dict[int, Field], reads: dict[int, set[Offset]]) -> None:
        self._grid = grid
        sends: dict[int, list[tuple[Direction, int, Ranges]]] = {}
        receives: dict[int, list[tuple[Direction, int, Ranges]]] = {}
        self._copies: list[tuple[int, Ranges, Ranges]] = []
        place = grid.decomposition.position(grid.rank)
        for direction in directions(grid.ndim):
            back = tuple(-sign for sign in direction)
            rank = grid.decomposition.rank([part + sign for part, sign in zip(place, direction, strict=True)])
            for number, field in fields.items():
                width = widths(reads[number], direction)
                if width is not None:
                    _check(grid, width, direction)
                if rank is None:
                    continue
                opposite = widths(reads[number], back)
                if rank == grid.rank:
                    if width is not None:
                        self._copies.append(
                            (number, sent(field.owned, back, width), received(field.owned, direction, width))
                        )
                    continue
                if width is not None:
                    # Both sides order the pieces by the direction in which they are sent.
                    receives.setdefault(rank, []).append((back, number, received(field.owned, direction, width)))
                if opposite is not None:
                    sends.setdefault(rank, []).append((direction, number, sent(field.owned, direction, opposite)))
        itemsizes = {number: field.dtype.itemsize for number, field in fields.items()}
        self._sends = [_message(rank, items, itemsizes) for rank, items in sorted(sends.items())]
        self._receives = [_message(rank, items, itemsizes) for rank, items in sorted(receives.items())]
        self._link: Link | None = None
        if (self._sends or self._receives) and any(not field.memory.is_host for field in fields.values()):
            raise BackendError(
                "fields of a GPU are not exchanged between ranks yet.\n    Run on one rank, or choose a backend of the "
                "host."
            )

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to exchange."""
        return bool(self._sends or self._receives or self._copies)

    @property
    def has_messages(self) -> bool:
        """Whether it needs another rank."""
        return bool(self._sends or self._receives)

    def start(self, fields: dict[int, Field]) -> None:
        """Post the receives, pack and send; ghosts that come from this rank itself are copied at once."""
        counters = self._grid.counters
        counters.exchanges += 1
        if self.has_messages:
            link = self._link = self._link or self._grid.comm.link(*map(_parcels, (self._sends, self._receives)))
            link.post()
            for message in self._sends:
                for piece in message.pieces:
                    source = fields[piece.field].part(piece.ranges)
                    np.copyto(_view(message.buffer, piece, source), source)
                counters.messages += 1
                counters.bytes += message.buffer.nbytes
                if debug.level() >= 2:
                    debug.say(f"rank {self._grid.rank} to {message.rank}: {message.buffer.nbytes} bytes")
            link.send()
        for number, source, target in self._copies:
            fields[number].part(target)[...] = fields[number].part(source)

    def finish(self, fields: dict[int, Field]) -> None:
        """Wait for what the neighbours sent, and unpack it."""
        if self._link is None:
            return
        self._link.receive()
        for message in self._receives:
            for piece in message.pieces:
                target = fields[piece.field].part(piece.ranges)
                np.copyto(target, _view(message.buffer, piece, target))
        self._link.finish()


def _parcels(messages: Sequence[Message]) -> list[Parcel]:
    return [(message.rank, message.buffer) for message in messages]


def _message(rank: int, items: list[tuple[Direction, int, Ranges]], itemsizes: dict[int, int]) -> Message:
    """Lay out a message."""
    pieces: list[Piece] = []
    at = 0
    for _, number, ranges in sorted(items, key=lambda item: (item[0], item[1])):
        at = -(-at // itemsizes[number]) * itemsizes[number]  # so that a view of the buffer is aligned
        size = itemsizes[number]
        for low, high in ranges:
            size *= high - low
        pieces.append(Piece(number, ranges, at, at + size))
        at += size
    return Message(rank, pieces, np.zeros(at, np.uint8))


def _view(buffer: np.ndarray[Any, Any], piece: Piece, like: Any) -> Any:
    return buffer[piece.first : piece.end].view(like.dtype).reshape(like.shape)


def _check(grid: Grid, width: Sequence[int], direction: Direction) -> None:
    """Refuse blocks that are narrower than what a neighbour reads of them."""
    for axis, far in enumerate(width):
        cut = grid.dims[axis] > 1 or grid.periodic[axis]
        fewest = grid.decomposition.narrowest(axis)
        if direction[axis] and cut and far > fewest:
            most = grid.shape[axis] // far
            advice = (
                f"Use at most {most} parts along it: dims=(...), or fewer ranks."
                if most
                else "The kernel reads further than the whole domain is wide."
            )
            raise DomainError(
                f"the halo is {far} wide along axis {axis_name(axis)}, and some rank has only {fewest} "
                f"cell{'s' if fewest > 1 else ''} there ({grid.shape[axis]} cells in {grid.dims[axis]} "
                f"part{'s' if grid.dims[axis] > 1 else ''}).\n    {advice}"
            )
