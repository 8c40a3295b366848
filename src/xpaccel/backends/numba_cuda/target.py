"""The ``numba-cuda`` target: fused kernels compiled by Numba CUDA over CuPy's arrays.

Numba turns the generated source into machine code and has no other part in it: CuPy launches it, on its current
stream and in its memory pool, as it does the kernels of the target ``cupy``. Where ``NUMBA_ENABLE_CUDASIM=1`` is set,
and only there, Numba's simulator runs the same source thread by thread over NumPy's arrays: that shows what a kernel
means and not how fast it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpaccel.backends.cuda import plan
from xpaccel.backends.cuda.target import why_no_device
from xpaccel.backends.gpu import devices
from xpaccel.backends.installed import is_installed
from xpaccel.backends.numba_cuda.plan import NUMBA_CUDA
from xpaccel.codegen import numba_cuda
from xpaccel.codegen.cuda_basis import is_simulated
from xpaccel.codegen.device import DeviceCode
from xpaccel.codegen.layout import NestCode
from xpaccel.loops import scatter
from xpaccel.loops.program import LoopProgram, Nest


class NumbaCuda:
    """Kernels in Python, compiled by Numba CUDA and kept on disk; or run in Numba's simulator, if that is asked for."""

    name = "numba-cuda"
    eager = False

    @property
    def memory(self) -> Any:
        """CuPy's memory on this process's device; in the simulator, the host's."""
        if is_simulated():
            from xpaccel.backends import host

            return host.MEMORY
        from xpaccel.backends.gpu import memory

        devices.use_device()
        return memory.MEMORY

    def why_unavailable(self) -> str | None:
        """Return None if Numba CUDA, its libraries and a device are there, or if Numba is to simulate them."""
        if is_simulated():
            return None if is_installed("numba") else 'numba is not installed (pip install "xpaccel[numba]")'
        for module in ("numba", "numba_cuda", "cuda.bindings.nvjitlink"):
            if not is_installed(module):
                return (
                    f'{module} is not installed (pip install "xpaccel[cuda12]" or "xpaccel[cuda13]", whichever CUDA '
                    f"the driver has: `nvidia-smi` shows it). {SIMULATOR}"
                )
        reason = why_no_device()
        return None if reason is None else f"{reason}. {SIMULATOR}"

    def namespace(self) -> Any:
        """Return the array API namespace of its arrays: CuPy's, or NumPy in the simulator."""
        if is_simulated():
            import numpy as np

            return np
        import array_api_compat.cupy

        devices.use_device()
        return array_api_compat.cupy

    def arrange(self, program: LoopProgram, *, reproducible: bool) -> LoopProgram:
        """Return a program without points that run in order on one thread."""
        return scatter.spread(program, reproducible=reproducible)

    def synchronize(self) -> None:
        """Wait for the device; the simulator's calls return when they are done."""
        if is_simulated():
            return
        from xpaccel.backends.cuda.launch import synchronize
        from xpaccel.backends.gpu import faults

        synchronize()
        faults.look()

    def print_nest(self, program: LoopProgram, nest: Nest) -> DeviceCode:
        """Return the Numba CUDA source of a nest."""
        return numba_cuda.print_nest(program, nest)

    def load(self, program: LoopProgram, codes: Sequence[NestCode], name: str) -> Any:
        """Return what launches a program's kernels."""
        printed = [code for code in codes if isinstance(code, DeviceCode)]
        kernels = plan.kernels(program, printed, NUMBA_CUDA)
        if is_simulated():
            from xpaccel.backends.numba_cuda.simulated import SimulatedEngine

            return SimulatedEngine(program, kernels)
        from xpaccel.backends.cuda.launch import CudaEngine
        from xpaccel.backends.numba_cuda.launch import spread

        return CudaEngine(program, kernels, name, spread)

    def sources(self, program: LoopProgram) -> list[str]:
        """Return the source of the kernels of a program, in order."""
        return plan.kernels(program, None, NUMBA_CUDA).sources

    def record(self, function: Callable[[], Any]) -> Callable[[], Any] | str:
        """Record launches in a CUDA graph, which the simulator does not have."""
        if is_simulated():
            return "Numba's simulator has no launches to record"
        from xpaccel.backends.cuda.record import record

        return record(function)


#: What to do without a GPU.
SIMULATOR = "Without a GPU, NUMBA_ENABLE_CUDASIM=1 has Numba simulate one, thread by thread: for small tests"
