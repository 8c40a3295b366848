"""CUDA C on the host, a test double: kernels compiled by g++ and run thread by thread.

`Module` compiles a translation unit as NVRTC would and `Kernel.launch` runs it. What a GPU would do in
silence is an error here: a barrier that not all threads of a block reach, a shuffle that reads a lane which takes no
part, a misaligned vector load, an index outside of a shared array, arithmetic that overflows, arguments of another
size than the kernel's. In a process that has the address sanitiser loaded (see `environment`), reading or writing
past an array ends it with a report.

It proves meaning, never speed.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cuda.host import source as cuda_source
from cuda.host.compiling import (
    CHECKED,
    CONTRACT,
    RUNTIME,
    SANITISED,
    CompileError,
    build,
    environment,
    has_fma,
    sanitiser_loaded,
    why_unavailable,
)

__all__ = [
    "CompileError",
    "Kernel",
    "LaunchError",
    "Module",
    "Parameter",
    "build",
    "environment",
    "has_fma",
    "pack",
    "sanitiser_loaded",
    "why_unavailable",
]

#: The folder from which this module is imported, as ``cuda.host.host``.
TESTS = Path(__file__).parents[2]
#: ``forward`` or ``reverse``: the order of blocks and threads, on which no result may depend.
ORDER = "XP_CUDA_HOST_ORDER"
#: What CUDA allows: threads of a block, and along each axis; blocks of a grid along each axis.
MOST_THREADS = 1024
MOST_BLOCK = (1024, 1024, 64)
MOST_GRID = (2**31 - 1, 65535, 65535)


class LaunchError(RuntimeError):
    """A launch that CUDA refuses, or whose outcome it leaves undefined."""


@functools.cache
def _runtime() -> ctypes.PyDLL:
    """Load what runs threads; its names are global, so kernels find them."""
    library = ctypes.PyDLL(os.fspath(build(RUNTIME.read_text(), (), name="runtime.cpp")), ctypes.RTLD_GLOBAL)
    library.cuda_host_launch.restype = ctypes.c_char_p
    library.cuda_host_launch.argtypes = [
        *(ctypes.c_void_p,) * 5,
        ctypes.c_size_t,
        *(ctypes.c_int,) * 3,
    ]
    return library


class Module:
    """A CUDA C translation unit, compiled for the host.

    Parameters
    ----------
    source
        CUDA C; kernels are ``extern "C" __global__ void NAME(...)``.
    sanitise
        With the address and undefined-behaviour sanitisers; None is what `sanitiser_loaded` says.
    contract
        Whether ``a * b + c`` is rounded once, as NVRTC's default ``--fmad=true`` has it.
    flush
        Whether float32 subnormals are taken for zero, as ``-ftz=true`` has it. Those of float64 are
        too, unlike on a GPU: the processor's mode has both or none.
    defines
        Macros: ``NAME`` or ``NAME=VALUE``.

    Raises
    ------
    CompileError
        With the compiler's messages.
    """

    def __init__(
        self,
        source: str,
        *,
        sanitise: bool | None = None,
        contract: bool = False,
        flush: bool = False,
        defines: Sequence[str] = (),
    ) -> None:
        sanitise = sanitiser_loaded() if sanitise is None else sanitise
        if sanitise and not sanitiser_loaded():
            raise CompileError("the address sanitiser must be loaded at the start: run Python in host.environment()")
        _runtime()
        text = cuda_source.plain(source)
        self.source, self._flush = source, flush
        self._bounds, self._fibers = cuda_source.kernels(text), cuda_source.waits(text)
        flags = [*(SANITISED if sanitise else CHECKED), *(f"-D{macro}" for macro in defines)]
        flags += CONTRACT if contract and has_fma() else ()
        self._library = ctypes.PyDLL(os.fspath(build(cuda_source.translate(text), flags)))

    @property
    def names(self) -> tuple[str, ...]:
        """The kernels that it defines."""
        return tuple(self._bounds)

    def get_function(self, name: str) -> Kernel:
        """Return the kernel of that name.

        Raises
        ------
        LaunchError
            If there is none, or C++ mangled its name.
        """
        if name not in self._bounds:
            raise LaunchError(f"no kernel {name!r} in this module; it has: {', '.join(self._bounds) or 'none'}")
        if not hasattr(self._library, name):
            raise LaunchError(f'kernel {name!r} has a mangled name; declare it extern "C"')
        sizes, kinds = (getattr(self._library, f"{name}__{what}") for what in ("sizes", "kinds"))
        sizes.restype, kinds.restype = ctypes.POINTER(ctypes.c_int), ctypes.c_char_p
        parameters = tuple(Parameter(kind, sizes()[place]) for place, kind in enumerate(kinds().decode()))
        bound = self._bounds[name].split(",")[0].strip()
        most = int(bound) if bound.isdecimal() else MOST_THREADS
        entry = ctypes.cast(getattr(self._library, f"{name}__thread"), ctypes.c_void_p).value
        return Kernel(name, entry or 0, parameters, most, self._fibers, self._flush, self._library)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kernel: ``p`` (pointer), ``i`` (integer), ``f`` (float) or ``s`` (struct), and its bytes."""

    kind: str
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A kernel of a `Module`.

    Parameters
    ----------
    name
        As in the source.
    entry
        Address of what runs one thread.
    parameters
        What it takes.
    most_threads
        Of a block: its launch bounds.
    together
        Whether threads wait for one another, so that each needs a stack.
    flush
        Whether subnormal numbers are taken for zero.
    library
        Keeps the code loaded.
    """

    name: str
    entry: int
    parameters: tuple[Parameter, ...]
    most_threads: int
    together: bool
    flush: bool
    library: ctypes.PyDLL

    def launch(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        arguments: Sequence[bytes],
        *,
        shared_mem: int = 0,
        order: str | None = None,
    ) -> None:
        """Run the kernel to its end.

        Parameters
        ----------
        grid, block
            Up to three extents: blocks, and threads a block.
        arguments
            The bytes of each parameter, structs included; `pack` makes them.
        shared_mem
            Bytes of ``extern __shared__`` memory.
        order
            ``"forward"`` or ``"reverse"``; None is what `ORDER` says, forward by default.

        Raises
        ------
        LaunchError
            If sizes or arguments do not fit, or if threads wait for others that never come.
        """
        order = order or os.environ.get(ORDER) or "forward"
        if order not in ("forward", "reverse"):
            raise ValueError(f"{ORDER} is {order!r}; it must be 'forward' or 'reverse'")
        grid, block = ((*extents, 1, 1)[:3] for extents in (grid, block))
        self._check(grid, block, arguments)
        buffers = [ctypes.create_string_buffer(bytes(argument), len(argument)) for argument in arguments]
        pointers = (ctypes.c_void_p * (len(buffers) + 1))(*(ctypes.addressof(buffer) for buffer in buffers))
        wrong = _runtime().cuda_host_launch(
            self.entry,
            (ctypes.c_int * (len(buffers) + 1))(*(parameter.size for parameter in self.parameters)),
            pointers,
            (ctypes.c_uint * 3)(*grid),
            (ctypes.c_uint * 3)(*block),
            shared_mem,
            self.together,
            order == "reverse",
            self.flush,
        )
        if wrong is not None:
            raise LaunchError(f"kernel {self.name}, {wrong.decode()}")

    def _check(self, grid: Sequence[int], block: Sequence[int], arguments: Sequence[bytes]) -> None:
        threads = block[0] * block[1] * block[2]
        for what, given, most in (("grid", grid, MOST_GRID), ("block", block, MOST_BLOCK)):
            if not all(1 <= extent <= limit for extent, limit in zip(given, most, strict=True)):
                raise LaunchError(f"kernel {self.name}: {what} {given} is outside of what CUDA allows, {most}")
        if threads > min(self.most_threads, MOST_THREADS):
            raise LaunchError(f"kernel {self.name}: {threads} threads a block; it was compiled for {self.most_threads}")
        given, wanted = [len(argument) for argument in arguments], [parameter.size for parameter in self.parameters]
        if given != wanted:
            raise LaunchError(f"kernel {self.name}: arguments of {given} bytes, but its parameters have {wanted}")


def pack(*values: ctypes._SimpleCData[object] | ctypes.Structure) -> list[bytes]:
    """Return the bytes of ctypes values, as `Kernel.launch` takes them."""
    return [bytes(value) for value in values]
