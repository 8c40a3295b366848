"""What a target is: its memory, its generated source, and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from xpaccel.codegen.layout import NestCode
from xpaccel.graph.affine import Affine, Symbol
from xpaccel.loops.program import LoopProgram, Nest

#: The part of a nest's index space that is run: ``(low, high)`` of each axis.
Box = Sequence[tuple[int, int]]


class Memory(Protocol):
    """Where the arrays of a target lie, and what is done to them outside of nests.

    Attributes
    ----------
    array_type
        The class of its arrays. They have NumPy's ``dtype``, ``shape`` and ``strides``.
    is_host
        Whether it is the host's, so that arrays are NumPy's and a 0-d result may be a NumPy scalar.
    """

    array_type: type[Any]
    is_host: bool

    def address(self, array: Any) -> int:
        """Return where element (0, 0, ...) of an array lies."""

    def empty(self, shape: Sequence[int], dtype: Any) -> Any:
        """Return a new C-contiguous array of undefined contents."""

    def upload(self, array: Any) -> Any:
        """Return an array of this memory with the elements of a NumPy array."""

    def strided(self, array: Any, shape: Sequence[int], strides: Sequence[int]) -> Any:
        """Return the array of that shape and those strides (in bytes) that starts where `array` does."""

    def problem(self, array: Any) -> str | None:
        """Return None if nests can work on this array, else why not and what to do."""

    def is_writeable(self, array: Any) -> bool:
        """Whether it may be written to."""

    def snapshot(self, array: Any) -> Any:
        """Return what the elements of an array are now, for `differs`."""

    def differs(self, array: Any, before: Any) -> bool:
        """Whether the elements of an array are other bytes than they were at a snapshot."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The sizes of a call.

    Attributes
    ----------
    sizes
        The value of each size symbol.
    shapes, strides
        Of each array of the loop program, by number; strides in elements.
    firsts
        Which element lies at the address of each array, where that is not element (0, 0, ...): of an array of
        which only a part is in memory.
    boxes
        For each nest the boxes to run, ``(low, high)`` of each axis; None for all of them.
    """

    sizes: Mapping[Symbol, int]
    shapes: Sequence[tuple[int, ...]]
    strides: Sequence[tuple[int, ...]]
    firsts: Sequence[tuple[int, ...]] | None = None
    boxes: Sequence[Sequence[Box]] | None = None

    def offset(self, array: int, starts: Sequence[Affine]) -> int:
        """Return how many elements after its address an element of an array lies."""
        at = [start.value(self.sizes) for start in starts]
        if self.firsts is not None:
            at = [k - first for k, first in zip(at, self.firsts[array], strict=True)]
        return sum(k * stride for k, stride in zip(at, self.strides[array], strict=True))

    def boxes_of(self, number: int, nest: Nest) -> Sequence[Box]:
        """Return the boxes to run of a nest."""
        if self.boxes is not None:
            return self.boxes[number]
        return [[(low.value(self.sizes), high.value(self.sizes)) for low, high in nest.box]]


class Launches(Protocol):
    """The nests of a program, prepared for one `Geometry`. May be run by several threads."""

    def run(self, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        """Run all nests in order.

        Parameters
        ----------
        arrays, addresses
            The program's arrays by number. An array that is another shape of one is None.
        scalars
            The program's run-time scalars, cast to their dtypes.
        """


class Engine(Protocol):
    """The machine code of a program's nests."""

    def bind(self, geometry: Geometry) -> Launches:
        """Prepare for arrays of certain sizes and strides."""


class Backend(Protocol):
    """A target: is it there, what is its namespace, where is its memory, how does it print and run nests."""

    name: str
    #: Whether kernels called on arrays run as they are written, untraced; nothing is printed or compiled then.
    eager: bool

    @property
    def memory(self) -> Memory:
        """The memory that its arrays lie in."""

    def why_unavailable(self) -> str | None:
        """Return None if it can be used here, else why not and what to do."""

    def namespace(self) -> Any:
        """Return the array API namespace of its arrays."""

    def arrange(self, program: LoopProgram, *, reproducible: bool) -> LoopProgram:
        """Return a program that does the same in the way that suits this target.

        Parameters
        ----------
        program
            As it was lowered.
        reproducible
            Whether the bits of every result must be the same each time.
        """

    def synchronize(self) -> None:
        """Wait until everything has run that was asked for.

        Raises
        ------
        IndexError
            If a kernel indexed outside of an axis, and that was not raised yet.
        """

    def print_nest(self, program: LoopProgram, nest: Nest) -> NestCode:
        """Return the generated source of a nest and what it must be told."""

    def sources(self, program: LoopProgram) -> list[str]:
        """Return the generated source of a program as it is run, in order."""

    def load(self, program: LoopProgram, codes: Sequence[NestCode], name: str) -> Engine:
        """Return the machine code of a program, compiled from the source of its nests.

        Profilers are told the kernel's `name`.
        """

    def record(self, function: Callable[[], Any]) -> Callable[[], Any] | str:
        """Record the launches of `function`, of which none is run; return what replays them, or why it cannot."""
