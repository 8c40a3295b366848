"""The global memory traffic of a kernel's launches, counted on the host.

The yardstick is *each cache line loaded once a launch*: a launch moves the 32-byte sectors that it loads, each once
however many of its threads load from it, and the sectors that it stores into, each once. This is what a cache that
loses nothing during a launch leaves for memory, and so the least that this division into launches can move; what is
above the kernel's own least is due to intermediate arrays, to launches that read the same input again, and to sectors
of which only a part is used.

It is counted from the kernels themselves: they are compiled for the host with every load and store recorded
(`recorder.h`) and run at the geometry that a device would get. The count is tied to the machine code by
`cuda.machine.limits`: for each load and store of the source there is one in the machine code, and none besides.

A second count, each sector once *a block*, is what the blocks ask of the L2 cache if each one's L1 loses nothing.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cuda.host import host

from xpaccel.backends.base import Geometry
from xpaccel.backends.cuda.grid import Shape
from xpaccel.backends.cuda.plan import Planned, kernels, plan
from xpaccel.backends.host import HostMemory
from xpaccel.codegen import cuda_c
from xpaccel.codegen.device import ChainCode, DeviceCode
from xpaccel.dispatch import Dispatcher
from xpaccel.kernel import Kernel
from xpaccel.loops.cost import Cost, cost
from xpaccel.loops.program import LoopProgram, Nest
from xpaccel.program import Program
from xpaccel.stats import Stats

SECTOR = 32
#: Where memory of a device starts: at multiples of this.
ALIGNMENT = 512
_RECORDER = Path(__file__).with_name("recorder.h").read_text(encoding="utf-8")
_LAST = re.compile(r"^template <class T> FUNCTION void store\(.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch, and what it did.

    Attributes
    ----------
    code, shape, cost
        The kernel, its geometry, and what the loops say that it costs.
    loads, stores
        How many of them its threads ran.
    loaded, stored
        Bytes of sectors, each counted once a launch.
    block_bytes
        Bytes of sectors loaded and stored, each counted once a block.
    """

    code: DeviceCode | ChainCode
    shape: Shape
    cost: Cost
    loads: int
    stores: int
    loaded: int
    stored: int
    block_bytes: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a call moves.

    Attributes
    ----------
    launches
        In order.
    read, written
        Elements of arguments that were loaded before the call itself had stored them, and elements of arguments and
        results that were stored.
    least
        Bytes of the sectors that hold these elements, each once.
    arrays, outputs
        The array arguments after the call, and the results.
    """

    launches: tuple[Launch, ...]
    read: int
    written: int
    least: int
    arrays: tuple[Any, ...]
    outputs: tuple[Any, ...]

    @property
    def moved(self) -> int:
        """Bytes of all launches, each sector once a launch."""
        return sum(launch.loaded + launch.stored for launch in self.launches)


def record(kernel: Kernel, arguments: Sequence[Any]) -> Traffic:
    """Run a kernel on the host as the ``cupy`` target would on a device, and count.

    Parameters
    ----------
    kernel
        A kernel that captures no array.
    arguments
        Arrays, which are left as they are, and numbers.
    """
    name = getattr(kernel, "__name__", "kernel")
    compiled, sizes = Dispatcher(kernel.python, name, Stats(), kernel.options).inspect(tuple(arguments), {}, "cupy")
    if compiled.constants:
        raise ValueError(f"{name} captures arrays, which are not counted")
    memory = _Memory()
    arrays = [memory.copy(value) for value in arguments if isinstance(value, np.ndarray)]
    numbers = [value for value in arguments if not isinstance(value, np.ndarray)]
    given = len(memory.watched)
    backend = _Backend(memory)
    program = Program(compiled.loops, backend, name)
    strides = {slot: tuple(stride // array.itemsize for stride in array.strides) for slot, array in enumerate(arrays)}
    outputs = program.bind(sizes, strides).run(arrays, [memory.address(array) for array in arrays], numbers)
    results = {memory.address(array) for array in outputs}
    kept = [w for k, w in enumerate(memory.watched) if k < given or w.low in results]
    least = sum(_sectors(w.needed) for w in memory.watched[:given]) + sum(_sectors(w.written) for w in kept)
    return Traffic(
        launches=tuple(backend.engine.launches),
        read=sum(int(w.needed.sum()) // w.itemsize for w in memory.watched[:given]),
        written=sum(int(w.written.sum()) // w.itemsize for w in kept),
        least=least * SECTOR,
        arrays=tuple(arrays),
        outputs=tuple(outputs),
    )


def _sectors(marks: np.ndarray) -> int:
    """Return how many sectors have a marked byte."""
    return int(np.logical_or.reduceat(marks, np.arange(0, marks.size, SECTOR)).sum()) if marks.size else 0


class _Watched:
    """An array that is watched: marks for its bytes during a launch, and over all of them.

    Attributes
    ----------
    needed, written
        Bytes that were loaded before any was stored, and bytes that were stored.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.low, self.size, self.itemsize = array.__array_interface__["data"][0], array.nbytes, array.itemsize
        self.needed, self.written = (np.zeros(self.size, bool) for _ in range(2))
        self.loaded, self.stored = (np.zeros(self.size, bool) for _ in range(2))
        self.loader, self.storer = (np.zeros(-(-self.size // SECTOR), np.uint32) for _ in range(2))

    def start(self) -> tuple[int, ...]:
        """Forget the last launch; return what the recorder is told."""
        marks = (self.loaded, self.stored, self.loader, self.storer)
        for each in marks:
            each[...] = 0
        return self.low, self.low + self.size, *(each.__array_interface__["data"][0] for each in marks)

    def end(self) -> None:
        """Add a launch to the whole."""
        self.needed |= self.loaded & ~self.written
        self.written |= self.stored


class _Memory(HostMemory):
    """Host memory that is aligned as a device's is, every array of which is watched."""

    def __init__(self) -> None:
        self.watched: list[_Watched] = []

    def empty(self, shape: Sequence[int], dtype: Any) -> np.ndarray:
        wanted = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * wanted.itemsize
        block = np.full(size + ALIGNMENT, 0xA5, np.uint8)
        start = -block.__array_interface__["data"][0] % ALIGNMENT
        array = block[start : start + size].view(wanted).reshape(tuple(shape))
        self.watched.append(_Watched(array))
        return array

    def copy(self, array: np.ndarray) -> np.ndarray:
        made = self.empty(array.shape, array.dtype)
        made[...] = array
        return made


class _Totals(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_ulonglong) for name in ("loads", "stores", "block_loads", "block_stores", "outside")
    )


class _Backend:
    """The ``cupy`` target, but for what runs its kernels."""

    name, eager = "cupy on the host, recorded", False

    def __init__(self, memory: _Memory) -> None:
        self.memory = memory

    def print_nest(self, program: LoopProgram, nest: Nest) -> DeviceCode:
        return cuda_c.print_nest(program, nest)

    def load(self, program: LoopProgram, codes: Sequence[DeviceCode], name: str) -> _Engine:
        self.engine = _Engine(program, codes, self.memory)
        return self.engine


def _unreported(sites: Sequence[tuple[int, str]]) -> tuple[int, int]:
    """Take the checks of a nest, all of which hold."""
    return 0, 1


class _Engine:
    """Runs the nests of a program under the recorder."""

    def __init__(self, loops: LoopProgram, codes: Sequence[DeviceCode], memory: _Memory) -> None:
        self.loops, self.codes, self.memory = loops, codes, memory
        self.launches: list[Launch] = []
        self._ready: list[tuple[Planned, Cost]] = []

    def bind(self, geometry: Geometry) -> _Engine:
        for planned in plan(self.loops, kernels(self.loops, self.codes), geometry, _unreported):
            costs = [cost(self.loops, nest, geometry.sizes) for nest in planned.nests]
            total = Cost(
                max(c.points for c in costs), *(sum(getattr(c, k) for c in costs) for k in ("read", "written", "flops"))
            )
            self._ready.append((planned, total))
        return self

    def run(self, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        for planned, spent in self._ready:
            block = planned.arguments.pack(addresses, scalars).tobytes()
            self.launches.append(self._recorded(planned.code, planned.shape, spent, block))

    def _recorded(self, code: DeviceCode | ChainCode, shape: Shape, spent: Cost, block: bytes) -> Launch:
        defines = [f"WARPS={shape.warps}", *(["WIDE"] if shape.wide else [])]
        kernel = host.Module(recording(code.source), defines=defines).get_function(cuda_c.ENTRY)
        watched = self.memory.watched
        told = (ctypes.c_ulonglong * (6 * len(watched)))(*(number for each in watched for number in each.start()))
        kernel.library.recorder_start(told, len(watched))
        kernel.launch(shape.grid, shape.block, [block])
        kernel.library.recorder_totals.restype = ctypes.POINTER(_Totals)
        totals = kernel.library.recorder_totals().contents
        if totals.outside:
            raise RuntimeError(f"{totals.outside} accesses are outside of all arrays")
        for each in watched:
            each.end()
        return Launch(
            code,
            shape,
            spent,
            totals.loads,
            totals.stores,
            SECTOR * sum(_sectors(each.loaded) for each in watched),
            SECTOR * sum(_sectors(each.stored) for each in watched),
            SECTOR * (totals.block_loads + totals.block_stores),
        )


def recording(source: str) -> str:
    """Return a kernel's source with every load and store recorded.

    Raises
    ------
    ValueError
        If the source does not define ``store`` as expected.
    """
    found = _LAST.search(source)
    if found is None:
        raise ValueError("the source does not define store(), behind which the recorder belongs")
    return source[: found.end()] + _RECORDER + source[found.end() :]
