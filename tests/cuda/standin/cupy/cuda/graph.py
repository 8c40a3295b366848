"""The stand-in's CUDA graphs: a list of what was launched, by address, which `Graph.launch` runs.

While a stream captures, nothing runs, as on a GPU: results hold the pattern of unwritten memory until the graph is
launched.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cupy import _standin


class Capture:
    """What a stream records."""

    def __init__(self) -> None:
        self.operations: list[Callable[[], None]] = []
        #: What was allocated meanwhile: the pool of a recording keeps it, as CuPy's pools keep what is freed.
        self.memory: list[Any] = []

    def record(self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        """Record a function of the namespace; returns views at once, and results still unwritten.

        What it gives, and whether that is a view, is found out on copies of its inputs.
        """
        from cupy import _functions

        copies = {id(device_array._host): device_array._host.copy("K") for device_array in inputs}
        tried = function(*_replace(args, copies), **_replace(kwargs, copies))
        shown = tried if isinstance(tried, (tuple, list)) else (tried,)
        arrays = [item for item in shown if isinstance(item, (np.ndarray, np.generic))]
        written = [a for a in inputs if tried is copies[id(a._host)] or not _same(copies[id(a._host)], a._host)]
        changed = bool(written) or "out" in kwargs
        if arrays and not changed and all(_is_view(item, copies.values()) for item in arrays):
            return _functions.wrap(function(*args, **kwargs), inputs)
        if not changed:
            made = _functions.wrap(tried, ())
            targets = [
                item._host for item in (made if isinstance(made, (tuple, list)) else (made,)) if _is_device(item)
            ]
            for target in targets:
                ctypes.memset(target.__array_interface__["data"][0], 0xA5, target.nbytes)
        else:
            originals = {id(copies[id(a._host)]): a for a in inputs}
            made = originals.get(id(tried)) if isinstance(tried, np.ndarray) else tried
            targets = []

        def replay() -> None:
            with np.errstate(all="ignore"):
                result = function(*args, **kwargs)
            for target, value in zip(targets, result if isinstance(result, (tuple, list)) else (result,), strict=False):
                target[...] = value

        self.operations.append(replay)
        return made


def _replace(value: Any, copies: Mapping[int, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        return copies.get(id(value), value)
    if isinstance(value, (tuple, list)):
        return type(value)(_replace(item, copies) for item in value)
    if isinstance(value, Mapping):
        return {name: _replace(item, copies) for name, item in value.items()}
    return value


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()


def _is_view(item: Any, of: Any) -> bool:
    return isinstance(item, np.ndarray) and any(np.may_share_memory(item, array) for array in of)


def _is_device(item: Any) -> bool:
    return hasattr(item, "_host")


class Graph:
    """A stand-in (test double) for a CUDA graph, made by ``Stream.end_capture``."""

    _operations: Sequence[Callable[[], None]]
    _memory: Sequence[Any]

    def __init__(self) -> None:
        raise NotImplementedError(
            "currently this class cannot be initiated by the user and must be created via stream capture"
        )

    @classmethod
    def _of(cls, capture: Capture) -> Graph:
        graph = object.__new__(cls)
        graph._operations, graph._memory = capture.operations, capture.memory
        return graph

    def launch(self, stream: Any = None) -> None:
        """Run what was recorded, in its order."""
        _standin.counts.graph_launches += 1
        for operation in self._operations:
            operation()

    def upload(self, stream: Any = None) -> None:
        """Prepare the graph, for which there is nothing to do."""
