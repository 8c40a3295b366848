"""The stand-in's own side, which CuPy does not have: counters, and the devices that it pretends to have.

Everything here is for tests. `counts` says what crossed between host and "device" and what was launched;
`set_devices` chooses what a process sees.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
from collections import Counter
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass
class Counts:
    """What happened since the last `reset`.

    Attributes
    ----------
    launches
        Kernels of raw modules that were run, replayed graphs included.
    kernels
        The same by name.
    graph_launches
        Graphs that were launched.
    calls
        Functions of the namespace and methods, which stand for CuPy's own kernels.
    h2d, h2d_bytes, d2h, d2h_bytes
        Copies of arrays from the host to the device, and back.
    allocations, allocated_bytes
        Device memory.
    synchronisations
        Waits of the host for a stream, an event or the device.
    """

    launches: int = 0
    kernels: Counter[str] = dataclasses.field(default_factory=Counter)
    graph_launches: int = 0
    calls: int = 0
    h2d: int = 0
    h2d_bytes: int = 0
    d2h: int = 0
    d2h_bytes: int = 0
    allocations: int = 0
    allocated_bytes: int = 0
    synchronisations: int = 0

    def reset(self) -> None:
        """Begin to count anew."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, Counter() if field.name == "kernels" else 0)


counts = Counts()


def count_h2d(array: np.ndarray) -> None:
    """Count a copy of a host array to the device; a single number is passed with a launch and is none."""
    if array.ndim:
        counts.h2d += 1
        counts.h2d_bytes += array.nbytes


# -- devices --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class DeviceInfo:
    """A device that is pretended; `memory` in bytes, `uuid` as NVML writes it (``GPU-...`` or ``MIG-...``)."""

    name: str
    uuid: str
    memory: int
    compute_capability: str
    pci_bus_id: str

    @property
    def uuid_bytes(self) -> bytes:
        """The 16 bytes that the CUDA runtime gives."""
        return bytes.fromhex(self.uuid.partition("-")[2].replace("-", ""))


#: The devices that this process sees, by ordinal.
devices: list[DeviceInfo] = []
_local = threading.local()


def set_devices(
    number: int,
    *,
    uuids: Sequence[str] | None = None,
    memory: int = 80 * 2**30,
    compute_capability: str = "90",
) -> None:
    """Pretend to be a machine with `number` devices, of which ``CUDA_VISIBLE_DEVICES`` hides some.

    As CUDA does, the variable is read once: here, when this is called.
    """
    made = uuids if uuids is not None else [_uuid(ordinal) for ordinal in range(number)]
    if len(made) != number:
        raise ValueError(f"{len(made)} UUIDs for {number} devices")
    all_of_them = [
        DeviceInfo("Stand-in device (no GPU)", uuid, memory, compute_capability, f"0000:{place + 1:02X}:00.0")
        for place, uuid in enumerate(made)
    ]
    devices[:] = _visible(all_of_them, os.environ.get("CUDA_VISIBLE_DEVICES"))
    _local.device = 0


def _uuid(ordinal: int) -> str:
    text = hashlib.sha256(f"stand-in {ordinal}".encode()).hexdigest().replace("00", "11")
    return f"GPU-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def _visible(all_of_them: list[DeviceInfo], variable: str | None) -> list[DeviceInfo]:
    """Return what CUDA shows: ordinals, UUIDs or their beginnings, up to the first that names nothing."""
    if variable is None:
        return all_of_them
    seen: list[DeviceInfo] = []
    for word in variable.split(","):
        word = word.strip()
        if word.isdecimal():
            found = all_of_them[int(word) : int(word) + 1]
        else:
            found = [device for device in all_of_them if word and device.uuid.startswith(word)]
        if len(found) != 1 or found[0] in seen:
            break
        seen += found
    return seen


def current_device() -> int:
    """Return the ordinal of this thread's device."""
    return getattr(_local, "device", 0)


def use_device(ordinal: int) -> None:
    """Make a device this thread's."""
    _local.device = ordinal


set_devices(1)


def reset() -> None:
    """Put counters, devices and ranges back to what they are in a new process."""
    from cupy import _memory
    from cupy.cuda import nvtx

    counts.reset()
    set_devices(1)
    nvtx.ranges.clear()
    _memory.reset()
