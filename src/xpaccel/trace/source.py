"""Where in the user's source we are, and errors that say so."""

from __future__ import annotations

import linecache
import os
import sys
import threading
from types import CodeType, FrameType

from xpaccel.errors import TraceError

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARIES = tuple(os.sep + name + os.sep for name in ("numpy", "array_api_compat"))

#: For each code object met: whether it is the user's, and its file's short name.
_known: dict[CodeType, str | None] = {}


def _short_name(code: CodeType) -> str | None:
    """Return the short file name of the user's code, None for ours and the libraries'."""
    path = code.co_filename
    ours = path.startswith((_PACKAGE, "<frozen")) or any(name in path for name in _LIBRARIES)
    name = None if ours else os.path.basename(path)
    _known[code] = name
    return name


def user_frame() -> FrameType | None:
    """Return the innermost frame of the user's code."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        name = _known[code] if code in _known else _short_name(code)
        if name is not None:
            return frame
        frame = frame.f_back
    return None


def user_line() -> str:
    """Return where the user's code is, as ``"file.py:14"``."""
    frame = user_frame()
    return "" if frame is None else f"{_known[frame.f_code]}:{frame.f_lineno}"


def user_place() -> str:
    """Return where the user's code is, with the source line where there is one."""
    frame = user_frame()
    if frame is None:
        return ""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals).strip()
    place = f"{_known[frame.f_code]}:{frame.f_lineno}"
    return f"{place}: `{line}`" if line else place


class _Noted(threading.local):
    errors: list[TraceError] | None = None


#: The errors of the trace in progress: a kernel that catches one would go on with what eager NumPy never does.
noted = _Noted()


def trace_error(what: str, advice: str) -> TraceError:
    """Return a `TraceError` that says what happened, on which line of the user's, and what to do.

    The trace in progress fails with it, also where the kernel itself catches it.

    Parameters
    ----------
    what
        What happened, without a full stop.
    advice
        What to do instead, a sentence or two.
    """
    place = user_place()
    where = f" ({place})" if place else ""
    error = TraceError(f"{what}{where}.\n    {advice}")
    if noted.errors is not None:
        noted.errors.append(error)
    return error
