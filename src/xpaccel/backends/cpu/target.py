"""The ``numba`` target: fused loops on all cores of this machine, over NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xpaccel.backends.host import MEMORY, HostMemory
from xpaccel.backends.installed import is_installed
from xpaccel.codegen import numba_cpu
from xpaccel.codegen.layout import NestCode
from xpaccel.loops.program import LoopProgram, Nest


class Numba:
    """Loops compiled by Numba, loaded from our own cache where they were compiled before."""

    name = "numba"
    eager = False

    @property
    def memory(self) -> HostMemory:
        """Host memory."""
        return MEMORY

    def why_unavailable(self) -> str | None:
        """Return None if Numba is installed (it is not imported to find out)."""
        for module in ("numba", "llvmlite"):
            if not is_installed(module):
                return f'{module} is not installed (pip install "xpaccel[numba]")'
        return None

    def namespace(self) -> Any:
        """Return `numpy`."""
        return np

    def arrange(self, program: LoopProgram, *, reproducible: bool) -> LoopProgram:
        """Return the program: points in order run on one thread, and every result has the same bits each time."""
        return program

    def synchronize(self) -> None:
        """Do nothing: calls return when they are done."""

    def print_nest(self, program: LoopProgram, nest: Nest) -> NestCode:
        """Return the Numba source of a nest."""
        return numba_cpu.print_nest(program, nest)

    def sources(self, program: LoopProgram) -> list[str]:
        """Return the source of each nest of a program, in order."""
        return [numba_cpu.print_nest(program, nest).source for nest in program.nests]

    def load(self, program: LoopProgram, codes: Sequence[NestCode], name: str) -> Any:
        """Return machine code, from memory, from the cache on disk, or from the compiler."""
        from xpaccel.backends.cpu import machine
        from xpaccel.backends.cpu.launch import CpuEngine

        return CpuEngine(program, codes, machine.get_functions([(code.source, numba_cpu.ENTRY) for code in codes]))

    def record(self, function: Callable[[], Any]) -> str:
        """Say that there is nothing to record: calls are cheap here."""
        return f"backend {self.name!r} has no launches to record"
