"""CUDA C++ to loaded kernels, by NVRTC through CuPy.

CuPy's `RawModule` adds ``-ftz=true`` to every compilation, which takes small float32 numbers for zero. So NVRTC is
called through `cupy.cuda.compiler.compile_using_nvrtc`, which adds nothing but where CUDA's headers are.
"""

from __future__ import annotations

from typing import Any

import cupy
from cupy.cuda import compiler

from xpaccel.backends.cuda.grid import Shape, options_of
from xpaccel.backends.gpu.modules import Modules
from xpaccel.codegen.cuda_c import ENTRY
from xpaccel.errors import CompileError


def _surroundings() -> tuple[str, ...]:
    major, minor = cupy.cuda.nvrtc.getVersion()
    return ("nvrtc", f"{major}.{minor}", f"cupy {cupy.__version__}")


modules = Modules(ENTRY, ".cu", _surroundings)


def function(source: str, shape: Shape) -> Any:
    """Return the kernel for a launch of that shape on the current device.

    Raises
    ------
    CompileError
        If NVRTC refuses the source; the message names the file that holds it.
    """
    options = options_of(shape)

    def build(path: str, arch: int) -> bytes:
        try:
            image: bytes = compiler.compile_using_nvrtc(source, options, filename=path)[0]
        except compiler.CompileException as error:
            raise CompileError(f"NVRTC refused the generated source {path}:\n{error}") from error
        return image

    return modules.function(source, options, build)
