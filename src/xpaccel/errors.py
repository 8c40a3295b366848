"""The exceptions of xpaccel: one class for each thing that a caller may want to catch."""

from __future__ import annotations


class XpaccelError(Exception):
    """Everything that xpaccel raises on purpose."""


class UserError(XpaccelError):
    """Input of a command that cannot be used; the message is one line that says what to do."""


class TraceError(XpaccelError):
    """A kernel does something that cannot be compiled; the message names the user's line."""


class BackendError(XpaccelError):
    """A backend is unknown, not available here, or does not fit the arrays it was given."""


class DomainError(XpaccelError):
    """A grid, a field or a kernel called on fields does not fit the domain, its ranks or each other."""


class CompileError(XpaccelError):
    """A generated program was refused by the compiler below; the message names its source file."""


def out_of_bounds(size: int, line: str) -> IndexError:
    """Return the error of an index that is not on its axis of `size`, used on a line of the user's."""
    where = f" ({line})" if line else ""
    return IndexError(f"an index is out of bounds for an axis with size {size}{where}")
