"""Discrete Fourier transforms: calls of the library, but for what only moves elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node
from xpaccel.trace.calling import call
from xpaccel.trace.creation import asarray
from xpaccel.trace.scalar import as_affine
from xpaccel.trace.session import Session, current
from xpaccel.trace.sizes import normalize_axes, normalize_axis, settle
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import FUNCTIONS, Tracer

_REAL_IN = ("rfft", "ihfft")
_REAL_OUT = ("irfft", "hfft")


def _points(session: Session, name: str, given: Any, size: Affine) -> tuple[int | None, Affine]:
    """Return the number of points along an axis as the function takes it, and the size that it gives."""
    guards = session.guards
    points = None if given is None else guards.specialise(as_affine(given))
    if points is not None:
        count = Affine(points)
    elif name in _REAL_OUT:
        count = size * 2 - 2
    else:
        count = size
    if not guards.at_least(count, 1):
        raise ValueError(f"Invalid number of FFT data points ({guards.hint(count)}) specified.")
    if name in _REAL_IN:
        count = Affine(guards.specialise(count) // 2 + 1)
    return points, settle(guards, count)


def _check_norm(norm: Any) -> None:
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')


def _check_real(node: Node, name: str) -> None:
    if name in ("rfft", "ihfft", "rfft2", "rfftn") and node.dtype.startswith("complex"):
        raise TypeError(f"ufunc '{name}' did not contain a loop with signature matching types {node.dtype}")


def _one(name: str) -> Callable[..., Tracer]:
    def function(x: Any, /, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Tracer:
        session = current()
        if out is not None:
            raise trace_error(f"{name} with out= is not supported in a kernel", "Use the result.")
        _check_norm(norm)
        node = asarray(x)._read()
        _check_real(node, name)
        at = normalize_axis(axis, node.ndim)
        points, count = _points(session, name, n, node.shape[at])
        shape = (*node.shape[:at], count, *node.shape[at + 1 :])
        (result,) = call(f"fft.{name}", [node], [shape], n=points, axis=at, norm=norm)
        return result

    function.__name__ = name
    return function


def _several(name: str, default: tuple[int, ...] | None) -> Callable[..., Tracer]:
    def function(x: Any, /, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Tracer:
        session = current()
        if out is not None:
            raise trace_error(f"{name} with out= is not supported in a kernel", "Use the result.")
        _check_norm(norm)
        node = asarray(x)._read()
        _check_real(node, name)
        if axes is None:
            axes = tuple(range(node.ndim)) if s is None else tuple(range(-len(s), 0))
        places = tuple(normalize_axis(axis, node.ndim) for axis in axes)
        given: Sequence[Any] = [None] * len(places) if s is None else s
        if len(given) != len(places):
            raise ValueError("Shape and axes have different lengths.")
        if len(normalize_axes(places, node.ndim)) == 0:
            raise trace_error(f"{name} over no axes is not supported in a kernel", "Name the axes.")
        shape = list(node.shape)
        points = []
        for number, (axis, count) in enumerate(zip(places, given, strict=True)):
            last = number == len(places) - 1
            kind = ("rfft" if name.startswith("r") else "irfft" if name.startswith("ir") else "fft") if last else "fft"
            count, shape[axis] = _points(session, kind, count, shape[axis])
            points.append(count)
        sizes = None if s is None else tuple(points)
        (result,) = call(f"fft.{name}", [node], [tuple(shape)], s=sizes, axes=places, norm=norm)
        return result

    function.__name__ = name
    return function


def _shifted(name: str) -> Callable[..., Tracer]:
    def function(x: Any, /, axes: Any = None) -> Tracer:
        x = asarray(x)
        places = tuple(range(x.ndim)) if axes is None else normalize_axes(axes, x.ndim)
        halves = [x.shape[axis] // 2 for axis in places]
        shifts = halves if name == "fftshift" else [-half for half in halves]
        result: Tracer = FUNCTIONS["roll"](x, tuple(shifts), places)
        return result

    function.__name__ = name
    return function


def _frequencies(name: str) -> Callable[..., Tracer]:
    def function(n: Any, /, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Tracer:
        n = current().guards.specialise(as_affine(n))
        arange = FUNCTIONS["arange"]
        if name == "rfftfreq":
            steps = arange(0, n // 2 + 1)
        else:
            steps = FUNCTIONS["concat"]([arange(0, (n - 1) // 2 + 1), arange(-(n // 2), 0)])
        result: Tracer = FUNCTIONS["multiply"](steps, 1.0 / (n * d))
        return result if dtype is None else FUNCTIONS["astype"](result, dtype)

    function.__name__ = name
    return function


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name."""
    functions = {name: _one(name) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")}
    for name in ("fft", "ifft", "rfft", "irfft"):
        functions[f"{name}2"] = _several(f"{name}2", (-2, -1))
        functions[f"{name}n"] = _several(f"{name}n", None)
    functions.update({name: _shifted(name) for name in ("fftshift", "ifftshift")})
    functions.update({name: _frequencies(name) for name in ("fftfreq", "rfftfreq")})
    return {f"fft.{name}": function for name, function in functions.items()}
