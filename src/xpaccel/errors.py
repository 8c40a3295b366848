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


class CompileError(XpaccelError):
    """A generated program was refused by the compiler below; the message names its source file."""
