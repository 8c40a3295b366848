"""Run-time Python scalars: what is computed once a call, in Python, before any loop runs.

A Python number that a kernel is given, and what the kernel computes from such numbers alone, is
Python arithmetic in eager NumPy too. It stays that: the expression is compiled to a Python
function, so its value, its type and what it raises are exactly those of the eager run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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


def literal(text: str) -> complex:
    """Return the Python number (or bool) whose `repr` is `text`: also inf, nan and complex ones, signs of zero kept."""
    if "j" in text:
        return complex(text)
    if "inf" in text or "nan" in text:
        return float(text)
    number: complex = ast.literal_eval(text)
    return number


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScalarExpr:
    """An expression of Python numbers. It may be deep, so nothing here recurses.

    Parameters
    ----------
    op
        ``"arg"`` (`args` is the scalar's slot), ``"const"`` (`args` holds the value's `repr`, so
        that 0.0 and -0.0, 1 and True stay apart), ``"size"`` (`args` holds an `Affine`), or a Python
        operator's name with expressions as `args`.
    args
        See `op`.
    """

    op: str
    args: tuple[Any, ...]
    _hash: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.op, self.args)))  # once: those of `args` are known

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        stack = [(self, other)]
        while stack:
            left, right = stack.pop()
            if left is right:
                continue
            if not isinstance(right, ScalarExpr) or left._hash != right._hash or left.op != right.op:
                return False
            if left.is_leaf:
                if left.args != right.args:
                    return False
            elif len(left.args) != len(right.args):
                return False
            else:
                stack.extend(zip(left.args, right.args, strict=True))
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return ScalarExpr, (self.op, self.args)  # hashes differ between processes

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

    @property
    def is_leaf(self) -> bool:
        """Whether it is an argument, a literal or a size."""
        return self.op in ("arg", "const", "size")

    def source(self) -> str:
        """Return Python source over ``a`` (the scalar arguments) and ``s`` (the sizes)."""
        return _texts([self], inline=True)[1][0]

    def __str__(self) -> str:
        return self.source() if len(_ordered([self])) <= 40 else f"(... {self.op} ...)"

    __repr__ = __str__


def _ordered(exprs: Iterable[ScalarExpr]) -> list[ScalarExpr]:
    """Return all parts of `exprs`, each once and after its own parts."""
    done: dict[ScalarExpr, None] = {}
    stack = [(expr, False) for expr in reversed(list(exprs))]
    while stack:
        expr, parts_done = stack.pop()
        if expr in done:
            continue
        if parts_done or expr.is_leaf:
            done[expr] = None
        else:
            stack.append((expr, True))
            stack.extend((part, False) for part in reversed(expr.args))
    return list(done)


def _leaf(expr: ScalarExpr) -> str:
    if expr.op == "arg":
        return f"a[{expr.args[0]}]"
    if expr.op == "size":
        size = expr.args[0]
        return "(" + " + ".join([*(f"{c}*s[{k}]" for k, c in size.terms), str(size.const)]) + ")"
    text: str = expr.args[0]
    if "j" in text:  # as an expression, 1-0j is 1+0j
        return f"complex('{text}')"
    if "inf" in text or "nan" in text:
        return f"float('{text}')"
    return f"({text})"


def _texts(exprs: Sequence[ScalarExpr], *, inline: bool) -> tuple[list[str], list[str]]:
    """Return assignments ``v0 = ...`` (none if `inline`) and the text of each of `exprs`."""
    lines: list[str] = []
    text: dict[ScalarExpr, str] = {}
    for expr in _ordered(exprs):
        if expr.is_leaf:
            text[expr] = _leaf(expr)
            continue
        parts = [text[part] for part in expr.args]
        if expr.op in _INFIX:
            made = f"({parts[0]} {_INFIX[expr.op]} {parts[1]})"
        elif expr.op in _PREFIX:
            made = f"({_PREFIX[expr.op]}{parts[0]})"
        else:
            made = f"{_FUNCTION[expr.op]}({', '.join(parts)})"
        if not inline:
            lines.append(f"v{len(lines)} = {made}")
            made = f"v{len(lines) - 1}"
        text[expr] = made
    return lines, [text[expr] for expr in exprs]


ScalarFunction = Callable[[Sequence[Any], Mapping[Symbol, int]], tuple[Any, ...]]


def compile_scalars(exprs: Sequence[ScalarExpr]) -> ScalarFunction:
    """Return ``f(a, s)``, the values of `exprs` for scalar arguments `a` and sizes `s`."""
    lines, results = _texts(exprs, inline=False)
    body = "".join(f"    {line}\n" for line in lines)
    names: dict[str, Any] = {}
    exec(f"def function(a, s):\n{body}    return ({''.join(text + ', ' for text in results)})\n", names)
    function: ScalarFunction = names["function"]
    return function
