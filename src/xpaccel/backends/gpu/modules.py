"""Kernels on the current device, by their source: from this process, from our cache on disk, or from a compiler.

CuPy loads machine code and launches what is in it, whichever compiler made it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

import cupy
from cupy.cuda.function import Module

from xpaccel.cache import Store


class Modules:
    """What a compiler has made in this process.

    Parameters
    ----------
    entry
        The name of the function in each source.
    suffix
        That of the files which hold sources.
    surroundings
        Gives everything besides the source, its options and the device that decides the machine code.

    Attributes
    ----------
    compiled, loaded, reused
        How often kernels were compiled, loaded from the cache on disk, or found in this process.
    """

    def __init__(self, entry: str, suffix: str, surroundings: Callable[[], tuple[str, ...]]) -> None:
        self._entry, self._suffix, self._ask = entry, suffix, surroundings
        self._functions: dict[tuple[int, str, tuple[str, ...]], Any] = {}
        self._lock = threading.Lock()
        self.compiled = self.loaded = self.reused = 0

    def function(self, source: str, options: tuple[str, ...], build: Callable[[str, int], bytes]) -> Any:
        """Return the kernel of a source on the current device.

        Parameters
        ----------
        source, options
            What decides the machine code.
        build
            Takes the name of the file that holds the source, and the compute capability times ten; returns the machine
            code.
        """
        device = cupy.cuda.Device()
        with self._lock:
            found = self._functions.get((device.id, source, options))
            if found is not None:
                self.reused += 1
            else:
                found = self._load(source, options, build, int(device.compute_capability))
                self._functions[device.id, source, options] = found
            return found

    def _load(self, source: str, options: tuple[str, ...], build: Callable[[str, int], bytes], arch: int) -> Any:
        store = self._store
        key = hashlib.sha256("\0".join((*self._surroundings, str(arch), *options, source)).encode()).hexdigest()
        module = Module()
        image = store.get(key)
        if image is not None:
            try:
                module.load(image)
                self.loaded += 1
                return module.get_function(self._entry)
            except cupy.cuda.driver.CUDADriverError:  # whole, but not for this driver: compile it anew
                module = Module()
        path = store.path(key, self._suffix)
        if not store.write(path, source.encode()):
            path = path.with_name(f"{key} (not kept){self._suffix}")
        image = build(str(path), arch)
        self.compiled += 1
        store.put(key, image)
        module.load(image)
        return module.get_function(self._entry)

    @cached_property
    def _surroundings(self) -> tuple[str, ...]:
        return self._ask()

    @cached_property
    def _store(self) -> Store:
        return Store()
