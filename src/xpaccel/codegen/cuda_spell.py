"""How CUDA C++ spells conversions and numbers."""

from __future__ import annotations

from math import copysign, isinf, isnan

import numpy as np

from xpaccel.ops import dtype_kind


def cast(text: str, source: str, target: str) -> str:
    """Spell NumPy's unsafe ``astype`` of an expression."""
    have, want = dtype_kind(source), dtype_kind(target)
    if source == target:
        return text
    if have == "c":
        if want == "c":
            part = "float32" if target == "complex64" else "float64"
            return f"{{({part}){text}.re, ({part}){text}.im}}"
        if want == "b":
            return f"({text}.re != 0 || {text}.im != 0)"
        return cast(f"{text}.re", "float32" if source == "complex64" else "float64", target)
    if want == "c":
        part = "float32" if target == "complex64" else "float64"
        return f"{{({part}){text}, 0}}"
    if want == "b":
        return f"({text} != 0)"
    if have == "f" and want in "iu":
        if target == "uint64":
            return f"to_uint64({text})"
        return f"({target})to_{'int64' if target in ('int64', 'uint32') else 'int32'}({text})"
    return f"({target}){text}"


def spelled(number: complex, dtype: str) -> str:
    """Spell a number with its dtype, so that no literal widens a kernel."""
    kind = dtype_kind(dtype)
    if kind == "b":
        return "true" if number else "false"
    if kind in "iu":
        whole = int(number.real)
        if whole == -(2**63):
            return "(-9223372036854775807LL - 1)"
        return f"({dtype}){whole}{'ULL' if whole >= 2**63 else 'LL'}"
    if kind == "c":
        part = "float32" if dtype == "complex64" else "float64"
        return f"join({spelled(number.real, part)}, {spelled(number.imag, part)})"
    real = float(np.dtype(dtype).type(number.real))
    suffix = "32" if dtype == "float32" else "64"
    if isnan(real):
        return f"nan{suffix}()"
    if isinf(real):
        return f"{'-' if copysign(1, real) < 0 else ''}inf{suffix}()"
    return f"{real!r}{'f' if dtype == 'float32' else ''}"
