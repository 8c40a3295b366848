"""From the source of a nest to an object file: Numba as a front end, LLVM's own pipeline behind it.

Numba types the source and emits LLVM IR. Everything after that is done here, once, for the whole nest:
its own optimiser runs, reference counting, Python wrappers and error reporting have no place in code
that only reads and writes memory. Compiling is slow and imports Numba, so `xpaccel.backends.cpu.machine`
comes here only for what is not in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import codegen, compiler, descriptors, target_extension, types, typing
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext, CPUTargetOptions
from numba.core.registry import CPUDispatcher
from numba.core.typing import cmathdecl, mathdecl
from numba.cpython import builtins, cmathimpl, mathimpl, numbers, rangeobj  # noqa: F401  (for what they register)

from xpaccel.backends.cpu import loader
from xpaccel.codegen import scalar, vector

_NAME = "xpaccel"
_ARGUMENTS = (types.CPointer(types.int64), types.CPointer(types.float64), types.int64, types.int64)

# Beginnings of the names of functions that machine code from the cache would not find.
_ABSENT = ("numba", "NRT", "Py", "_Py", "_ZN")

# The C function that others call. It holds what Numba's calling convention wants besides the arguments:
# where to put a result (there is none) and the description of an exception (no nest raises). Loops are as
# wide as the vector functions that they may call; LLVM prefers half of it on some processors.
_WRAPPER = """
declare i32 @"{inner}"(ptr, ptr, ptr, ptr, i64, i64)
define void @"{entry}"(ptr %ints, ptr %floats, i64 %low, i64 %high) "prefer-vector-width"="{bits}" {{
  %result = alloca ptr
  %error = alloca ptr
  call i32 @"{inner}"(ptr %result, ptr %error, ptr %ints, ptr %floats, i64 %low, i64 %high)
  ret void
}}
"""


def compile_object(source: str, entry: str, filename: str) -> bytes:
    """Compile the function `entry` of generated `source` to a relocatable object.

    Parameters
    ----------
    source
        Generated source.
    entry
        The name of the function in it; the C function has the same name.
    filename
        The file that tracebacks and debuggers name.

    Returns
    -------
    bytes
        An object file. It defines `entry` and needs nothing but the C library, libm and libmvec.
    """
    return bytes(loader.target_machine().emit_object(_module(source, entry, filename)))


def inspect(source: str, entry: str, language: str) -> str:
    """Return what `compile_object` makes of generated `source`, as ``"assembly"`` or as ``"llvm"``."""
    module = _module(source, entry, "<generated>")
    return str(module if language == "llvm" else loader.target_machine().emit_assembly(module))


@global_compiler_lock
def _module(source: str, entry: str, filename: str) -> Any:
    """Return the optimised LLVM module of a function."""
    namespace: dict[str, Any] = {"__name__": "xpaccel.generated", "__file__": filename}
    exec(compile(source, filename, "exec"), namespace)
    with target_extension.target_override(_NAME):
        module = _lower(namespace[entry], entry)
    _optimise(module)
    for function in module.functions:
        if function.is_declaration and function.name.startswith(_ABSENT):
            raise RuntimeError(f"it needs {function.name}, which is only there where Numba is loaded")
    return module


def _lower(function: Callable[..., None], entry: str) -> Any:
    """Return the LLVM module of a Python function, wrapped in a C function called `entry`."""
    known, context = _Dispatcher.targetdescr.typing_context, _Dispatcher.targetdescr.target_context
    context.refresh()
    flags = compiler.Flags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.release_gil, flags.error_model = True, "numpy"
    result = compiler.compile_extra(known, context, function, _ARGUMENTS, types.void, flags, {})
    result.library.finalize()  # links what it calls
    module = result.library._final_module
    names = {"inner": result.fndesc.llvm_func_name, "entry": entry, "bits": 8 * vector.width()}
    module.link_in(llvm.parse_assembly(_WRAPPER.format(**names)))
    for value in (*module.functions, *module.global_variables):
        # The scalar forms of vector functions stay as they are: LLVM takes constant arguments out of internal
        # functions, and then they match their vector forms no more.
        kept = value.name in (entry, "llvm.compiler.used") or value.name.startswith(vector.SCALAR)
        if not value.is_declaration and not kept:
            value.linkage = "internal"
    return module


def _optimise(module: Any) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    options.loop_interleaving = options.loop_unrolling = True
    builder = llvm.create_pass_builder(loader.target_machine(), options)
    builder.getModulePassManager().run(module, builder)


class _Library(codegen.AOTCodeLibrary):
    """The IR of a function and of what it calls, as Numba emits it: neither optimised nor loaded."""

    def add_ir_module(self, ir_module: Any) -> None:
        # Numba tells LLVM that signed additions never wrap; NumPy's do.
        module = llvm.parse_assembly(str(ir_module).replace(" nsw ", " "))
        module.name = ir_module.name
        self._final_module.link_in(module)

    def _optimize_final_module(self) -> None:
        pass


class _Codegen(codegen.AOTCPUCodegen):
    _library_class = _Library


# A target of Numba's extension API with scalars and loops only. The arrays, containers and linear algebra
# of its own CPU target take 0.3 s to load, SciPy among them.


class _Typing(typing.Context):
    def load_additional_registries(self) -> None:
        self.install_registry(cmathdecl.registry)
        self.install_registry(mathdecl.registry)


class _Context(CPUContext):
    def init(self) -> None:
        self.is32bit = False
        self._internal_codegen = _Codegen(_NAME)

    def load_additional_registries(self) -> None:
        self.install_registry(cmathimpl.registry)
        self.install_registry(mathimpl.registry)

    def refresh(self) -> None:
        super().refresh()
        self.install_registry(scalar.operators)  # last, so that they replace Numba's

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Link nothing: Numba's run-time counts references, of which nests have none."""


class _Target(target_extension.CPU):
    pass


class _Descriptor(descriptors.TargetDescriptor):
    options = CPUTargetOptions

    @cached_property
    def typing_context(self) -> _Typing:
        return _Typing()

    @cached_property
    def target_context(self) -> _Context:
        return _Context(self.typing_context, _NAME)


class _Dispatcher(CPUDispatcher):
    targetdescr = _Descriptor(_NAME)


target_extension.target_registry[_NAME] = _Target
target_extension.dispatcher_registry[_Target] = _Dispatcher
target_extension.jit_registry[_Target] = partial(numba.jit, _target=_NAME)
