"""Python numbers that are known only when the program runs: sizes and scalar arguments.

They are not `int` or `float`: a subclass of those loses what it stands for without a word. Where
Python asks for a definite value (``range(n)``, ``math.sin(t)``, a dictionary's key), the trace goes
on with this call's value and records it as a guard.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from xpaccel.graph.affine import Affine
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.trace.session import Session, check_session

_INFIX: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "lshift": operator.lshift,
    "rshift": operator.rshift,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
}
_COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
_PREFIX: dict[str, Callable[[Any], Any]] = {
    "neg": operator.neg,
    "pos": operator.pos,
    "invert": operator.invert,
    "abs": operator.abs,
}


class Number:
    """A Python number of this trace: an expression, and its value in this call.

    Parameters
    ----------
    session
        The trace it belongs to.
    expr
        What computes it.
    value
        Its value in this call; its type holds in every call.
    affine
        The size that it is, where it is one.
    """

    __slots__ = ("_affine", "_expr", "_session", "_value")

    #: NumPy hands an operation of an array and a `Number` to us.
    __array_priority__ = 1000.0

    def __init__(self, session: Session, expr: ScalarExpr, value: Any, affine: Affine | None = None) -> None:
        self._session = session
        self._expr = expr
        self._value = value
        self._affine = affine

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The type of the number that it stands for, so that `isinstance` answers as it does in an eager run."""
        return type(self._value)

    def _check(self) -> None:
        check_session(self._session, "a number")

    def _known(self) -> Any:
        """Return the value, assuming that it is the same in every call."""
        self._check()
        if self._affine is not None:
            return self._session.guards.specialise(self._affine)
        self._session.assume(self._expr, self._value)
        return self._value

    def __index__(self) -> int:
        return operator.index(self._known())

    def __int__(self) -> int:
        return int(self._known())

    def __float__(self) -> float:
        return float(self._known())

    def __complex__(self) -> complex:
        return complex(self._known())

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._known()) if digits is None else round(self._known(), operator.index(digits))

    def __trunc__(self) -> int:
        return int(self._known())

    def __hash__(self) -> int:
        return hash(self._known())

    def __bool__(self) -> bool:
        if self._affine is not None:
            self._check()
            return not self._session.guards.equal(self._affine, 0)
        if isinstance(self._value, bool):
            return bool(self._known())
        truth = ScalarExpr("bool", (self._expr,))
        self._check()
        self._session.assume(truth, bool(self._value))
        return bool(self._value)

    def __str__(self) -> str:
        return str(self._known())

    def __format__(self, spec: str) -> str:
        return format(self._known(), spec)

    def __repr__(self) -> str:
        what = self._expr if self._affine is None else self._affine
        return f"<traced {type(self._value).__name__} {what}, here {self._value!r}>"

    @property
    def real(self) -> Any:
        """The real part."""
        return self._known().real if isinstance(self._value, complex) else self

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return self._known().imag

    def conjugate(self) -> Any:
        """Return the complex conjugate."""
        return self._known().conjugate() if isinstance(self._value, complex) else self

    def is_integer(self) -> bool:
        """Whether the value is a whole number."""
        return bool(self._known().is_integer())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        import numpy as np

        return np.asarray(self._known(), dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from xpaccel.trace.protocol import array_ufunc

        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from xpaccel.trace.protocol import array_function

        return array_function(func, args, kwargs)


def size_number(session: Session, size: Affine) -> Any:
    """Return a size as the user's code sees it: an int where it is constant."""
    if not size.terms:
        return size.const
    return Number(session, ScalarExpr.size(size), session.guards.hint(size), size)


def argument_number(session: Session, slot: int, value: Any) -> Number:
    """Return scalar argument `slot`."""
    return Number(session, ScalarExpr.arg(slot), value)


def expression(value: Any) -> ScalarExpr:
    """Return the expression of a Python number or a traced one."""
    if isinstance(value, Number):
        value._check()
        return value._expr
    return ScalarExpr.const(value)


def as_affine(value: Any) -> Affine:
    """Return a size or an index as a symbolic size; raise TypeError for what is no integer."""
    if isinstance(value, Number) and value._affine is not None:
        value._check()
        return value._affine
    return Affine(operator.index(value))


def _as_size(value: Any) -> Affine | None:
    if isinstance(value, Number):
        return value._affine
    return Affine(value) if type(value) is int else None


def _combine(op: str, left: Any, right: Any) -> Any:
    session = left._session if isinstance(left, Number) else right._session
    sizes = _as_size(left), _as_size(right)
    if sizes[0] is not None and sizes[1] is not None:
        found = _combine_sizes(session, op, sizes[0], sizes[1])
        if found is not NotImplemented:
            return found
    values = [item._value if isinstance(item, Number) else item for item in (left, right)]
    if op == "pow":
        _settle_type_of_power(session, left, right, values)
    return Number(session, ScalarExpr(op, (expression(left), expression(right))), _INFIX[op](*values))


def _combine_sizes(session: Session, op: str, left: Affine, right: Affine) -> Any:
    """Return the result where it stays a size, or is decided by a guard; NotImplemented otherwise."""
    guards = session.guards
    if op == "add":
        return size_number(session, left + right)
    if op == "sub":
        return size_number(session, left - right)
    if op == "mul" and (left.is_const or right.is_const):
        return size_number(session, left * right.const if right.is_const else right * left.const)
    if op in ("floordiv", "mod") and right.is_const and right.const > 0:
        exact = left.divided(right.const)
        if exact is not None:
            return size_number(session, exact if op == "floordiv" else Affine())
    if op == "eq" or op == "ne":
        return guards.equal(left, right) == (op == "eq")
    if op in ("ge", "lt"):
        return guards.at_least(left, right) == (op == "ge")
    if op in ("le", "gt"):
        return guards.at_least(right, left) == (op == "le")
    if op in ("truediv", "pow", "mul"):
        return NotImplemented  # a run-time number
    return _INFIX[op](guards.specialise(left), guards.specialise(right))


def _settle_type_of_power(session: Session, left: Any, right: Any, values: list[Any]) -> None:
    """Assume what decides whether a power is an int, a float or complex."""
    base, exponent = values
    if isinstance(base, int) and isinstance(exponent, int):
        if isinstance(right, Number):
            session.assume(ScalarExpr("ge", (expression(right), ScalarExpr.const(0))), exponent >= 0)
    elif not isinstance(base, complex) and not isinstance(exponent, complex):
        if isinstance(left, Number):
            session.assume(ScalarExpr("lt", (expression(left), ScalarExpr.const(0))), base < 0)
        if isinstance(right, Number) and base < 0:
            right._known()


def _install() -> None:
    def infix(op: str) -> None:
        def forward(self: Number, other: Any) -> Any:
            if not isinstance(other, Number | int | float | complex) or _is_generic(other):
                return NotImplemented
            self._check()
            return _combine(op, self, other)

        def reflected(self: Number, other: Any) -> Any:
            if not isinstance(other, int | float | complex) or _is_generic(other):
                return NotImplemented
            self._check()
            return _combine(op, other, self)

        dunder = {"and": "and", "or": "or"}.get(op, op)
        setattr(Number, f"__{dunder}__", forward)
        if op not in _COMPARISONS:
            setattr(Number, f"__r{dunder}__", reflected)

    def prefix(op: str) -> None:
        def method(self: Number) -> Any:
            self._check()
            if self._affine is not None and op in ("neg", "pos"):
                return size_number(self._session, -self._affine if op == "neg" else self._affine)
            return Number(self._session, ScalarExpr(op, (self._expr,)), _PREFIX[op](self._value))

        setattr(Number, f"__{op}__", method)

    for name in _INFIX:
        infix(name)
    for name in _PREFIX:
        prefix(name)


def _is_generic(value: Any) -> bool:
    """Whether `value` is a NumPy scalar: np.float64 is a float, and yet strongly typed."""
    return hasattr(value, "dtype")


_install()


def _divmod(self: Number, other: Any) -> Any:
    return self // other, self % other


def _rdivmod(self: Number, other: Any) -> Any:
    return other // self, other % self


setattr(Number, "__divmod__", _divmod)  # noqa: B010
setattr(Number, "__rdivmod__", _rdivmod)  # noqa: B010
