"""Generated Numba CUDA source to loaded kernels, by Numba, NVVM and nvJitLink.

Numba's front end and NVVM make LTO-IR, and nvJitLink makes PTX and machine code of it; none of them needs a device.
Numba has no option against fusing multiplications and additions, the linker has: each operation is rounded as the
source has it, in what is called from NVIDIA's libdevice too. CuPy loads the result, so kernels share its context,
its streams and its recordings, and a launch costs what CuPy's launches cost.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import Any

from xpaccel.cache import digest_of_sources
from xpaccel.codegen.device import LANES, THREADS, ChainCode, DeviceCode
from xpaccel.codegen.numba_cuda import ENTRY
from xpaccel.errors import CompileError

#: nvJitLink's options for every kernel.
OPTIONS = ("-lto", "-fma=0", "-ftz=0", "-prec-div=1", "-prec-sqrt=1")
#: The files of xpaccel that decide what a source becomes: an edit of them must not find yesterday's code.
COMPILED_BY = (
    *("backends/numba_cuda/module.py", "codegen/cuda_complex.py", "codegen/cuda_device.py"),
    *("codegen/cuda_scalar.py", "codegen/emit.py"),
)
_ENTRY = re.compile(r"\.visible \.entry (\w+)\(")


def function(code: DeviceCode | ChainCode) -> Any:
    """Return a kernel on the current device.

    Raises
    ------
    CompileError
        If the compiler refuses the source; the message names the file that holds it.
    """
    kinds = tuple(kind for _, kind in code.fields)
    return _modules().function(code.source, kinds, lambda path, arch: assemble(compile_ptx(code, arch, path), arch))


@cache
def _modules() -> Any:
    from xpaccel.backends.gpu.modules import Modules  # CuPy's: what is above needs no device

    return Modules(ENTRY, ".py", surroundings)


def compile_ptx(code: DeviceCode | ChainCode, arch: int, filename: str = "<generated>") -> str:
    """Compile generated source to PTX, without a device.

    Parameters
    ----------
    code
        The kernel.
    arch
        The compute capability times ten: 90 for sm_90.
    filename
        The file that tracebacks and messages name.

    Raises
    ------
    CompileError
        If the compiler refuses the source.
    """
    from cuda.bindings import nvjitlink
    from numba import cuda
    from numba.cuda import types

    numba_types = {"pointer": types.uint64, "Int": types.int64, "bool": types.boolean}
    signature = types.void(*(numba_types.get(kind) or getattr(types, kind) for _, kind in code.fields))
    # reductions hold registers for what they load ahead, and would take so many that few blocks run at once
    bounds = (THREADS, 3) if code.form == LANES else THREADS
    namespace: dict[str, Any] = {"__name__": "xpaccel.generated", "__file__": filename}
    try:
        exec(compile(code.source, filename, "exec"), namespace)
        image, _ = cuda.compile(
            namespace[ENTRY],
            signature,
            device=False,
            abi="numba",
            cc=divmod(arch, 10),
            launch_bounds=bounds,
            output="ltoir",
        )
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        raise CompileError(f"Numba CUDA refused the generated source {filename}: {reason}") from error
    text = _link(image, nvjitlink.InputType.LTOIR, [f"-arch=sm_{arch}", *OPTIONS, "-ptx"]).rstrip(b"\0").decode()
    found = _ENTRY.search(text)
    if found is None:
        raise CompileError(f"nvJitLink found no kernel in what Numba CUDA made of the generated source {filename}")
    return text.replace(found[1], ENTRY)  # Numba's name for it holds a count of this process's


def assemble(ptx: str, arch: int) -> bytes:
    """Return the machine code of PTX, without a device."""
    from cuda.bindings import nvjitlink

    return _link(ptx.encode(), nvjitlink.InputType.PTX, [f"-arch=sm_{arch}"])


def _link(code: bytes, kind: Any, options: list[str]) -> bytes:
    """Return what nvJitLink makes of a code: PTX where the options ask for it, else machine code."""
    from cuda.bindings import nvjitlink

    def content(size: Callable[[int], int], fill: Callable[[int, bytearray], None]) -> bytes:
        found = bytearray(size(handle))
        fill(handle, found)
        return bytes(found)

    handle = nvjitlink.create(len(options), options)
    try:
        nvjitlink.add_data(handle, kind, code, len(code), ENTRY)
        nvjitlink.complete(handle)
        if "-ptx" in options:
            return content(nvjitlink.get_linked_ptx_size, nvjitlink.get_linked_ptx)
        return content(nvjitlink.get_linked_cubin_size, nvjitlink.get_linked_cubin)
    except nvjitlink.nvJitLinkError as error:
        log = content(nvjitlink.get_error_log_size, nvjitlink.get_error_log).rstrip(b"\0").decode()
        raise CompileError(f"nvJitLink refused a generated kernel with {' '.join(options)}:\n{log}") from error
    finally:
        nvjitlink.destroy(handle)


def surroundings() -> tuple[str, ...]:
    """Return everything besides the source, its arguments and the device that decides the machine code."""
    from cuda.bindings import nvjitlink, nvvm

    versions = [f"{name} {metadata.version(name)}" for name in ("llvmlite", "numba", "numba-cuda")]
    return (*versions, f"nvvm {nvvm.version()}", f"nvjitlink {nvjitlink.version()}", digest_of_sources(COMPILED_BY))
