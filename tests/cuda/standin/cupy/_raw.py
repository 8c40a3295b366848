"""The stand-in's ``cupy.RawModule`` and ``cupy.RawKernel``.

Like CuPy's they append ``-ftz=true`` to the options, after the user's: float32 subnormals are flushed to zero, and no
option takes that back. Strict arithmetic needs ``cupy.cuda.compiler.compile_using_nvrtc``.
"""

from __future__ import annotations

from typing import Any, TextIO

from cupy.cuda import compiler
from cupy.cuda.function import Function, Module


class RawModule:
    """A stand-in (test double) for ``cupy.RawModule``; it is compiled when first asked for a kernel."""

    def __init__(
        self,
        *,
        code: str | None = None,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        name_expressions: Any = None,
        jitify: Any = None,
    ) -> None:
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        if code is None or backend != "nvrtc" or translate_cucomplex or enable_cooperative_groups or name_expressions:
            raise NotImplementedError("the stand-in compiles extern C kernels from text, as NVRTC would, and no more")
        if not isinstance(options, tuple):
            raise TypeError(f"Argument 'options' has incorrect type (expected tuple, got {type(options).__name__})")
        self.code, self.options, self.backend = code, options, backend
        self._loaded: Module | None = None

    def compile(self, log_stream: TextIO | None = None) -> None:
        """Compile it now."""
        cubin, _ = compiler.compile_using_nvrtc(self.code, (*self.options, "-ftz=true"), log_stream=log_stream)
        self._loaded = Module()
        self._loaded.load(cubin)

    @property
    def module(self) -> Module:
        """The compiled module."""
        if self._loaded is None:
            self.compile()
        assert self._loaded is not None
        return self._loaded

    def get_function(self, name: str) -> RawKernel:
        """Return a kernel by its extern C name."""
        kernel = RawKernel(self.code, name, self.options, self.backend)
        kernel._function = self.module.get_function(name)
        return kernel


class RawKernel:
    """A stand-in (test double) for ``cupy.RawKernel``."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        self.code, self.name, self.options, self.backend = code, name, options, backend
        self.__name__ = name
        self._function: Function | None = None

    def __repr__(self) -> str:
        return f"<stand-in RawKernel {self.name}>"

    @property
    def kernel(self) -> Function:
        """The compiled kernel."""
        if self._function is None:
            self._function = RawModule(code=self.code, options=self.options, backend=self.backend).module.get_function(
                self.name
            )
        return self._function

    def compile(self, log_stream: TextIO | None = None) -> None:
        """Compile it now."""
        _ = self.kernel

    def __call__(self, grid: Any, block: Any, args: Any, **kwargs: Any) -> None:
        """Launch it: ``kernel(grid, block, args, shared_mem=0, stream=None)``."""
        self.kernel(grid, block, args, **kwargs)

    @property
    def max_threads_per_block(self) -> int:
        """Its launch bounds."""
        return self.kernel._kernel.most_threads
