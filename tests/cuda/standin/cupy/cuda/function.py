"""The stand-in's ``cupy.cuda.function``: kernels and what may be passed to them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from cupy import _standin
from cupy._array import ndarray
from cupy._memory import MemoryPointer
from cupy.cuda import compiler, driver, stream
from cupy.cuda.compiler import host

#: NumPy's scalars that CuPy 13 passes by value; later ones pass more.
_SCALARS = tuple(np.dtype(code).type for code in "?bhilqBHILQefdFD")
_KINDS = {"b": "i", "i": "i", "u": "i", "f": "f", "c": "s", "V": "s"}


class Module:
    """A stand-in (test double) for a CUDA module."""

    def __init__(self) -> None:
        self._module: host.Module | None = None

    def load(self, cubin: bytes) -> None:
        """Load what `compiler.compile_using_nvrtc` returned, on a device that can run it."""
        if not isinstance(cubin, bytes):
            raise TypeError(f"Argument 'cubin' has incorrect type (expected bytes, got {type(cubin).__name__})")
        if not cubin.startswith(compiler.MAGIC):
            raise driver.CUDADriverError(200, "not an image that the stand-in made")
        module, arch = compiler.load(cubin)
        from cupy.cuda.device import get_compute_capability

        here = get_compute_capability()
        if arch[:-1] != here[:-1] or int(arch[-1]) > int(here[-1]):
            raise driver.CUDADriverError(209, f"the image is for sm_{arch}, the device is sm_{here}")
        self._module = module

    def get_function(self, name: str | bytes) -> Function:
        """Return a kernel by its extern C name."""
        return Function(self, name.decode() if isinstance(name, bytes) else name)


class Function:
    """A stand-in (test double) for a CUDA kernel."""

    def __init__(self, module: Module, funcname: str) -> None:
        if module._module is None:
            raise driver.CUDADriverError(500, "the module is not loaded")
        try:
            self._kernel = module._module.get_function(funcname)
        except host.LaunchError as error:
            raise driver.CUDADriverError(500, str(error)) from error

    def __repr__(self) -> str:
        return f"<stand-in Function {self._kernel.name}>"

    def __call__(
        self,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        args: Sequence[Any],
        shared_mem: int = 0,
        stream: Any = None,
        enable_cooperative_groups: bool = False,
    ) -> None:
        """Launch the kernel; an extent of 0 counts as 1, as in CuPy."""
        for name, extents in (("grid", grid), ("block", block)):
            if not isinstance(extents, tuple):
                raise TypeError(f"Argument '{name}' has incorrect type (expected tuple, got {type(extents).__name__})")
        if enable_cooperative_groups:
            raise NotImplementedError("the stand-in runs one block after the other: no cooperative groups")
        self._launch(grid, block, args, shared_mem, stream)

    def _launch(self, grid: Any, block: Any, args: Sequence[Any], shared_mem: int, on: Any) -> None:
        kernel = self._kernel
        if len(args) != len(kernel.parameters):
            raise host.LaunchError(f"kernel {kernel.name}: {len(args)} arguments, {len(kernel.parameters)} parameters")
        pairs = zip(kernel.parameters, args, strict=True)
        values = [_value(parameter, arg, f"{kernel.name}, argument {n}") for n, (parameter, arg) in enumerate(pairs)]
        grid, block = (tuple(max(1, int(extent)) for extent in extents) for extents in (grid, block))

        def run() -> None:
            kernel.launch(grid, block, values, shared_mem=shared_mem)
            _standin.counts.launches += 1
            _standin.counts.kernels[kernel.name] += 1

        capture = stream.of(on)._capture
        if capture is None:
            run()
        else:
            capture.operations.append(run)


def _value(parameter: host.Parameter, argument: Any, where: str) -> bytes:
    """Return the bytes that a parameter gets, or raise what CuPy raises.

    CuPy passes the beginning of an argument's bytes and cannot know the parameter; what it would
    get wrong in silence is an error here.
    """
    data, kind = _bytes(argument)
    if type(argument) is int and parameter.kind == "i":  # int64, of which the parameter takes the low bytes
        for signed in (True, False):
            try:
                return argument.to_bytes(parameter.size, "little", signed=signed)
            except OverflowError:
                continue
    if len(data) != parameter.size or kind != parameter.kind:
        names = {"p": "a pointer", "i": "an integer", "f": "a floating-point number", "s": "a struct"}
        raise host.LaunchError(
            f"kernel {where}: {type(argument).__name__} is passed as {names[kind]} of {len(data)} bytes, "
            f"but the parameter is {names[parameter.kind]} of {parameter.size} bytes"
        )
    return data


def _bytes(argument: Any) -> tuple[bytes, str]:
    if argument is None:
        return struct.pack("P", 0), "p"
    if isinstance(argument, ndarray):
        return struct.pack("P", argument.data.ptr), "p"
    if isinstance(argument, MemoryPointer):
        return struct.pack("P", argument.ptr), "p"
    if isinstance(argument, np.ndarray):
        if argument.size != 1:
            raise TypeError(
                f"You are trying to pass a numpy.ndarray of shape {argument.shape} as a kernel parameter. Only "
                "numpy.ndarrays of size one can be passed by value. If you meant to pass a pointer to __global__ "
                "memory, you need to pass a cupy.ndarray instead."
            )
        return argument.tobytes(), _KINDS[argument.dtype.kind]
    if type(argument) in (bool, int, float, complex):
        dtype = {bool: np.bool_, int: np.int64, float: np.float64, complex: np.complex128}[type(argument)]
        value = np.asarray(argument, np.uint64 if dtype is np.int64 and argument >= 2**63 else dtype)
        return value.tobytes(), _KINDS[value.dtype.kind]
    if isinstance(argument, _SCALARS):
        return argument.tobytes(), _KINDS[argument.dtype.kind]
    raise TypeError(f"Unsupported type {type(argument)}")
