"""The op table: every elementwise operation is declared once, in one row.

The namespace of traced arrays, the interpreters, the printers, the parametrised tests and the table
in the documentation all read `OPS`. To add an elementwise operation, add a row; nothing else
(`docs/add-an-op.md`). This module is plain data and imports nothing of xpaccel.

Columns
-------
name
    The array API standard's name.
arity
    How many arrays it takes.
accepts
    The standard's dtype category of its arguments. What NumPy accepts beyond it (an integer array
    given to ``exp``) is cast as NumPy's ufunc casts it.

Returns
-------
    ``"same"`` (the dtype of its arguments, which agree), ``"bool"``, or ``"real"`` (the real dtype
    of a complex one).
numpy
    The NumPy function that is its meaning.
numba
    The expression that Numba compiles. A name in it is a function of `xpaccel.codegen.scalar`.
cuda
    The expression in CUDA C++. A name in it is a function of CUDA's math library or ours.
flops
    What the cost model counts for it; a square root or division is 4, a transcendental is 20.
symbol
    The operator in Python source, where it has one (used for printing and for operators).
libm
    Its name in libm, where a vector variant of it may exist in libmvec.
exact
    Whether every target returns NumPy's bits for real arguments; otherwise, and for complex ones, within
    the stated tolerance (`docs/add-an-op.md`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Op:
    """One elementwise operation: its meaning, its dtype rule and its spelling in each language."""

    name: str
    arity: int
    accepts: str
    returns: str
    numpy: str
    numba: str
    cuda: str
    flops: int = 1
    symbol: str = ""
    libm: str = ""
    exact: bool = True


def _infix(name: str, accepts: str, symbol: str, numpy: str = "", *, returns: str = "same", flops: int = 1) -> Op:
    text = f"({{0}} {symbol} {{1}})"
    return Op(name, 2, accepts, returns, numpy or name, text, text, flops, symbol)


def _compare(name: str, accepts: str, symbol: str) -> Op:
    return _infix(name, accepts, symbol, returns="bool")


def _libm(name: str, numpy: str, libm: str, *, arity: int = 1) -> Op:
    args = ", ".join(f"{{{k}}}" for k in range(arity))
    accepts = "floating" if arity == 1 and name not in ("cbrt",) else "real floating"
    call = f"{libm}({args})"
    return Op(name, arity, accepts, "same", numpy, call, call, 20, "", libm, exact=False)


def _call(
    name: str,
    arity: int,
    accepts: str,
    numpy: str = "",
    *,
    returns: str = "same",
    flops: int = 1,
    function: str = "",
    exact: bool = True,
    symbol: str = "",
) -> Op:
    args = ", ".join(f"{{{k}}}" for k in range(arity))
    call = f"{function or name}({args})"
    return Op(name, arity, accepts, returns, numpy or name, call, call, flops, symbol, exact=exact)


_ROWS = (
    # arithmetic
    _infix("add", "numeric", "+"),
    _infix("subtract", "numeric", "-"),
    _infix("multiply", "numeric", "*"),
    _infix("divide", "floating", "/", flops=4),
    _call("floor_divide", 2, "real numeric", flops=8, symbol="//"),
    _call("remainder", 2, "real numeric", flops=8, symbol="%"),
    Op(
        "pow",
        2,
        "numeric",
        "same",
        "power",
        "power({0}, {1})",
        "power({0}, {1})",
        40,
        "**",
        "pow",
        exact=False,
    ),
    Op("negative", 1, "numeric", "same", "negative", "(-{0})", "(-{0})"),
    _call("abs", 1, "numeric", "absolute", returns="real", function="absolute"),
    _call("sign", 1, "numeric"),
    Op("square", 1, "numeric", "same", "square", "({0} * {0})", "({0} * {0})"),
    Op("reciprocal", 1, "floating", "same", "reciprocal", "reciprocal({0})", "reciprocal({0})", 4),
    _call("sqrt", 1, "floating", flops=4),
    _call("maximum", 2, "real numeric"),
    _call("minimum", 2, "real numeric"),
    _call("copysign", 2, "real floating"),
    _call("nextafter", 2, "real floating", flops=8),
    # rounding
    _call("floor", 1, "real numeric"),
    _call("ceil", 1, "real numeric"),
    _call("trunc", 1, "real numeric"),
    _call("round", 1, "real numeric", "rint", function="rint"),
    # comparison and logic
    _compare("equal", "all", "=="),
    _compare("not_equal", "all", "!="),
    _compare("less", "real numeric", "<"),
    _compare("less_equal", "real numeric", "<="),
    _compare("greater", "real numeric", ">"),
    _compare("greater_equal", "real numeric", ">="),
    Op("logical_and", 2, "boolean", "bool", "logical_and", "({0} & {1})", "({0} & {1})"),
    Op("logical_or", 2, "boolean", "bool", "logical_or", "({0} | {1})", "({0} | {1})"),
    Op("logical_xor", 2, "boolean", "bool", "logical_xor", "({0} ^ {1})", "({0} ^ {1})"),
    _call("logical_not", 1, "boolean", returns="bool"),
    _call("isnan", 1, "numeric", returns="bool"),
    _call("isinf", 1, "numeric", returns="bool"),
    _call("isfinite", 1, "numeric", returns="bool"),
    _call("signbit", 1, "real floating", returns="bool"),
    # bits
    _infix("bitwise_and", "integer or boolean", "&"),
    _infix("bitwise_or", "integer or boolean", "|"),
    _infix("bitwise_xor", "integer or boolean", "^"),
    _call("bitwise_invert", 1, "integer or boolean", "invert", function="invert", symbol="~"),
    _call("bitwise_left_shift", 2, "integer", "left_shift", function="left_shift", symbol="<<"),
    _call("bitwise_right_shift", 2, "integer", "right_shift", function="right_shift", symbol=">>"),
    # complex parts
    _call("conj", 1, "numeric", "conjugate", function="conjugate"),
    _call("real", 1, "complex", returns="real"),
    _call("imag", 1, "complex", returns="real"),
    # libm
    _libm("exp", "exp", "exp"),
    _libm("expm1", "expm1", "expm1"),
    _libm("log", "log", "log"),
    _libm("log1p", "log1p", "log1p"),
    _libm("log2", "log2", "log2"),
    _libm("log10", "log10", "log10"),
    _libm("sin", "sin", "sin"),
    _libm("cos", "cos", "cos"),
    _libm("tan", "tan", "tan"),
    _libm("asin", "arcsin", "asin"),
    _libm("acos", "arccos", "acos"),
    _libm("atan", "arctan", "atan"),
    _libm("sinh", "sinh", "sinh"),
    _libm("cosh", "cosh", "cosh"),
    _libm("tanh", "tanh", "tanh"),
    _libm("asinh", "arcsinh", "asinh"),
    _libm("acosh", "arccosh", "acosh"),
    _libm("atanh", "arctanh", "atanh"),
    _libm("cbrt", "cbrt", "cbrt"),
    _libm("atan2", "arctan2", "atan2", arity=2),
    _libm("hypot", "hypot", "hypot", arity=2),
    _call("logaddexp", 2, "real floating", flops=40, exact=False),
    # selection
    Op("where", 3, "all", "same", "where", "select({0}, {1}, {2})", "({0} ? {1} : {2})"),
)

OPS: dict[str, Op] = {op.name: op for op in _ROWS}

#: The dtypes that kernels compute with: the standard's, by NumPy's names.
DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "complex64",
    "complex128",
)

_CATEGORIES = {
    "all": "biufc",
    "numeric": "iufc",
    "real numeric": "iuf",
    "floating": "fc",
    "real floating": "f",
    "integer": "iu",
    "boolean": "b",
    "integer or boolean": "biu",
    "complex": "c",
}


def dtype_kind(dtype: str) -> str:
    """Return NumPy's kind letter of a dtype name: one of ``b i u f c``."""
    return {"bool": "b", "int": "i", "uint": "u", "float": "f", "complex": "c"}[dtype.rstrip("0123456789")]


def in_category(dtype: str, category: str) -> bool:
    """Whether `dtype` belongs to the standard's dtype category of that name."""
    return dtype_kind(dtype) in _CATEGORIES[category]


def result_dtype(op: Op, dtype: str) -> str:
    """Return the dtype of `op` on arguments of `dtype` (its last argument's, for ``where``)."""
    if op.returns == "bool":
        return "bool"
    if op.returns == "real" and dtype_kind(dtype) == "c":
        return {"complex64": "float32", "complex128": "float64"}[dtype]
    return dtype
