"""What is published of some GPUs, and what follows from it for a kernel.

Figures are of the makers' datasheets and architecture white papers: memory bandwidth, and the peaks of the vector units
(not of the matrix units), which count a fused multiplication and addition as two operations. Strict arithmetic fuses
nothing, so the most that a kernel of ours can reach is half of a peak.
"""

from __future__ import annotations

from dataclasses import dataclass

from xpaccel.codegen.device import THREADS

#: Of a multiprocessor, sm_80 to sm_100: 32-bit registers, warps, and the unit in which a warp gets its registers.
REGISTERS, WARPS, UNIT = 65536, 64, 256


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU.

    Attributes
    ----------
    bandwidth
        Of its memory [B/s].
    f32, f64
        Peaks [flop/s].
    issue
        Instructions of threads that it can begin in a second: four warps a clock and multiprocessor, at boost clock;
        None where the code is not compiled for it.
    arch
        Which machine code runs on it; None where none was made.
    """

    name: str
    bandwidth: float
    f32: float
    f64: float
    issue: float | None
    arch: int | None

    def peak(self, dtype: str) -> float:
        """Return how many operations a second it has for a dtype when none is fused."""
        return (self.f32 if dtype == "float32" else self.f64) / 2


GPUS = (
    Gpu("A100 SXM 80 GB", 2.039e12, 19.5e12, 9.7e12, 108 * 128 * 1.41e9, 80),
    Gpu("H100 SXM", 3.35e12, 67e12, 34e12, 132 * 128 * 1.98e9, 90),
    Gpu("H200 SXM", 4.8e12, 67e12, 34e12, 132 * 128 * 1.98e9, 90),
    Gpu("MI300X", 5.3e12, 163.4e12, 81.7e12, None, None),
)


def occupancy(registers: int, shared: int = 0) -> float:
    """Return the share of a multiprocessor's warps that run at once, as blocks of `THREADS` with that need.

    Parameters
    ----------
    registers
        Of a thread.
    shared
        Bytes of a block; a multiprocessor has at least 164 KiB on all that are meant here.
    """
    warps = THREADS // 32
    by_registers = REGISTERS // (warps * -(-registers * 32 // UNIT) * UNIT)
    by_shared = 164 * 1024 // (shared + 1024)  # 1 KiB of each block is the system's
    return min(by_registers, by_shared, WARPS // warps) * warps / WARPS
