"""Nests written by hand: what the tests below the printer compile and run."""

from __future__ import annotations

import re
from array import array

import numpy as np

HEAD = "from xpaccel.codegen.memory import *\nfrom xpaccel.codegen.scalar import *\n\n\n"


def source_of(cases):
    """Return the source of one loop a case: ``(expression of v0, v1, ..., dtypes in, dtype out)``."""
    lines, place = ["def nest(ints, floats, low, high):"], 0
    loops = []
    for expression, dtypes, out in cases:
        total = len(dtypes) + 1
        pointers = [f"p{place + k}" for k in range(total)]
        for k, dtype in enumerate((*dtypes, out)):
            lines.append(f"    {pointers[k]} = pointer(ints, {place + k}, {dtype})")
        n = f"n{place}"
        lines.append(f"    {n} = integer(ints, {place + total})")
        loops.append(f"    for i in range(low, min(high, {n})):")
        loops += [f"        v{place}_{k} = load({pointers[k]}, i, {k}, {total})" for k in range(len(dtypes))]
        text = re.sub(r"\bv(\d)\b", rf"v{place}_\1", expression)
        loops.append(f"        store({pointers[-1]}, i, {text}, {len(dtypes)}, {total})")
        place += total + 1
    return HEAD + "\n".join(lines + loops) + "\n"


def call(function, ints, floats=(), low=0, high=0):
    """Call machine code with parameters that are given as Python numbers."""
    ints, floats = array("q", ints), array("d", floats or [0.0])
    function(ints.buffer_info()[0], floats.buffer_info()[0], low, high)


def address(values):
    """Return where an array starts."""
    return values.__array_interface__["data"][0]


def evaluate(cases, *, ranges=None):
    """Evaluate ``(expression, arrays, dtype)`` over whole arrays, in one nest; return the results.

    `ranges` cuts the index range into pieces, which are run one by one.
    """
    from xpaccel.backends.cpu import machine

    source = source_of([(e, [a.dtype.name for a in arrays], out) for e, arrays, out in cases])
    function = machine.get_function(source, "nest")
    results = [np.zeros(arrays[0].shape, out) for _, arrays, out in cases]
    ints = []
    for (_, arrays, _), result in zip(cases, results, strict=True):
        ints += [*(address(a) for a in arrays), address(result), result.size]
    for low, high in ranges or [(0, max(r.size for r in results))]:
        call(function, ints, low=low, high=high)
    return results


def values_of(dtype, seed=0):
    """Return numbers of a dtype: its special ones and random ones."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.array([True, False, False, True] * 6)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        special = [0, 1, 2, 3, 5, 7, 8, 100, info.max, info.max - 1, info.max // 2, info.min]
        special += [-1, -2, -3, -7, -100, info.min + 1] if dtype.kind == "i" else []
        others = rng.integers(info.min, info.max, 14, dtype, endpoint=True)
        return np.concatenate([np.array(special, dtype), others])
    if dtype.kind == "f":
        info = np.finfo(dtype)
        special = [0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 0.1, 7.0, 88.0, 700.0]
        special += [info.max, info.tiny, info.smallest_subnormal, np.inf]
        others = rng.standard_normal(40) * np.repeat([3, 1e3], [30, 10])
        with np.errstate(over="ignore"):
            return np.concatenate([special, np.negative(special), [np.nan], others]).astype(dtype)
    parts = values_of("float32" if dtype.itemsize == 8 else "float64", seed)
    real, imag = (part.ravel() for part in np.meshgrid(parts[::2], parts[1::3]))
    result = np.empty(real.size, dtype)
    result.real, result.imag = real, imag
    return result


def pairs_of(dtype):
    """Return all pairs of `values_of` a dtype, as two arrays (of complex numbers, a thousand of them)."""
    values = values_of(dtype)
    if np.dtype(dtype).kind == "c":
        rng = np.random.default_rng(1)
        return rng.choice(values, 1000), rng.choice(values, 1000)
    first, second = np.meshgrid(values, values)
    return first.ravel(), second.ravel()
