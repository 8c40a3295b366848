"""Marks for NVIDIA's profilers (Nsight Systems and Compute): each launch as a range with its kernel and source lines.

Where ``XP_NVTX=1`` is not set, `marked` gives back what it got, so that a launch costs nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

from xpaccel import config

P = ParamSpec("P")
R = TypeVar("R")


def label(kernel: str, lines: Sequence[str]) -> str:
    """Return the name of a range: the kernel and where in the user's source its loops come from.

    Parameters
    ----------
    kernel
        The name of the user's function.
    lines
        Of a nest, as in `xpaccel.loops.program.Nest`: ``"heat.py:12"``.
    """
    return f"{kernel} ({', '.join(lines)})" if lines else kernel


def marked(launch: Callable[P, R], name: str) -> Callable[P, R]:
    """Return a function that launches inside a range of that name; `launch` itself unless ``XP_NVTX=1``.

    Parameters
    ----------
    launch
        What is called for a launch.
    name
        Of the range, as from `label`.

    Raises
    ------
    UserError
        Where ``XP_NVTX`` is neither 0 nor 1.
    """
    if not config.nvtx():
        return launch
    from cupy.cuda import nvtx

    push, pop = nvtx.RangePush, nvtx.RangePop

    @wraps(launch)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        push(name)
        try:
            return launch(*args, **kwargs)
        finally:
            pop()

    return inside
