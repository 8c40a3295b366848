"""A kernel's launches with their machine code: the two halves of the figures, and what ties them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from cuda.machine import gpus, nvrtc, ptx, sass, traffic
from cuda.machine.kernels import CASES, Case

from xpaccel.backends.cuda.grid import options_of
from xpaccel.codegen.device import PLAIN

ARCHES = (80, 90, 100)
_LOADS, _STORES = re.compile(r"\bload(?:_rw)?\("), re.compile(r"\bstore\(")
_READ_ONLY = re.compile(r"\bload\(")


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine code of one launch for one architecture.

    Attributes
    ----------
    binary, census
        Resources, and instructions.
    divisions
        Of integers.
    issued
        Instructions of a thread for a point, all branches taken and slow paths left out, so rather too many;
        None for reductions, whose loops the compiler unrolls as it likes.
    computed
        Those of `issued` that compute with floating-point numbers.
    """

    binary: nvrtc.Binary
    census: sass.Census
    divisions: int
    issued: float | None
    computed: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of a kernel for one dtype."""

    case: Case
    dtype: str
    traffic: traffic.Traffic
    machines: dict[int, tuple[Machine, ...]]

    @property
    def moved(self) -> float:
        """Bytes a point, each sector once a launch."""
        return self.traffic.moved / self.case.points

    @property
    def least(self) -> float:
        """Bytes a point of the lines that hold what a call needs or stores, each once.

        At the edge of a row-major array a column takes a line for each element: nothing smaller can be moved.
        """
        return self.traffic.least / self.case.points

    @property
    def ratio(self) -> float:
        """How many times the least moves."""
        return self.moved / self.least

    def registers(self, arch: int) -> int:
        """Registers of a thread, in the launch that has the most."""
        return max(machine.binary.registers for machine in self.machines[arch])

    def spilled(self, arch: int) -> int:
        """Bytes of local memory that a thread stores to or loads from for want of registers, all launches together."""
        return sum(m.binary.spill_stores + m.binary.spill_loads for m in self.machines[arch])

    def occupancy(self, arch: int) -> float:
        """Return the share of a multiprocessor's warps that run at once, in the launch with the least."""
        return min(gpus.occupancy(m.binary.registers, m.binary.shared) for m in self.machines[arch])

    def operations(self, arch: int) -> float:
        """Floating-point instructions a point; for reductions, operations of the source."""
        total = 0.0
        for launch, code in zip(self.traffic.launches, self.machines[arch], strict=True):
            total += launch.cost.flops if code.computed is None else code.computed * launch.cost.points
        return total / self.case.points

    def issued(self, arch: int) -> float | None:
        """Instructions a point; None if a part that matters is a reduction."""
        total = 0.0
        for launch, code in zip(self.traffic.launches, self.machines[arch], strict=True):
            if code.issued is not None:
                total += code.issued * launch.cost.points
            elif launch.cost.points > 0.01 * self.case.points:
                return None
        return total / self.case.points

    def bounds(self, gpu: gpus.Gpu) -> dict[str, float]:
        """Return how many points a second a GPU can do at the most, by what limits it."""
        found = {"memory": gpu.bandwidth / self.moved}
        arch = gpu.arch or 90  # code for the MI300X is not made here: it is taken to need as many operations
        found["arithmetic"] = gpu.peak(self.dtype) / max(self.operations(arch), 1e-9)
        issued = self.issued(arch)
        if gpu.issue is not None and issued is not None:
            found["instructions"] = gpu.issue / issued
        return found


def measure(name: str, dtype: str) -> Measured:
    """Return the figures of a case, by its name, for all of `ARCHES`."""
    case = next(case for case in CASES if case.name == name)
    found = recorded(name, dtype)
    machines = {arch: tuple(machine(launch, arch) for launch in found.launches) for arch in ARCHES}
    return Measured(case, dtype, found, machines)


@functools.cache
def recorded(name: str, dtype: str) -> traffic.Traffic:
    """Return the traffic of a case."""
    case = next(case for case in CASES if case.name == name)
    return traffic.record(case.kernel, case.arguments(dtype))


def machine(launch: traffic.Launch, arch: int) -> Machine:
    """Compile a launch's kernel for an architecture and read it."""
    binary = nvrtc.compile_kernel(launch.code.source, arch, options_of(launch.shape))
    code = sass.disassemble(binary.cubin)
    issued = computed = None
    if launch.code.form == PLAIN:
        level = max(i.loops for i in code if i.name == "LDG") if launch.code.marches else 0
        inside = [i for i in code if not i.called and i.loops >= level]
        outside = sum(not i.called and i.loops < level for i in code)
        issued = len(inside) + outside / launch.shape.chunk
        computed = float(sum(i.is_f32 or i.is_f64 for i in inside))
    return Machine(binary, sass.census(code), ptx.divisions(binary.ptx), issued, computed)


@dataclass(frozen=True, slots=True)
class Sites:
    """Places of the source that load and store: what the machine code must have, and nothing besides."""

    loads: int
    read_only: int
    stores: int


def sites(launch: traffic.Launch) -> Sites:
    """Count the loads and stores in a launch's kernel."""
    body = launch.code.source.partition("\nstruct Args")[2]  # a chain has a structure for each of its nests
    return Sites(len(_LOADS.findall(body)), len(_READ_ONLY.findall(body)), len(_STORES.findall(body)))
