"""Symbolic sizes: affine expressions of the inputs' dimensions, and the guards that decide them.

A size is an `Affine`: an exact integer combination of symbols. What its value is in one call is
known to `Guards`, which holds a hint for every symbol. Asking `Guards` a question about sizes
answers it for the hint and records what was assumed, so that a compiled program can be reused for
every call whose sizes give the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Union

#: Dimension ``axis`` of array argument ``slot``.
Symbol = tuple[int, int]

AffineLike = Union["Affine", int]


@dataclass(frozen=True, slots=True)
class Affine:
    """``const + sum(coefficient * symbol)`` over the integers.

    Parameters
    ----------
    const
        The constant part.
    terms
        ``(symbol, coefficient)`` pairs, sorted by symbol, no coefficient zero.
    """

    const: int = 0
    terms: tuple[tuple[Symbol, int], ...] = ()

    @staticmethod
    def of(value: AffineLike) -> Affine:
        """Return `value` as an affine expression."""
        return value if isinstance(value, Affine) else Affine(int(value))

    @staticmethod
    def symbol(slot: int, axis: int) -> Affine:
        """Return the size of dimension `axis` of array argument `slot`."""
        return Affine(0, (((slot, axis), 1),))

    @property
    def is_const(self) -> bool:
        """Whether no symbol occurs."""
        return not self.terms

    def __add__(self, other: AffineLike) -> Affine:
        if isinstance(other, int):
            return Affine(self.const + other, self.terms)
        if not other.terms:
            return Affine(self.const + other.const, self.terms)
        sums = dict(self.terms)
        for symbol, coefficient in other.terms:
            sums[symbol] = sums.get(symbol, 0) + coefficient
        return Affine(self.const + other.const, tuple(sorted((s, c) for s, c in sums.items() if c)))

    __radd__ = __add__

    def __neg__(self) -> Affine:
        return self * -1

    def __sub__(self, other: AffineLike) -> Affine:
        return self + (-other)

    def __rsub__(self, other: AffineLike) -> Affine:
        return -self + other

    def __mul__(self, factor: int) -> Affine:
        if factor == 0:
            return Affine()
        return Affine(self.const * factor, tuple((s, c * factor) for s, c in self.terms))

    __rmul__ = __mul__

    def divided(self, divisor: int) -> Affine | None:
        """Return ``self / divisor`` where that is affine over the integers, else None."""
        if self.const % divisor or any(c % divisor for _, c in self.terms):
            return None
        return Affine(self.const // divisor, tuple((s, c // divisor) for s, c in self.terms))

    def value(self, hints: Mapping[Symbol, int]) -> int:
        """Return the value under `hints`."""
        return self.const + sum(coefficient * hints[symbol] for symbol, coefficient in self.terms)

    def __str__(self) -> str:
        text = ""
        for (slot, axis), coefficient in self.terms:
            name = f"n{slot}_{axis}"
            factor = name if abs(coefficient) == 1 else f"{abs(coefficient)}*{name}"
            text += ("-" if coefficient < 0 else "+" if text else "") + factor
        if self.const or not text:
            text += f"{self.const:+d}" if text else str(self.const)
        return text


@dataclass(frozen=True, slots=True)
class Guard:
    """``expr REL 0``, with REL one of ``==``, ``!=``, ``>=``."""

    expr: Affine
    relation: str

    def holds(self, sizes: Mapping[Symbol, int]) -> bool:
        """Whether the guard is true for these sizes."""
        value = self.expr.value(sizes)
        if self.relation == "==":
            return value == 0
        return value >= 0 if self.relation == ">=" else value != 0

    def __str__(self) -> str:
        return f"{self.expr} {self.relation} 0"


class Guards:
    """The hints of one call, and what was assumed about sizes while a program was made from it.

    Parameters
    ----------
    hints
        The value of every symbol in this call.
    """

    def __init__(self, hints: Mapping[Symbol, int]) -> None:
        self.hints = dict(hints)
        self._recorded: dict[Guard, None] = {}
        #: For each known ``terms`` direction, the least constant part known: ``terms >= bound``.
        self._bounds: dict[tuple[tuple[Symbol, int], ...], int] = {}
        self._equal: dict[tuple[tuple[Symbol, int], ...], int] = {}
        for symbol in self.hints:
            self._bounds[((symbol, 1),)] = 0  # a size is never negative; this needs no guard

    @property
    def recorded(self) -> tuple[Guard, ...]:
        """What was assumed, in the order in which it was asked, without what other guards imply."""
        return tuple(guard for guard in self._recorded if not self._implied(guard))

    def _implied(self, guard: Guard) -> bool:
        """Whether a guard recorded later, or a size being no size otherwise, makes this one hold."""
        if guard.relation == "==":
            return False
        scale, terms = _direction(guard.expr)
        least, most = self._bounds.get(terms), self._bounds.get(tuple((s, -c) for s, c in terms))
        if terms in self._equal:
            return True
        above = least is not None and scale * least + guard.expr.const
        if guard.relation == ">=":
            return least is not None and -(guard.expr.const // scale) < least
        below = most is not None and guard.expr.const - scale * most
        return (above is not False and above > 0) or (below is not False and below < 0)

    def hint(self, expr: AffineLike) -> int:
        """Return the value of `expr` in this call; records nothing."""
        return Affine.of(expr).value(self.hints)

    def _record(self, expr: Affine, relation: str) -> None:
        self._recorded.setdefault(Guard(expr, relation))
        scale, terms = _direction(expr)
        if relation == "==":
            if expr.const % scale == 0:
                self._equal[terms] = -expr.const // scale
                opposite = tuple((s, -c) for s, c in terms)
                self._equal[opposite] = expr.const // scale
        elif relation == ">=":
            self._bounds[terms] = max(self._bounds.get(terms, -(2**62)), -(expr.const // scale))

    def _known(self, expr: Affine) -> Affine:
        """Put in what equalities say about `expr` as a whole."""
        if expr.terms:
            scale, terms = _direction(expr)
            if terms in self._equal:
                return Affine(expr.const + scale * self._equal[terms])
        return expr

    def at_least(self, left: AffineLike, right: AffineLike = 0) -> bool:
        """Whether ``left >= right``; recorded unless it is known already."""
        expr = self._known(Affine.of(left) - Affine.of(right))
        if not expr.terms:
            return expr.const >= 0
        scale, terms = _direction(expr)
        if terms in self._bounds and scale * self._bounds[terms] + expr.const >= 0:
            return True
        opposite = tuple((s, -c) for s, c in terms)
        if opposite in self._bounds and expr.const - scale * self._bounds[opposite] < 0:
            return False
        if expr.value(self.hints) >= 0:
            self._record(expr, ">=")
            return True
        self._record(-expr - 1, ">=")
        return False

    def less(self, left: AffineLike, right: AffineLike) -> bool:
        """Whether ``left < right``; recorded unless it is known already."""
        return not self.at_least(left, right)

    def equal(self, left: AffineLike, right: AffineLike) -> bool:
        """Whether ``left == right``; recorded unless it is known already."""
        expr = self._known(Affine.of(left) - Affine.of(right))
        if not expr.terms:
            return expr.const == 0
        scale, terms = _direction(expr)
        if terms in self._bounds and scale * self._bounds[terms] + expr.const > 0:
            return False
        opposite = tuple((s, -c) for s, c in terms)
        if opposite in self._bounds and expr.const - scale * self._bounds[opposite] < 0:
            return False
        if Guard(expr, "!=") in self._recorded or Guard(-expr, "!=") in self._recorded:
            return False
        same = expr.value(self.hints) == 0
        self._record(expr, "==" if same else "!=")
        return same

    def known_equal(self, left: AffineLike, right: AffineLike) -> bool:
        """Whether ``left == right`` follows from what was recorded already; records nothing."""
        expr = self._known(Affine.of(left) - Affine.of(right))
        return not expr.terms and expr.const == 0

    def specialise(self, expr: AffineLike) -> int:
        """Return the value of `expr`, assuming that it always has this call's value."""
        expr = Affine.of(expr)
        value = self.hint(expr)
        self.equal(expr, value)
        return value

    def smaller(self, left: AffineLike, right: AffineLike) -> Affine:
        """Return the smaller of the two."""
        left, right = Affine.of(left), Affine.of(right)
        return right if self.at_least(left, right) else left

    def larger(self, left: AffineLike, right: AffineLike) -> Affine:
        """Return the larger of the two."""
        left, right = Affine.of(left), Affine.of(right)
        return left if self.at_least(left, right) else right


def _direction(expr: Affine) -> tuple[int, tuple[tuple[Symbol, int], ...]]:
    """Split the terms of `expr` into a positive scale and a primitive direction."""
    scale = reduce(gcd, (abs(c) for _, c in expr.terms))
    return scale, tuple((s, c // scale) for s, c in expr.terms)


def compile_guards(guards: tuple[Guard, ...]) -> Callable[[Mapping[Symbol, int]], bool]:
    """Return a function that tells whether all `guards` hold for given sizes."""
    if not guards:
        return lambda sizes: True

    def text(expr: Affine) -> str:
        parts = [f"{c}*s[{symbol}]" for symbol, c in expr.terms]
        return " + ".join([*parts, str(expr.const)])

    source = " and ".join(f"({text(g.expr)} {g.relation} 0)" for g in guards)
    function: Callable[[Mapping[Symbol, int]], bool] = eval(f"lambda s: {source}", {})
    return function
