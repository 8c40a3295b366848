"""Calls of library functions as steps of a program: whole arrays in, whole arrays out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from xpaccel import debug
from xpaccel.backends.base import Backend, Geometry
from xpaccel.graph.calls import evaluate
from xpaccel.loops.program import Call, LoopProgram


class LibraryCall:
    """A call of a function of the target's namespace, for arrays of certain sizes.

    Parameters
    ----------
    call, loops
        The call, and the program that it is a step of.
    geometry
        The sizes.
    backend
        The target.
    """

    def __init__(self, call: Call, loops: LoopProgram, geometry: Geometry, backend: Backend) -> None:
        self._call, self._backend = call, backend
        self._results = [
            (which, number, geometry.shapes[number], loops.arrays[number].dtype) for which, number in call.outputs
        ]

    def run(self, arrays: list[Any], addresses: list[int], scalars: Sequence[Any]) -> None:
        """Call the function, and put its results among the arrays of the program.

        Whatever it raises (``LinAlgError``, for one) is the caller's.
        """
        call, memory = self._call, self._backend.memory
        namespace = self._backend.namespace()
        start = time.perf_counter()
        found = evaluate(namespace, call.function, [arrays[number] for number in call.inputs], call.arguments)
        for which, number, shape, dtype in self._results:
            result = namespace.asarray(found[which], order="C")
            if result.shape != shape or result.dtype.name != dtype:
                raise AssertionError(
                    f"{call.function} gave {result.dtype}{list(result.shape)}, expected {dtype}{list(shape)}"
                )
            arrays[number], addresses[number] = result, memory.address(result)
        if debug.level() >= 2:
            debug.say(f"{call.function} ({call.line or 'no line'}): {(time.perf_counter() - start) * 1e6:.1f} us")
