"""Machine code of nests: from this process, from the cache on disk, or from the compiler, in this order.

A program in the cache is loaded without importing Numba. The key of an entry names everything that its
machine code depends on: the source, the processor, the vector functions of the C library, and the
versions of the compilers.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from xpaccel.backends.cpu import loader
from xpaccel.backends.cpu.loader import Function
from xpaccel.cache import Store, digest_of_sources
from xpaccel.codegen import vector
from xpaccel.errors import CompileError


@dataclass(slots=True)
class Stats:
    """How often machine code was compiled, loaded from the disk, and found in this process."""

    compiled: int = 0
    loaded: int = 0
    reused: int = 0


#: The files of xpaccel that decide what a source becomes: an edit of them must not find yesterday's code.
COMPILED_BY = (
    *("backends/cpu/compiler.py", "backends/cpu/loader.py", "codegen/emit.py", "codegen/formulas.py"),
    *("codegen/memory.py", "codegen/scalar.py", "codegen/vector.py"),
)

stats = Stats()
_functions: dict[tuple[str, str], Function] = {}
_lock = threading.RLock()


def get_function(source: str, entry: str) -> Function:
    """Return the machine code of the function `entry` of generated `source`.

    Raises
    ------
    CompileError
        If the compiler refuses the source; the message names the file that holds it.
    """
    return get_functions([(source, entry)])[0]


def get_functions(wanted: Sequence[tuple[str, str]]) -> list[Function]:
    """Return the machine code of several ``(source, entry)``. See `get_function`."""
    with _lock:
        return [_get(source, entry) for source, entry in wanted]


def _get(source: str, entry: str) -> Function:
    found = _functions.get((source, entry))
    if found is not None:
        stats.reused += 1
        return found
    store, key = _store(), key_of(source, entry)
    image = store.get(key)
    function = None if image is None else _load(image, entry)
    if function is not None:
        stats.loaded += 1
    else:
        path = store.path(key, ".py")
        if not store.write(path, source.encode()):
            path = path.with_name(f"{key} (not kept).py")
        image = compile_object(source, entry, str(path))
        stats.compiled += 1
        store.put(key, image)
        function = loader.load_function(image, entry)
    _functions[source, entry] = function
    return function


def compile_object(source: str, entry: str, filename: str = "<generated>") -> bytes:
    """Compile generated source to a relocatable object (see `xpaccel.backends.cpu.compiler`).

    Raises
    ------
    CompileError
        If the compiler refuses the source.
    """
    from xpaccel.backends.cpu import compiler

    with _refusals(filename):
        return bytes(compiler.compile_object(source, entry, filename))


def inspect(source: str, entry: str, language: str = "assembly") -> str:
    """Return the machine code of generated source in words; it is compiled anew for it.

    Parameters
    ----------
    source, entry
        As for `get_function`.
    language
        ``"assembly"``, or ``"llvm"`` for LLVM's optimised intermediate form.

    Raises
    ------
    CompileError
        If the compiler refuses the source.
    """
    from xpaccel.backends.cpu import compiler

    with _refusals("<generated>"):
        return compiler.inspect(source, entry, language)


@contextlib.contextmanager
def _refusals(filename: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        raise CompileError(f"the compiler refused the generated source {filename}: {reason}") from error


def _load(image: bytes, entry: str) -> Function | None:
    try:
        return loader.load_function(image, entry)
    except RuntimeError:  # whole, but not for this process: compile it anew
        return None


def key_of(source: str, entry: str) -> str:
    """Return the name under which the machine code of `source` is cached."""
    return hashlib.sha256("\0".join((*_surroundings(), entry, source)).encode()).hexdigest()


@cache
def _surroundings() -> tuple[str, ...]:
    """Everything besides the source that decides the machine code."""
    versions = [f"{name} {metadata.version(name)}" for name in ("llvmlite", "numba")]
    ours = digest_of_sources(COMPILED_BY)
    return (*versions, ours, platform.python_version(), *loader.host(), str(vector.width()), vector.library())


@cache
def _store() -> Store:
    return Store()
