"""What a target is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from xpaccel.codegen.layout import NestCode
from xpaccel.loops.program import LoopProgram, Nest


class Function(Protocol):
    """Machine code of a nest: ``function(address of ints, address of floats, low, high)``.

    Attributes
    ----------
    address
        Where the code starts.
    """

    address: int

    def __call__(self, ints: int, floats: int, low: int, high: int, /) -> Any:
        """Run the nest from `low` to `high`."""


class Backend(Protocol):
    """A target: is it there, what is its namespace, how does it print and compile."""

    name: str
    #: Whether kernels run as they are written, untraced; nothing is printed or compiled then.
    eager: bool

    def why_unavailable(self) -> str | None:
        """Return None if it can be used here, else why not and what to do."""

    def namespace(self) -> Any:
        """Return the array API namespace of its arrays."""

    def print_nest(self, program: LoopProgram, nest: Nest) -> NestCode:
        """Return the generated source of a nest and what it must be told."""

    def compile(self, codes: Sequence[NestCode]) -> list[Function]:
        """Return the machine code of nests."""
