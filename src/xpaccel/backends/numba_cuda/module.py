"""Generated Numba CUDA source to loaded kernels: by Numba, NVVM and nvJitLink, kept in our own cache.

Numba's front end and NVVM make LTO-IR, and nvJitLink makes PTX and machine code of it; none of them needs a device.
Numba has no option against fusing multiplications and additions, the linker has: each operation is rounded as the
source has it, in what is called from NVIDIA's libdevice too. CuPy loads the result, so kernels share its context,
its streams and its recordings, and a launch costs what CuPy's launches cost.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from xpaccel.cache import Store
from xpaccel.codegen.device import LANES, THREADS, ChainCode, DeviceCode
from xpaccel.codegen.numba_cuda import ENTRY
from xpaccel.errors import CompileError

#: nvJitLink's options for every kernel.
OPTIONS = ("-lto", "-fma=0", "-ftz=0", "-prec-div=1", "-prec-sqrt=1")
#: The files of xpaccel that decide what a source becomes: an edit of them must not find yesterday's code.
_COMPILED_BY = (
    *("backends/numba_cuda/module.py", "codegen/cuda_complex.py", "codegen/cuda_device.py"),
    *("codegen/cuda_scalar.py", "codegen/emit.py"),
)
_ENTRY = re.compile(r"\.visible \.entry (\w+)\(")

_functions: dict[tuple[int, str], Any] = {}
_lock = threading.Lock()


class Stats:
    """How often kernels were compiled, loaded from the cache on disk, or found in this process."""

    compiled: int = 0
    loaded: int = 0
    reused: int = 0


stats = Stats()


def function(code: DeviceCode | ChainCode) -> Any:
    """Return a kernel on the current device: from this process, the cache, or the compiler.

    Raises
    ------
    CompileError
        If the compiler refuses the source; the message names the file that holds it.
    """
    import cupy

    device = cupy.cuda.Device()
    with _lock:
        found = _functions.get((device.id, code.source))
        if found is not None:
            stats.reused += 1
        else:
            found = _functions[device.id, code.source] = _load(code, int(device.compute_capability))
        return found


def _load(code: DeviceCode | ChainCode, arch: int) -> Any:
    import cupy
    from cupy.cuda.function import Module

    store = _store()
    kinds = [kind for _, kind in code.fields]
    key = hashlib.sha256("\0".join((*_surroundings(), str(arch), *kinds, code.source)).encode()).hexdigest()
    module = Module()
    image = store.get(key)
    if image is not None:
        try:
            module.load(image)
            stats.loaded += 1
            return module.get_function(ENTRY)
        except cupy.cuda.driver.CUDADriverError:  # whole, but not for this driver: compile it anew
            module = Module()
    path = store.path(key, ".py")
    if not store.write(path, code.source.encode()):
        path = path.with_name(f"{key} (not kept).py")
    image = assemble(compile_ptx(code, arch, str(path)), arch)
    stats.compiled += 1
    store.put(key, image)
    module.load(image)
    return module.get_function(ENTRY)


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


@cache
def _surroundings() -> tuple[str, ...]:
    """Everything besides the source, its arguments and the device that decides the machine code."""
    from cuda.bindings import nvjitlink, nvvm

    here = Path(__file__).parent.parent
    ours = hashlib.sha256(b"".join(Path(here, name).read_bytes() for name in _COMPILED_BY)).hexdigest()
    versions = [f"{name} {metadata.version(name)}" for name in ("llvmlite", "numba", "numba-cuda")]
    return (*versions, f"nvvm {nvvm.version()}", f"nvjitlink {nvjitlink.version()}", ours)


@cache
def _store() -> Store:
    return Store()
