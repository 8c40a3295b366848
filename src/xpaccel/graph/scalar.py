"""Run-time Python scalars: what is computed once a call, in Python, before any loop runs.

A Python number that a kernel is given, and what the kernel computes from such numbers alone, is
Python arithmetic in eager NumPy too. It stays that: the expression is compiled to a Python
function, so its value, its type and what it raises are exactly those of the eager run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xpaccel.graph.affine import Affine, Symbol

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "and": "&",
    "or": "|",
    "xor": "^",
    "lshift": "<<",
    "rshift": ">>",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}
_PREFIX = {"neg": "-", "pos": "+", "invert": "~"}
_FUNCTION = {"abs": "abs", "min": "min", "max": "max", "float": "float", "int": "int", "bool": "bool"}

#: The Python operators a scalar expression may hold.
SCALAR_OPS = (*_INFIX, *_PREFIX, *_FUNCTION)


@dataclass(frozen=True, slots=True)
class ScalarExpr:
    """An expression of Python numbers.

    Parameters
    ----------
    op
        ``"arg"`` (`args` is the scalar's slot), ``"const"`` (`args` holds the value's `repr`, so
        that 0.0 and -0.0, 1 and True stay apart), ``"size"`` (`args` holds an `Affine`), or one of
        `SCALAR_OPS` with expressions as `args`.
    args
        See `op`.
    """

    op: str
    args: tuple[Any, ...]

    @staticmethod
    def arg(slot: int) -> ScalarExpr:
        """Return the scalar argument of that slot."""
        return ScalarExpr("arg", (slot,))

    @staticmethod
    def const(value: complex) -> ScalarExpr:
        """Return a literal Python number."""
        return ScalarExpr("const", (repr(value),))

    @staticmethod
    def size(expr: Affine) -> ScalarExpr:
        """Return a size as a Python int."""
        return ScalarExpr("size", (expr,))

    def source(self) -> str:
        """Return Python source over ``a`` (the scalar arguments) and ``s`` (the sizes)."""
        if self.op == "arg":
            return f"a[{self.args[0]}]"
        if self.op == "const":
            text = self.args[0]
            return f"float('{text}')" if text in ("inf", "-inf", "nan") else f"({text})"
        if self.op == "size":
            expr = self.args[0]
            return "(" + " + ".join([*(f"{c}*s[{k}]" for k, c in expr.terms), str(expr.const)]) + ")"
        parts = [part.source() for part in self.args]
        if self.op in _INFIX:
            return f"({parts[0]} {_INFIX[self.op]} {parts[1]})"
        if self.op in _PREFIX:
            return f"({_PREFIX[self.op]}{parts[0]})"
        return f"{_FUNCTION[self.op]}({', '.join(parts)})"

    def __str__(self) -> str:
        return self.source()


ScalarFunction = Callable[[Sequence[Any], Mapping[Symbol, int]], tuple[Any, ...]]


def compile_scalars(exprs: Sequence[ScalarExpr]) -> ScalarFunction:
    """Return ``f(a, s)``, the values of `exprs` for scalar arguments `a` and sizes `s`."""
    body = "".join(expr.source() + ", " for expr in exprs)
    function: ScalarFunction = eval(f"lambda a, s: ({body})", {"inf": float("inf"), "nan": float("nan")})
    return function
