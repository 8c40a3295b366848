"""What the machine code and the traffic of every kernel must keep, and where that is not reached yet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from cuda.machine.gpus import occupancy
from cuda.machine.kernels import DTYPES
from cuda.machine.measure import ARCHES, Machine, Measured, sites
from cuda.machine.traffic import Launch

from xpaccel.codegen.device import PLAIN

MOST_RATIO = 1.1
#: Three blocks of 256 threads at once, 24 of 64 warps. Where one waits for a barrier, two go on. And memory is kept
#: busy: the 3.35 TB/s of an H100 at about 600 ns take 15 kB under way on each of its 132 multiprocessors, which are
#: five loads of float32, or three of float64, by each thread of three blocks, and by two blocks half as many again.
LEAST_OCCUPANCY = 3 / 8

#: Limits that are not kept yet: ``(limit, kernel, dtypes)``, and why.
_OPEN = (
    ("ratio", "flood: flow", DTYPES, "faces across columns and across rows are launches of their own"),
    ("ratio", "flood: spill", DTYPES, "what is summed over an edge is read again by launches of their own"),
)
#: The same by ``(limit, kernel, dtype)``.
OPEN = {(limit, kernel, dtype): reason for limit, kernel, dtypes, reason in _OPEN for dtype in dtypes}


def spills(measured: Measured, launch: Launch, code: Machine) -> str | None:
    """Refuse local memory: registers that spill, and arrays that are indexed at run time."""
    found = code.binary.spill_stores + code.binary.spill_loads + code.binary.stack + code.census.local
    return f"{code.binary.stack} bytes of stack, {code.census.local} local accesses" if found else None


def f64(measured: Measured, launch: Launch, code: Machine) -> str | None:
    """Refuse float64 in a kernel of float32."""
    return f"{code.census.f64} f64 instructions" if measured.dtype == "float32" and code.census.f64 else None


def divisions(measured: Measured, launch: Launch, code: Machine) -> str | None:
    """Refuse divisions of integers: no kernel here divides any, so they would be of indices."""
    return f"{code.divisions} integer divisions" if code.divisions else None


def spaces(measured: Measured, launch: Launch, code: Machine) -> str | None:
    """Refuse accesses of which the compiler does not know that they are of global memory."""
    return f"{code.census.generic} generic accesses" if code.census.generic else None


def warps(measured: Measured, launch: Launch, code: Machine) -> str | None:
    """Refuse more registers than let three blocks run at once."""
    found = occupancy(code.binary.registers, code.binary.shared)
    return f"{code.binary.registers} registers leave {found:.0%}" if found < LEAST_OCCUPANCY else None


def accesses(measured: Measured, launch: Launch, code: Machine) -> str | None:
    """Compare loads and stores with the source's: the same ones, but that loops of reductions are unrolled."""
    width = np.dtype(measured.dtype).itemsize
    loads, stores, wanted = code.census.loads, code.census.stores, sites(launch)
    if {*loads, *stores} - {width}:
        return f"loads of {dict(loads)} and stores of {dict(stores)} by bytes, where elements have {width}"
    found = loads[width], stores[width]
    if launch.code.form == PLAIN:
        right = found == (wanted.loads, wanted.stores)
    else:
        right = found[0] >= wanted.loads and found[1] >= wanted.stores
    return None if right else f"{found} loads and stores, and {wanted.loads, wanted.stores} in the source"


def read_only(measured: Measured, launch: Launch, code: Machine) -> str | None:
    """Refuse plain loads of what the launch does not write."""
    wanted = sites(launch)
    plain = sum(code.census.loads.values()) - code.census.read_only
    allowed = wanted.loads - wanted.read_only
    if allowed and launch.code.form != PLAIN:  # loops of reductions are unrolled, so sites in the source are several
        return None
    return f"{plain} plain loads" if plain > allowed else None


#: Limits of machine code, by name.
LIMITS: dict[str, Callable[[Measured, Launch, Machine], str | None]] = {
    check.__name__: check for check in (spills, f64, divisions, spaces, warps, accesses, read_only)
}


def complaints(limit: str, measured: Measured) -> list[str]:
    """Return where a kernel does not keep a limit: ``"ratio"``, or one of `LIMITS`."""
    if limit == "ratio":
        return [f"{measured.ratio:.3f} of the least moves"] if measured.ratio > MOST_RATIO else []
    found = []
    for arch in ARCHES:
        for number, (launch, code) in enumerate(zip(measured.traffic.launches, measured.machines[arch], strict=True)):
            complaint = LIMITS[limit](measured, launch, code)
            if complaint is not None:
                found.append(f"launch {number}, sm_{arch}: {complaint}")
    return found
