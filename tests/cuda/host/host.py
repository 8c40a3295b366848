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
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
#: The folder from which this module is imported, as ``cuda.host.host``.
TESTS = _HERE.parents[1]
_RUNTIME = _HERE / "runtime.cpp"
_FLAGS = ("-O1", "-g", "-std=c++17", "-ffp-contract=off", "-fPIC", "-shared", "-w")
#: Undefined behaviour calls undefined.h, so the sanitiser's own runtime is left out.
_CHECKED = ("-fsanitize=undefined", "-nodefaultlibs")
_CONTRACT = ("-ffp-contract=fast", "-mfma", "-fexpensive-optimizations")
_SANITISED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

#: ``forward`` or ``reverse``: the order of blocks and threads, on which no result may depend.
ORDER = "XP_CUDA_HOST_ORDER"
#: What memory holds that nobody wrote.
POISON = 0xA5
#: What CUDA allows: threads of a block, and along each axis; blocks of a grid along each axis.
MOST_THREADS = 1024
MOST_BLOCK = (1024, 1024, 64)
MOST_GRID = (2**31 - 1, 65535, 65535)


class CompileError(RuntimeError):
    """The source does not compile."""


class LaunchError(RuntimeError):
    """A launch that CUDA refuses, or whose outcome it leaves undefined."""


def why_unavailable() -> str | None:
    """Return None if kernels can be compiled here, else why not and what to do."""
    if shutil.which("g++") is None:
        return "g++ is not on PATH, and the stand-in for CUDA compiles kernels with it (install g++)"
    return None


def sanitiser_loaded() -> bool:
    """Whether this process was started with the address sanitiser."""
    return hasattr(ctypes.CDLL(None), "__asan_init")


def environment() -> dict[str, str]:
    """Return the environment in which a Python process runs kernels under the address sanitiser."""
    found = subprocess.run(["g++", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    # numpy and Python keep memory until they end; that is no leak of a kernel's.
    return {**os.environ, "LD_PRELOAD": found.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}


# -- compiling ------------------------------------------------------------------------------------


@functools.cache
def _folder() -> Path:
    """Return where compiled kernels are kept: one folder a user, which only that user can write."""
    folder = Path(tempfile.gettempdir()) / f"xpaccel-cuda-host-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else or is open to others; remove it")
    return folder


@functools.cache
def _version() -> str:
    return subprocess.run(["g++", "--version"], check=True, capture_output=True, text=True).stdout


@functools.cache
def has_fma() -> bool:
    """Whether this processor multiplies and adds in one operation, so that `Module` can contract."""
    cpu = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and cpu.exists() and re.search(r"\bfma\b", cpu.read_text()) is not None


@functools.cache
def _own_text() -> str:
    return "".join((_HERE / name).read_text() for name in ("cuda_host.h", "threads.h", "undefined.h", "runtime.cpp"))


def build(source: str, flags: Sequence[str], *, name: str = "kernel.cu") -> Path:
    """Compile C++ to a shared object, once for each text.

    Raises
    ------
    CompileError
        With the compiler's messages.
    """
    reason = why_unavailable()
    if reason is not None:
        raise CompileError(reason)
    flags = (*_FLAGS, *flags)
    digest = hashlib.sha256("\0".join((source, name, _own_text(), _version(), *flags)).encode()).hexdigest()[:32]
    stem = _folder() / f"{Path(name).stem}-{digest}"
    library = stem.with_suffix(".so")
    if library.exists():
        return library
    with tempfile.TemporaryDirectory(dir=_folder()) as scratch:
        text = Path(scratch, "source.cpp")
        text.write_text(source)
        made = Path(scratch, "made.so")
        command = ["g++", *flags, f"-I{_HERE}", "-o", os.fspath(made), os.fspath(text), "-lm", "-ldl", "-lc"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise CompileError(f"g++ refuses {name}:\n{done.stderr}")
        made.replace(library)
    return library


@functools.cache
def _runtime() -> ctypes.PyDLL:
    """Load what runs threads; its names are global, so kernels find them."""
    library = ctypes.PyDLL(os.fspath(build(_RUNTIME.read_text(), (), name="runtime.cpp")), ctypes.RTLD_GLOBAL)
    library.cuda_host_launch.restype = ctypes.c_char_p
    library.cuda_host_launch.argtypes = [
        *(ctypes.c_void_p,) * 5,
        ctypes.c_size_t,
        *(ctypes.c_int,) * 3,
    ]
    return library


# -- the source -----------------------------------------------------------------------------------

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_KERNEL = re.compile(
    r"(template\s*<[^;{]*?>\s*)?__global__\s+(?:void\s+)?(?:__launch_bounds__\s*\(([^)]*)\)\s*)?(?:void\s+)?(\w+)\s*\("
)
_DYNAMIC = re.compile(r"\bextern\s+__shared__\s+([^;\[]*?)(\w+)\s*\[\s*\]\s*;")
_SHARED = re.compile(r"\b__shared__\s+([^;]*?)(\w+)\s*((?:\[[^;\]]*\]\s*)*);")
_TOGETHER = re.compile(r"\b__(syncthreads\w*|syncwarp|shfl\w*|ballot_sync|any_sync|all_sync)\s*\(")


_ONE = "declare one variable of shared memory a statement"


def _blank(comment: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", comment.group())


def _static(declaration: re.Match[str]) -> str:
    """Return a static that is poisoned once in each block."""
    kind, name, extents = declaration.groups()
    if "," in re.sub(r"<[^<>]*>", "", kind):
        raise CompileError(f"{declaration.group()}: {_ONE}")
    seen = f"{name}__seen"
    poisoned = f"static unsigned long long {seen}; cuda_host_shared(&{seen}, &{name}, sizeof {name});"
    return f"static {kind} {name}{extents}; {poisoned}"


def translate(source: str) -> str:
    """Return C++ for a CUDA translation unit: shared memory as statics, and an entry for each kernel.

    Lines keep their numbers.
    """
    plain = _COMMENT.sub(_blank, source)
    plain = _DYNAMIC.sub(r"\1*\2 = static_cast<\1*>(cuda_host_dynamic_shared());", plain)
    plain = _SHARED.sub(_static, plain)
    if "__shared__" in plain:
        raise CompileError(f"a __shared__ declaration is not understood: {_ONE}")
    entries = "\n".join(f"CUDA_HOST_ENTRY({found[3]})" for found in _KERNEL.finditer(plain) if not found[1])
    return f'#include "cuda_host.h"\n#line 1 "kernel.cu"\n{plain}\n{entries}\n'


# -- modules and kernels --------------------------------------------------------------------------


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
        self.source = source
        plain = _COMMENT.sub(_blank, source)
        self._bounds = {found[3]: found[2] for found in _KERNEL.finditer(plain) if not found[1]}
        self._fibers = _TOGETHER.search(plain) is not None
        self._flush = flush
        flags = [*(_SANITISED if sanitise else _CHECKED), *(f"-D{macro}" for macro in defines)]
        flags += _CONTRACT if contract and has_fma() else ()
        self._library = ctypes.PyDLL(os.fspath(build(translate(source), flags)))

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
        bound = (self._bounds[name] or "").split(",")[0].strip()
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
