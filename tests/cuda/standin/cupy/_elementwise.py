"""The stand-in's ``cupy.ElementwiseKernel`` and ``cupy.fuse``: what tests compare with, so only what these need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cupy import _functions
from cupy._array import ndarray
from cupy.cuda import compiler
from cupy.cuda.function import Module

_TYPES = {"float32": "float", "float64": "double", "int32": "int", "int64": "long long"}


class ElementwiseKernel:
    """A stand-in (test double) for ``cupy.ElementwiseKernel`` whose parameters all have the type ``T``."""

    def __init__(self, in_params: str, out_params: str, operation: str, name: str = "kernel") -> None:
        self.operation, self.name = operation, name
        self._ins, self._outs = (self._names(params) for params in (in_params, out_params))

    @staticmethod
    def _names(params: str) -> list[str]:
        words = [param.split() for param in params.split(",")]
        if any(len(pair) != 2 or pair[0] != "T" for pair in words):
            raise NotImplementedError(f"the stand-in knows parameters of type T alone, not {params!r}")
        return [name for _, name in words]

    def __call__(self, *args: Any) -> Any:
        """Compute: ``kernel(inputs...)`` or ``kernel(inputs..., outputs...)``."""
        _functions.refuse_in_capture("an ElementwiseKernel of the stand-in")
        given, outs = args[: len(self._ins)], args[len(self._ins) :]
        if len(outs) not in (0, len(self._outs)):
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        arrays = [arg for arg in args if isinstance(arg, ndarray)]
        dtypes = {array.dtype for array in arrays}
        if len(dtypes) != 1:
            raise TypeError(f"Type is mismatched. T: {sorted(map(str, dtypes))}")
        dtype = dtypes.pop()
        hosts = [arg._host if isinstance(arg, ndarray) else arg for arg in given]
        shape = np.broadcast_shapes(*(np.shape(host) for host in hosts))
        outs = outs or tuple(ndarray(shape, dtype) for _ in self._outs)
        flat = [_functions.new(np.ascontiguousarray(np.broadcast_to(np.asarray(h, dtype), shape))) for h in hosts]
        flat += [_functions.new(np.zeros(shape, dtype)) for _ in outs]
        size = int(np.prod(shape, dtype=np.int64))
        self._compiled(dtype.name)((max(-(-size // 128), 1),), (128,), (*flat, np.int64(size)))
        for out, made in zip(outs, flat[len(hosts) :], strict=True):
            out._host[...] = made._host
        return outs[0] if len(outs) == 1 else outs

    def _compiled(self, dtype: str) -> Any:
        ins, outs = ([f"{name}_of" for name in names] for names in (self._ins, self._outs))
        parameters = ", ".join((*(f"const T *{name}" for name in ins), *(f"T *{name}" for name in outs)))
        reads = "".join(f"const T {name} = {name}_of[i]; " for name in self._ins)
        reads += "".join(f"T &{name} = {name}_of[i]; " for name in self._outs)
        source = (
            f"typedef {_TYPES[dtype]} T;\n"
            f'extern "C" __global__ void {self.name}({parameters}, long long n) {{\n'
            "const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;\n"
            f"if (i < n) {{ {reads}{self.operation}; }}\n}}\n"
        )
        module = Module()
        module.load(compiler.compile_using_nvrtc(source)[0])
        return module.get_function(self.name)


def fuse(*args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Return a function, or what decorates one; the stand-in fuses nothing, and means the same."""
    if len(args) == 1 and callable(args[0]) and not kwargs:
        return args[0]  # type: ignore[no-any-return]
    return lambda function: function
