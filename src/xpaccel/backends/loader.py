"""Machine code into this process, through llvmlite alone: Numba is not imported for it."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from xpaccel.backends.base import Function
from xpaccel.codegen import vector

_Prototype = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int64)
_serial = itertools.count()
_lock = threading.Lock()


@cache
def host() -> tuple[str, str]:
    """Return LLVM's names of this processor and of its features."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@cache
def target_machine() -> Any:
    """Return LLVM's description of this machine."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = host()
    target = llvm.Target.from_default_triple()
    reloc = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(name, features, opt=3, reloc=reloc, codemodel="jitdefault", jit=True)


@cache
def _linker() -> Any:
    return llvm.create_lljit_compiler(target_machine())


def load(image: bytes, entries: Sequence[str]) -> tuple[list[int], Any]:
    """Load an object file; return the addresses of some of its functions, and what keeps them in memory."""
    vector.make_loadable()
    with _lock:
        builder = llvm.JITLibraryBuilder().add_object_img(image).add_current_process()
        for entry in entries:
            builder.export_symbol(entry)
        library = builder.link(_linker(), f"xpaccel-{next(_serial)}")
    return [library[entry] for entry in entries], library


def load_function(image: bytes, entry: str) -> Function:
    """Load an object file and return its function `entry`."""
    vector.make_loadable()
    library = _link(llvm.JITLibraryBuilder().add_object_img(image), (entry,))
    function = Function(library[entry])
    function.address, function.library = library[entry], library
    return function


def load_source(text: str, entries: Sequence[str]) -> Any:
    """Compile LLVM assembly and load it; the result maps each entry to its address and keeps it loaded."""
    pause = "pause" if llvm.Target.from_default_triple().name.startswith("x86") else "yield"
    module = llvm.parse_assembly(text.replace('"PAUSE"', f'"{pause}"'))
    return _link(llvm.JITLibraryBuilder().add_object_img(target_machine().emit_object(module)), entries)


def _link(builder: Any, entries: Sequence[str]) -> Any:
    for entry in entries:
        builder.export_symbol(entry)
    with _lock:
        return builder.add_current_process().link(_linker(), f"xpaccel-{next(_serial)}")
