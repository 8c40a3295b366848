"""Operands and their dtypes: NumPy's own answers, asked of NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from xpaccel.graph.node import Node, Shape
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.ops import OPS
from xpaccel.trace.scalar import Number, expression
from xpaccel.trace.session import Session, checked_dtype
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import Tracer

#: The type of an operand as NumPy's promotion sees it: a dtype's name, or a weak Python type.
Kind = str | type

_DEFAULT = {int: "int64", float: "float64", complex: "complex128"}


@dataclass(frozen=True, slots=True)
class Operand:
    """What an elementwise function was given.

    Parameters
    ----------
    kind
        A dtype's name, or int, float or complex for a Python number, which is weakly typed.
    node
        Its value, where it is strongly typed.
    expr
        Its expression, where it is a Python number.
    value
        The Python number in this call.
    """

    kind: Kind
    node: Node | None
    expr: ScalarExpr | None = None
    value: Any = None

    @property
    def shape(self) -> Shape:
        """The shape; a Python number's is ()."""
        return () if self.node is None else self.node.shape

    @property
    def is_literal(self) -> bool:
        """Whether it is a Python number that the source spells out."""
        return self.expr is not None and self.expr.op == "const"

    def cast(self, session: Session, dtype: str) -> Node:
        """Return the value as `dtype`, as NumPy converts it."""
        if self.node is not None:
            return session.builder.astype(self.node, dtype)
        assert self.expr is not None
        return number_node(session, self.expr, self.value, dtype)


def number_node(session: Session, expr: ScalarExpr, value: Any, dtype: str) -> Node:
    """Return a Python number as a 0-d value; raise OverflowError where NumPy does."""
    if expr.op == "const":
        value = np.dtype(dtype).type(value)
        return session.builder.const(value.item(), dtype)
    return session.builder.scalar(expr, dtype)


def operand(session: Session, value: Any) -> Operand:
    """Return what an argument of an elementwise function is."""
    if isinstance(value, Tracer):
        node = value._read()
        return Operand(node.dtype, node)
    if isinstance(value, Number):
        expr = expression(value)
        kind = type(value._value)
        if kind is bool:
            return Operand("bool", session.builder.scalar(expr, "bool"))
        return Operand(kind, None, expr, value._value)
    if isinstance(value, bool):
        return Operand("bool", session.builder.const(value, "bool"))
    if type(value) in _DEFAULT:
        return Operand(type(value), None, ScalarExpr.const(value), value)
    if isinstance(value, np.generic):
        session.met_generic = True
        dtype = checked_dtype(value.dtype)
        return Operand(dtype, session.builder.const(value.item(), dtype))
    if isinstance(value, int | float | complex):  # a subclass, an IntEnum for one: its number is meant
        plain = int(value) if isinstance(value, int) else float(value) if isinstance(value, float) else complex(value)
        return Operand(type(plain), None, ScalarExpr.const(plain), plain)
    if session.is_array(value):
        return _captured(session, value, False)
    if isinstance(value, list | tuple):
        made = nested(session, value)
        return operand(session, made) if isinstance(made, Tracer) else _captured(session, made, True)
    raise trace_error(
        f"a traced array met {'None' if value is None else f'an object of type {type(value).__name__}'}",
        "Arrays, NumPy scalars and Python numbers can be combined with a traced array.",
    )


def nested(session: Session, value: Any) -> Any:
    """Return a nested list of numbers and arrays as one array, as ``np.asarray`` does."""
    if not isinstance(value, list | tuple):
        return value
    if any(isinstance(item, Tracer | Number) for item in _items(value)):
        from xpaccel.trace.tracer import FUNCTIONS

        parts = [nested(session, item) for item in value]
        return FUNCTIONS["stack"]([FUNCTIONS["asarray"](part) for part in parts])
    return np.asarray(value)


def _items(value: Any) -> Any:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list | tuple):
            stack.extend(item)
        else:
            yield item


def _captured(session: Session, array: Any, made_here: bool) -> Operand:
    buffer = session.constant(array, made_here=made_here)
    return Operand(buffer.node.dtype, buffer.node)


def default_dtype(kind: Kind) -> str:
    """Return the dtype of a value that stands alone: NumPy's default for a Python number."""
    return kind if isinstance(kind, str) else _DEFAULT[kind]


@cache
def resolve(name: str, kinds: tuple[Kind, ...]) -> tuple[str, ...]:
    """Return the dtypes in which NumPy's ufunc of operation `name` computes, the result's last.

    Raises
    ------
    TypeError
        Where NumPy has no such operation on these dtypes.
    """
    ufunc = getattr(np, OPS[name].numpy if name in OPS else name)
    signature = tuple(np.dtype(kind) if isinstance(kind, str) else kind for kind in kinds)
    found = ufunc.resolve_dtypes((*signature, None))
    return tuple(dtype.name for dtype in found)


@cache
def result_type(kinds: tuple[Kind, ...]) -> str:
    """Return the dtype to which NumPy promotes operands of these kinds."""
    samples: dict[Any, Any] = {int: 0, float: 0.0, complex: 0j}
    return np.result_type(*(np.dtype(k) if isinstance(k, str) else samples[k] for k in kinds)).name
