"""The environment variables that xpaccel reads, each with its type, its default and its errors.

Every function reads the environment anew, so a test or a notebook may change a variable; a caller on a
hot path keeps the value. A variable that is set to nothing counts as not set. A value that cannot be used
raises, naming the variable, the value and what is allowed: a misspelt setting is never ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpaccel.errors import BackendError, UserError

DEFAULT_BACKEND = "numpy"
DEBUG_LEVELS = range(5)


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """How much of a GPU's memory this process may take; one of the two is set.

    Attributes
    ----------
    bytes
        A number of bytes.
    fraction
        A part of the memory that the GPU has, over 0 and at most 1.
    """

    bytes: int | None = None
    fraction: float | None = None


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


def wished_backend() -> str:
    """Return what ``XP_BACKEND`` is set to, unchecked; empty where it is not set."""
    return _read("XP_BACKEND") or ""


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


def device() -> int | None:
    """Read ``XP_DEVICE``, the GPU that this process uses, counted from 0 among those that CUDA shows it.

    Returns
    -------
    int or None
        None where the variable is not set: the rank on this node decides.

    Raises
    ------
    UserError
        Where the value is not a whole number.
    """
    return _count("XP_DEVICE", "the number of a GPU, from 0, as `xpaccel doctor` lists them")


def gpu_oversubscribe() -> bool:
    """Read ``XP_GPU_OVERSUBSCRIBE``, whether several ranks may share a GPU; they may not by default.

    Raises
    ------
    UserError
        Where the value is neither 0 nor 1.
    """
    return _switch("XP_GPU_OVERSUBSCRIBE")


def gpu_memory() -> MemoryLimit | None:
    """Read ``XP_GPU_MEMORY``, the most memory that this process takes on its GPU: ``8GB``, ``512MiB``, ``50%``.

    Returns
    -------
    MemoryLimit or None
        None where the variable is not set.

    Raises
    ------
    UserError
        Where the value is neither a size over 0 with its unit nor a percentage over 0 and up to 100.
    """
    text = _read("XP_GPU_MEMORY")
    if text is None:
        return None
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:(%)|([kmgt]?)(i?)b)", text.lower(), re.ASCII)
    amount = float(parts[1]) if parts else 0.0
    if parts and parts[2] and 0 < amount <= 100:
        return MemoryLimit(fraction=amount / 100)
    if parts and not parts[2]:
        size = int(amount * (1024 if parts[4] else 1000) ** ("kmgt".find(parts[3]) + 1 if parts[3] else 0))
        if size > 0:
            return MemoryLimit(bytes=size)
    raise UserError(_refusal("XP_GPU_MEMORY", text, "a size such as 8GB or 512MiB, or a share such as 50%"))


def site(environ: Mapping[str, str] | None = None) -> str | None:
    """Read ``XP_SITE``, the name or path of the file that describes the cluster for `xpaccel submit`.

    Parameters
    ----------
    environ
        Where it is looked up; the process's environment by default.

    Returns
    -------
    str or None
        None where the variable is not set.
    """
    return _read("XP_SITE", os.environ if environ is None else environ)


def local_rank() -> int | None:
    """Read ``XP_LOCAL_RANK``, the number of this process among the ranks of its node, over what the launcher says.

    Returns
    -------
    int or None
        At least 0; None where the variable is not set.

    Raises
    ------
    UserError
        Where the value is not a whole number.
    """
    return _count("XP_LOCAL_RANK", "the number of this rank on its node, from 0")


def rank_device() -> int | None:
    """Read ``XP_RANK_DEVICE`` and ``XP_RANKS_PER_DEVICE``, by which a submitted job gives a rank its GPU.

    Returns
    -------
    int or None
        How many ranks use the GPU; None where no job chose one, or ``CUDA_VISIBLE_DEVICES`` was changed since.

    Raises
    ------
    UserError
        Where the number of ranks is no whole number of at least 1.
    """
    if _read("XP_RANK_DEVICE") is None or _read("XP_RANK_DEVICE") != _read("CUDA_VISIBLE_DEVICES"):
        return None
    ranks = _count("XP_RANKS_PER_DEVICE", allowed := "the number of ranks that use this GPU, at least 1")
    if ranks == 0:
        raise UserError(_refusal("XP_RANKS_PER_DEVICE", "0", allowed))
    return ranks or 1


def deadline() -> float | None:
    """Read ``XP_DEADLINE``: when the program must have stopped, in seconds since 1970; None where nothing says.

    Raises
    ------
    UserError
        If it is no number.
    """
    value = _read("XP_DEADLINE")
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        raise UserError(_refusal("XP_DEADLINE", value, "seconds since 1970, such as date +%s prints")) from None


def sync() -> bool:
    """Read ``XP_SYNC``, whether each call on a GPU waits for its end; it does not by default.

    A call that waits raises what goes wrong in it. Otherwise that is seen by a later one.

    Raises
    ------
    UserError
        Where the value is neither 0 nor 1.
    """
    return _switch("XP_SYNC")


def nvtx() -> bool:
    """Read ``XP_NVTX``, whether launches on a GPU are marked for NVIDIA's profilers; they are not by default.

    Raises
    ------
    UserError
        Where the value is neither 0 nor 1.
    """
    return _switch("XP_NVTX")


def _count(name: str, allowed: str) -> int | None:
    text = _read(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UserError(_refusal(name, text, allowed))
    return int(text)


def _switch(name: str) -> bool:
    text = _read(name)
    if text not in (None, "0", "1"):
        raise UserError(_refusal(name, text, "0 or 1"))
    return text == "1"


def _read(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    return environ.get(name, "").strip() or None


def _refusal(name: str, value: str, allowed: str) -> str:
    return f"{name}={value!r} cannot be used: it must be {allowed}."
