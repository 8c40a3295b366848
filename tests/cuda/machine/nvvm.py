"""Functions for Numba CUDA to machine code by NVVM, which needs neither a GPU nor a driver.

What was found with numba-cuda 0.30.4 on the wheels of CUDA 12.9 and of 13.5, alike on both:

- ``numba.cuda.compile`` makes PTX and LTO-IR if it is given ``cc``, for 8.0, 9.0 and 10.0 among others (7.0 is refused
  by 13.5). Everything that asks a device raises ``CudaSupportError``: leaving ``cc`` out, compiling what
  ``numba.cuda.jit`` returns, and its ``inspect_asm``. nvJitLink assembles PTX and links LTO-IR without a driver too.
- A process with ``NUMBA_ENABLE_CUDASIM=1`` compiles nothing: there ``cuda.compile`` calls None. The variable is read
  when Numba is imported, so it takes another process; see `why_unavailable`.
- numba-cuda takes over the name ``numba.cuda`` from what Numba brings itself. It is a package of its own, and the one
  that is meant here.
- Products and sums are fused: NVVM does so unless it is told otherwise, and ``fastmath=False`` does not tell it.
  ``cuda.compile`` knows no ``fma``, and ``cuda.jit(fma=False)`` raises ``TypeError`` when it compiles. Two things
  help: libdevice's rounded operations (``fmul_rn``, ``fadd_rn``, ``dmul_rn``, ``dadd_rn``), in any kernel; and linking
  LTO-IR with ``-fma=0``, which is `compile_kernel` with ``strict=True`` and not what ``cuda.jit`` does.
- Doubles come in unseen: of a literal (``x * 2.5 + 0.1``) and of float32 with an integer of 64 bits (``2 * x[i]``).
- Adding to float32 or float64 with ``cuda.atomic.add`` does not compile for 10.0 with CUDA 12.9 (``ERROR_INVALID_IR``),
  and does with 13.5; integers, and floats up to 9.0, are fine on both.
- An element of an array is loaded by a plain load, never through the read-only cache. A signed index is tested for
  being negative, and wrapped, where the compiler does not see that it cannot be: ``y[n] = x[n]`` takes 28 to 31
  instructions with ``n`` of int64 and 19 or 20 with uint64.
- On a device, ``cuda.jit`` compiles for 9.0 and later with the suffix of that very architecture (``sm_90a``), which
  gives the same instructions in plain arithmetic.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

from cuda.machine import nvrtc


def why_unavailable() -> str | None:
    """Return None if kernels can be compiled in this process, else what to do."""
    for module in ("numba_cuda", "cuda.bindings.nvjitlink"):
        if not _is_there(module):
            return f"{module} is not installed: {nvrtc.INSTALL}"
    from numba import config

    if config.ENABLE_CUDASIM:
        return "Numba simulates CUDA in this process and compiles nothing: run it without NUMBA_ENABLE_CUDASIM"
    from cuda import pathfinder

    for library in ("nvvm", "nvJitLink", "nvrtc"):
        try:
            pathfinder.load_nvidia_dynamic_lib(library)
        except pathfinder.DynamicLibNotFoundError:
            return f"the library {library} is not installed: {nvrtc.INSTALL}"
    return None


@functools.cache
def compile_kernel(
    function: Callable[..., None], signature: Any, arch: int, bounds: int | tuple[int, int] = 256, strict: bool = False
) -> nvrtc.Binary:
    """Compile a kernel.

    Parameters
    ----------
    function
        What ``numba.cuda.jit`` would be given.
    signature
        Of Numba, with no result: ``numba.cuda.types.void(...)``.
    arch
        The compute capability times ten: 80 for A100, 90 for H100 and H200, 100 for B200.
    bounds
        The most threads of a block, and with two numbers the least blocks at once on a multiprocessor.
    strict
        Whether products and sums stay apart, by linking LTO-IR with ``-fma=0``; else by way of PTX, as ``cuda.jit``.

    Raises
    ------
    RuntimeError
        If something is missing, which the message names; or if the code does not link, with the linker's messages.
    """
    reason = why_unavailable()
    if reason is not None:
        raise RuntimeError(reason)
    from cuda.bindings import nvjitlink
    from numba import cuda

    output = "ltoir" if strict else "ptx"
    code, _ = cuda.compile(
        function, signature, device=False, abi="numba", cc=divmod(arch, 10), launch_bounds=bounds, output=output
    )
    options = [f"-arch=sm_{arch}", *(["-lto", "-fma=0"] if strict else [])]
    if not strict:
        cubin, log = assemble(code, arch)
        return nvrtc.binary(cubin, code, log)
    cubin, log = _link(code, nvjitlink.InputType.LTOIR, [*options, "-verbose"])
    ptx, _ = _link(code, nvjitlink.InputType.LTOIR, [*options, "-ptx"])
    return nvrtc.binary(cubin, ptx.rstrip(b"\0").decode(), log)


def assemble(ptx: str, arch: int) -> tuple[bytes, str]:
    """Return the machine code of PTX, and what the assembler says of its resources."""
    from cuda.bindings import nvjitlink

    return _link(ptx.encode(), nvjitlink.InputType.PTX, [f"-arch=sm_{arch}", "-verbose"])


def _is_there(module: str) -> bool:
    """Return whether a module can be found; a package above it may be missing as well."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _link(code: bytes, kind: Any, options: list[str]) -> tuple[bytes, str]:
    """Return what nvJitLink makes of a code, and what it says."""
    from cuda.bindings import nvjitlink

    def text(size: Callable[[int], int], fill: Callable[[int, bytearray], None]) -> bytes:
        content = bytearray(size(handle))
        fill(handle, content)
        return bytes(content)

    handle = nvjitlink.create(len(options), options)
    try:
        try:
            nvjitlink.add_data(handle, kind, code, len(code), "kernel")
            nvjitlink.complete(handle)
        except nvjitlink.nvJitLinkError as error:
            log = text(nvjitlink.get_error_log_size, nvjitlink.get_error_log).rstrip(b"\0").decode()
            raise RuntimeError(f"nvJitLink refuses the code with {' '.join(options)}:\n{log}") from error
        if "-ptx" in options:
            made = text(nvjitlink.get_linked_ptx_size, nvjitlink.get_linked_ptx)
        else:
            made = text(nvjitlink.get_linked_cubin_size, nvjitlink.get_linked_cubin)
        log = text(nvjitlink.get_info_log_size, nvjitlink.get_info_log).replace(b"\0", b"").decode()
        return made, log
    finally:
        nvjitlink.destroy(handle)
