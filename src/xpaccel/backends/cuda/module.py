"""CUDA C++ to loaded kernels: by NVRTC through CuPy, kept in our own cache.

CuPy's `RawModule` adds ``-ftz=true`` to every compilation, which takes small float32 numbers for zero. So NVRTC is
called through `cupy.cuda.compiler.compile_using_nvrtc`, which adds nothing but where CUDA's headers are.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from typing import Any

import cupy
from cupy.cuda import compiler
from cupy.cuda.function import Module

from xpaccel.backends.cuda.grid import Shape, options_of
from xpaccel.cache import Store
from xpaccel.codegen.cuda_c import ENTRY
from xpaccel.errors import CompileError

_functions: dict[tuple[int, str, tuple[str, ...]], Any] = {}
_lock = threading.Lock()


class Stats:
    """How often kernels were compiled, loaded from the cache on disk, or found in this process."""

    compiled: int = 0
    loaded: int = 0
    reused: int = 0


stats = Stats()


def function(source: str, shape: Shape) -> Any:
    """Return the kernel for a launch of that shape on the current device: from this process, the cache, or NVRTC.

    Raises
    ------
    CompileError
        If NVRTC refuses the source.
    """
    device, options = cupy.cuda.Device(), options_of(shape)
    with _lock:
        found = _functions.get((device.id, source, options))
        if found is not None:
            stats.reused += 1
        else:
            found = _load(source, options, str(device.compute_capability))
            _functions[device.id, source, options] = found
        return found


def _load(source: str, options: tuple[str, ...], arch: str) -> Any:
    store = _store()
    key = hashlib.sha256("\0".join((*_surroundings(), arch, *options, source)).encode()).hexdigest()
    module = Module()
    image = store.get(key)
    if image is not None:
        try:
            module.load(image)
            stats.loaded += 1
            return module.get_function(ENTRY)
        except cupy.cuda.driver.CUDADriverError:  # whole, but not for this driver: compile it anew
            module = Module()
    path = store.path(key, ".cu")
    if not store.write(path, source.encode()):
        path = path.with_name(f"{key} (not kept).cu")
    try:
        image, _ = compiler.compile_using_nvrtc(source, options, filename=str(path))
    except compiler.CompileException as error:
        raise CompileError(f"NVRTC refused the generated source {path}:\n{error}") from error
    stats.compiled += 1
    store.put(key, image)
    module.load(image)
    return module.get_function(ENTRY)


@cache
def _surroundings() -> tuple[str, ...]:
    """Everything besides the source, its options and the device that decides the machine code."""
    major, minor = cupy.cuda.nvrtc.getVersion()
    return ("nvrtc", f"{major}.{minor}", f"cupy {cupy.__version__}")


@cache
def _store() -> Store:
    return Store()
