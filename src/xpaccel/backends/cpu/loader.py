"""Machine code into this process, through llvmlite alone: Numba is not imported for it."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from xpaccel.codegen import vector

_Prototype = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int64)
_serial = itertools.count()
_lock = threading.Lock()


class Function(_Prototype):  # type: ignore[misc, valid-type]
    """``function(ints, floats, low, high)``: machine code of a nest. A call releases the GIL.

    Attributes
    ----------
    address
        Where the code starts.
    library
        What keeps it in memory.
    """

    _flags_, _argtypes_, _restype_ = _Prototype._flags_, _Prototype._argtypes_, None
    address: int
    library: Any


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


def load_function(image: bytes, entry: str) -> Function:
    """Load an object file and return its function `entry`."""
    vector.make_loadable()
    library = _link(llvm.JITLibraryBuilder().add_object_img(image), (entry,))
    function = Function(library[entry])
    function.address, function.library = library[entry], library
    return function


def source_function(text: str, entry: str) -> Function:
    """Compile LLVM assembly and return its function `entry`, which is called like a nest."""
    library = load_source(text, (entry,))
    function = Function(library[entry])
    function.address, function.library = library[entry], library
    return function


def load_source(text: str, entries: Sequence[str]) -> Any:
    """Compile LLVM assembly and load it; the result maps each entry to its address and keeps it loaded."""
    machine = target_machine()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(machine, options)
    module = llvm.parse_assembly(text)
    builder.getModulePassManager().run(module, builder)
    return _link(llvm.JITLibraryBuilder().add_object_img(machine.emit_object(module)), entries)


def _link(builder: Any, entries: Sequence[str]) -> Any:
    for entry in entries:
        builder.export_symbol(entry)
    with _lock:
        return builder.add_current_process().link(_linker(), f"xpaccel-{next(_serial)}")
