"""Recording launches in a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy

from xpaccel import config
from xpaccel.backends.cuda.launch import synchronize
from xpaccel.backends.gpu import faults


def record(function: Callable[[], Any]) -> Callable[[], Any] | str:
    """Record what `function` puts on the current stream; nothing of it is run.

    Parameters
    ----------
    function
        Launches kernels. Memory that it takes comes from a pool of the recording's own, so that nobody else
        is given what a replay writes to.

    Returns
    -------
    callable or str
        What replays it on the current stream and returns its result; or why it cannot be recorded.
    """
    synchronize()
    faults.look()  # while launches are recorded there is no waiting, so what went wrong before is raised before
    pool = cupy.cuda.MemoryPool()
    stream = cupy.cuda.Stream(non_blocking=True)
    stream.wait_event(cupy.cuda.get_current_stream().record())
    result = problem = None
    with cupy.cuda.using_allocator(pool.malloc), stream:
        stream.begin_capture()
        try:
            result = function()
        except Exception as error:  # the launches so far were not run, so it is called again as it is
            problem = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        try:
            graph = stream.end_capture()
        except Exception as error:  # what synchronised in between made the recording invalid
            problem = problem or f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    if problem is not None:
        return f"it cannot be recorded in a CUDA graph: {problem}"

    waits = config.sync()

    def replay() -> Any:
        faults.look()
        held.launch()
        if waits:
            synchronize()
            faults.look()
        return result

    held = _Held(graph, pool)
    return replay


class _Held:
    """A graph, with the memory that it writes to."""

    def __init__(self, graph: Any, pool: Any) -> None:
        self.launch, self.pool = graph.launch, pool
