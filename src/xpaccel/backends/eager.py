"""The ``numpy`` target: kernels run as they are written. It is the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from xpaccel.backends.host import MEMORY, HostMemory
from xpaccel.backends.vectorised import VectorisedEngine
from xpaccel.codegen.layout import NestCode, layout
from xpaccel.errors import BackendError
from xpaccel.loops.program import LoopProgram, Nest


class NumPy:
    """Eager NumPy."""

    name = "numpy"
    eager = True

    @property
    def memory(self) -> HostMemory:
        """Host memory."""
        return MEMORY

    def why_unavailable(self) -> str | None:
        """Return None: it is always there."""
        return None

    def namespace(self) -> Any:
        """Return `numpy`, which follows the array API standard itself (from 2.0)."""
        return np

    def synchronize(self) -> None:
        """Do nothing: calls return when they are done."""

    def arrange(self, program: LoopProgram, *, reproducible: bool) -> LoopProgram:
        """Return the program as it is."""
        return program

    def print_nest(self, program: LoopProgram, nest: Nest) -> NestCode:
        """Return nothing: nests are run as they are."""
        return NestCode("", layout(program, nest))

    def sources(self, program: LoopProgram) -> NoReturn:
        """Raise: an eager target generates nothing."""
        raise BackendError("backend 'numpy' runs kernels as they are written: it has no generated source")

    def load(self, program: LoopProgram, codes: Sequence[NestCode], name: str) -> VectorisedEngine:
        """Return what runs nests with NumPy: parts of kernels that are called on fields."""
        return VectorisedEngine(program)

    def record(self, function: Callable[[], Any]) -> str:
        """Say that there is nothing to record: calls are cheap here."""
        return f"backend {self.name!r} has no launches to record"
