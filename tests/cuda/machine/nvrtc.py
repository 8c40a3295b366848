"""CUDA C++ to machine code by NVRTC, which needs neither a GPU nor a driver."""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INSTALL = 'pip install "xpaccel[machine]"'
#: Where the wheels of CUDA 12 and 13 put the library, below the package ``nvidia``.
_PLACES = ("cuda_nvrtc/lib/libnvrtc.so.12", "cu13/lib/libnvrtc.so.13")
#: What ptxas says of an entry function: frame and spills in one line, the rest in another.
_FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


class NvrtcError(RuntimeError):
    """The source does not compile; holds the compiler's messages."""


@dataclass(frozen=True, slots=True)
class Binary:
    """Machine code of one kernel.

    Attributes
    ----------
    cubin, ptx
        The ELF file for one architecture, and the text that it was assembled from.
    registers
        Of a thread, 32 bits each.
    stack, spill_stores, spill_loads
        Bytes a thread: its frame in local memory, and what is moved there and back for want of registers.
    shared
        Bytes a block of statically declared shared memory.
    """

    cubin: bytes
    ptx: str
    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int


def is_for(cubin: bytes, arch: int) -> bool:
    """Whether a cubin is machine code for that very architecture; its header has the number in one of two places."""
    flags = int.from_bytes(cubin[48:52], "little")
    return cubin[:4] == b"\x7fELF" and arch in (flags & 0xFF, flags >> 8 & 0xFF)


def packages() -> tuple[Path, ...]:
    """Return the folders in which NVIDIA's wheels keep their files."""
    if importlib.util.find_spec("nvidia") is None:
        return ()
    return tuple(Path(folder) for folder in importlib.import_module("nvidia").__path__)


def why_unavailable() -> str | None:
    """Return None if NVRTC is installed, else what to do."""
    if _path() is None:
        return f"NVRTC is not installed: {INSTALL}"
    return None


def version() -> str:
    """Return NVRTC's version, as ``12.9``."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(_library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return f"{major.value}.{minor.value}"


@functools.cache
def compile_kernel(source: str, arch: int, options: Sequence[str]) -> Binary:
    """Compile a source that has one kernel.

    Parameters
    ----------
    source
        CUDA C++ without any ``#include``.
    arch
        The compute capability times ten: 80 for A100, 90 for H100 and H200, 100 for B200.
    options
        NVRTC's, a tuple.

    Raises
    ------
    NvrtcError
        With the compiler's messages; or if the source has not exactly one kernel.
    RuntimeError
        If NVRTC is not installed; the message says what to install.
    """
    library, program = _library(), ctypes.c_void_p()
    _check(library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None))
    try:
        words = [f"--gpu-architecture=sm_{arch}", *options, "--disable-warnings", "--ptxas-options=-v"]
        given = (ctypes.c_char_p * len(words))(*(word.encode() for word in words))
        code = library.nvrtcCompileProgram(program, len(words), given)
        log = _output(program, "ProgramLog").rstrip(b"\0").decode()
        if code:
            raise NvrtcError(f"NVRTC refuses the source for sm_{arch} ({_name(code)}):\n{log}")
        return binary(_output(program, "CUBIN"), _output(program, "PTX").rstrip(b"\0").decode(), log)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def binary(cubin: bytes, ptx: str, log: str) -> Binary:
    """Return machine code with what ptxas says of it, which `log` is, under ``--verbose``.

    It describes the functions that a kernel calls too, without registers of their own.

    Raises
    ------
    NvrtcError
        If there is not exactly one kernel.
    """
    used = _USED.findall(log)
    if len(used) != 1:
        raise NvrtcError(f"the source has {len(used)} kernels; one is needed. The assembler said:\n{log}")
    stack, stores, loads = (max(column) for column in zip(*(map(int, row) for row in _FRAME.findall(log)), strict=True))
    shared = _SHARED.search(log)
    return Binary(cubin, ptx, int(used[0]), stack, stores, loads, int(shared[1]) if shared else 0)


@functools.cache
def _path() -> Path | None:
    found = (folder / place for folder in packages() for place in _PLACES)
    return next((path for path in found if path.exists()), None)


@functools.cache
def _library() -> ctypes.CDLL:
    path = _path()
    if path is None:
        raise RuntimeError(why_unavailable())
    library = ctypes.CDLL(str(path))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def _name(code: int) -> str:
    name: bytes = _library().nvrtcGetErrorString(code)
    return name.decode()


def _check(code: int) -> None:
    if code:
        raise NvrtcError(_name(code))


def _output(program: ctypes.c_void_p, what: str) -> bytes:
    """Return one of a program's outputs."""
    library, size = _library(), ctypes.c_size_t()
    _check(getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(getattr(library, f"nvrtcGet{what}")(program, text))
    return text.raw
