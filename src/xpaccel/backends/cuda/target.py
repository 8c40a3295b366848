"""The ``cupy`` target: fused CUDA C++ kernels over CuPy's arrays.

Everything runs on CuPy's current stream and in CuPy's memory pool. Nothing is copied to the host, and
nothing waits for the device, unless ``XP_DEBUG`` asks for times or ``XP_SYNC`` for errors in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpaccel.backends.cuda import plan
from xpaccel.backends.gpu import devices
from xpaccel.backends.installed import is_installed
from xpaccel.codegen import cuda_c
from xpaccel.codegen.device import DeviceCode
from xpaccel.codegen.layout import NestCode
from xpaccel.errors import BackendError
from xpaccel.loops import scatter
from xpaccel.loops.program import LoopProgram, Nest


class CuPy:
    """CUDA C++ kernels, compiled by NVRTC through CuPy, which keeps them on disk."""

    name = "cupy"
    eager = False

    @property
    def memory(self) -> Any:
        """The memory of this process's device, which is chosen when it is first asked for."""
        from xpaccel.backends.gpu.memory import MEMORY

        devices.use_device()
        return MEMORY

    def why_unavailable(self) -> str | None:
        """Return None if CuPy is installed and sees a device."""
        return why_no_device()

    def namespace(self) -> Any:
        """Return the array API namespace of CuPy's arrays."""
        import array_api_compat.cupy

        devices.use_device()
        return array_api_compat.cupy

    def arrange(self, program: LoopProgram, *, reproducible: bool) -> LoopProgram:
        """Return a program without points that run in order on one thread."""
        return scatter.spread(program, reproducible=reproducible)

    def synchronize(self) -> None:
        """Wait for the device."""
        from xpaccel.backends.cuda.launch import synchronize
        from xpaccel.backends.gpu import faults

        synchronize()
        faults.look()

    def print_nest(self, program: LoopProgram, nest: Nest) -> DeviceCode:
        """Return the CUDA C++ source of a nest."""
        return cuda_c.print_nest(program, nest)

    def load(self, program: LoopProgram, codes: Sequence[NestCode], name: str) -> Any:
        """Return what launches a program's kernels."""
        from xpaccel.backends.cuda.launch import CudaEngine

        printed = [code for code in codes if isinstance(code, DeviceCode)]
        return CudaEngine(program, plan.kernels(program, printed), name)

    def sources(self, program: LoopProgram) -> list[str]:
        """Return the source of the kernels of a program, in order."""
        return plan.kernels(program).sources

    def record(self, function: Callable[[], Any]) -> Callable[[], Any] | str:
        """Record launches in a CUDA graph."""
        from xpaccel.backends.cuda.record import record

        return record(function)


def why_no_device() -> str | None:
    """Return None if CuPy can be imported and sees a device, else why not and what to do."""
    if not is_installed("cupy"):
        return devices.NO_CUPY
    try:
        devices.look()
    except BackendError as error:
        return f"{error} (`xpaccel doctor` says more)"
    return None
