"""The environment variables that xpaccel reads, each with its type, its default and its errors.

Every function reads the environment anew, so a test or a notebook may change a variable; a caller on a
hot path keeps the value. A variable that is set to nothing counts as not set. A value that cannot be used
raises, naming the variable, the value and what is allowed: a misspelt setting is never ignored.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from xpaccel.errors import BackendError, UserError

DEFAULT_BACKEND = "numpy"
DEBUG_LEVELS = range(5)


def backend(allowed: Sequence[str]) -> str:
    """Read ``XP_BACKEND``, the name of the target that runs kernels.

    Parameters
    ----------
    allowed : sequence of str
        The names that exist (`xpaccel.backends.names`); this module knows none but the default.

    Returns
    -------
    str
        One of `allowed`; ``"numpy"`` where the variable is not set.

    Raises
    ------
    BackendError
        Where the value is not one of `allowed`.
    """
    text = _read("XP_BACKEND")
    if text is None:
        return DEFAULT_BACKEND
    if text not in allowed:
        raise BackendError(_refusal("XP_BACKEND", text, f"one of {', '.join(allowed)}"))
    return text


def debug() -> int:
    """Read ``XP_DEBUG``, how much of its work xpaccel shows on standard error: 0 (nothing) to 4.

    Raises
    ------
    UserError
        Where the value is not a whole number from 0 to 4.
    """
    text = _read("XP_DEBUG")
    if text is None:
        return 0
    if text not in map(str, DEBUG_LEVELS):
        raise UserError(_refusal("XP_DEBUG", text, "a whole number from 0 to 4"))
    return int(text)


def cache_dir() -> Path | None:
    """Read ``XP_CACHE_DIR``, the folder of compiled programs, as an absolute path.

    Returns
    -------
    Path or None
        None where the variable is not set. The folder need not exist; ``~`` is the home folder.

    Raises
    ------
    UserError
        Where the path, or one that it lies under, is there and is not a folder.
    """
    text = _read("XP_CACHE_DIR")
    if text is None:
        return None
    try:
        folder = Path(text).expanduser().absolute()  # RuntimeError: no such user, or no home folder
        there = next(path for path in (folder, *folder.parents) if path.exists())
    except (OSError, RuntimeError) as error:
        raise UserError(_refusal("XP_CACHE_DIR", text, f"a folder ({error})")) from error
    if not there.is_dir():
        raise UserError(_refusal("XP_CACHE_DIR", text, f"a folder, and {there} is a file"))
    return folder


def num_threads() -> int | None:
    """Read ``XP_NUM_THREADS``, the number of threads that a kernel may run on.

    Returns
    -------
    int or None
        At least 1; None where the variable is not set.

    Raises
    ------
    UserError
        Where the value is not a whole number of at least 1.
    """
    text = _read("XP_NUM_THREADS")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise UserError(_refusal("XP_NUM_THREADS", text, "a whole number, at least 1"))
    return int(text)


def _read(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _refusal(name: str, value: str, allowed: str) -> str:
    return f"{name}={value!r} cannot be used: it must be {allowed}."
