"""What a user of CuPy would write instead of a kernel of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import cupy
from cuda.machine.kernels import INNER, Case

from xpaccel.kernel import Kernel

_BLACK_SCHOLES = """
const T q = T(0.3) * sqrt(t), e = k * exp(T(-0.02) * t);
const T d = (log(s / k) + T(0.02 + 0.5 * 0.3 * 0.3) * t) / q, b = d - q;
const T nd = T(0.5) + T(0.5) * tanh(T(0.7978845608028654) * (d + T(0.044715) * d * d * d));
const T nb = T(0.5) + T(0.5) * tanh(T(0.7978845608028654) * (b + T(0.044715) * b * b * b));
call = s * nd - e * nb;
put = call - s + e;
"""


def peers(case: Case, arguments: Sequence[Any]) -> dict[str, Callable[[], Any]]:
    """Return what computes the same, by the name of the tool: CuPy as it is, and what it has for fusing.

    Results are returned, or written to the same arguments as the kernel writes to.
    """
    found: dict[str, Callable[[], Any]] = {"CuPy": lambda: eager(case.kernel, arguments)}
    if case.name == "heat2d":
        found["ElementwiseKernel"] = _heat(arguments, 2)
    elif case.name == "heat3d":
        found["ElementwiseKernel"] = _heat(arguments, 3)
    elif case.name == "Black-Scholes":
        found["ElementwiseKernel"] = lambda: _black_scholes()(*arguments)
        fused = cupy.fuse()(case.kernel.python)
        found["fuse"] = lambda: fused(*arguments)
    return found


def eager(kernel: Kernel, arguments: Sequence[Any]) -> Any:
    """Run a kernel as it is written, on CuPy's arrays, and the kernels that it calls too."""
    with _untraced():
        return kernel.python(*arguments)


@contextmanager
def _untraced() -> Iterator[None]:
    before = Kernel.__call__
    Kernel.__call__ = lambda kernel, *args, **kwargs: kernel.python(*args, **kwargs)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Kernel.__call__ = before  # type: ignore[method-assign]


@cache
def _black_scholes() -> Any:
    return cupy.ElementwiseKernel("T s, T k, T t", "T call, T put", _BLACK_SCHOLES, "black_scholes")


@cache
def _heat_kernel(axes: int, has_weight: bool) -> Any:
    around = [f"a{number}" for number in range(2 * axes)]
    weight = "w * " if has_weight else ""
    taken = ", ".join(f"T {name}" for name in ("m", *around, *(["w"] if has_weight else []), "c"))
    formula = f"out = m + c * {weight}({' + '.join(around)} - T({2 * axes}) * m)"
    return cupy.ElementwiseKernel(taken, "T out", formula, f"heat{axes}d")


def _heat(arguments: Sequence[Any], axes: int) -> Callable[[], Any]:
    u, *weight, out, c = arguments
    inner = (INNER,) * axes
    sides = slice(None, -2), slice(2, None)
    around = [u[(*inner[:axis], side, *inner[axis + 1 :])] for axis in range(axes) for side in sides]
    views = [u[inner], *around, *(each[inner] for each in weight), c, out[inner]]
    kernel = _heat_kernel(axes, bool(weight))

    def call() -> None:
        kernel(*views)

    return call
