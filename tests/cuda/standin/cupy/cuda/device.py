"""The stand-in's ``cupy.cuda.device``."""

from __future__ import annotations

from typing import Any

from cupy.cuda import runtime


def get_device_id() -> int:
    """Return the ordinal of this thread's device."""
    return runtime.getDevice()


def get_compute_capability() -> str:
    """Return the compute capability of this thread's device, ``"90"`` for 9.0."""
    return Device().compute_capability


class Device:
    """A stand-in (test double) for a CUDA device."""

    def __init__(self, device: int | Device | None = None) -> None:
        self.id = runtime.getDevice() if device is None else int(device)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __lt__(self, other: Device) -> bool:
        return self.id < other.id

    def __repr__(self) -> str:
        return f"<stand-in CUDA Device {self.id}>"

    def __enter__(self) -> Device:
        self._before.append(runtime.getDevice())
        runtime.setDevice(self.id)
        return self

    def __exit__(self, *details: object) -> None:
        runtime.setDevice(self._before.pop())

    def use(self) -> Device:
        """Make it this thread's device."""
        runtime.setDevice(self.id)
        return self

    def synchronize(self) -> None:
        """Wait for it."""
        runtime.deviceSynchronize()

    @property
    def compute_capability(self) -> str:
        """``"90"`` for 9.0."""
        numbers = (runtime.cudaDevAttrComputeCapabilityMajor, runtime.cudaDevAttrComputeCapabilityMinor)
        return "".join(str(runtime.deviceGetAttribute(number, self.id)) for number in numbers)

    @property
    def mem_info(self) -> tuple[int, int]:
        """Free and total bytes."""
        with self:
            return runtime.memGetInfo()

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes by name, ``MaxThreadsPerBlock`` and so on."""
        prefix = "cudaDevAttr"
        numbers = {name: number for name, number in vars(runtime).items() if name.startswith(prefix)}
        return {name[len(prefix) :]: runtime.deviceGetAttribute(number, self.id) for name, number in numbers.items()}

    @property
    def pci_bus_id(self) -> str:
        """Where on the bus it is."""
        return runtime.deviceGetPCIBusId(self.id)
