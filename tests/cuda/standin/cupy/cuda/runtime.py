"""The stand-in's ``cupy.cuda.runtime``: what it answers is made up, the form is CuPy's."""

from __future__ import annotations

from typing import Any

from cupy import _standin
from cupy._standin import DeviceInfo

is_hip = False

cudaErrorInvalidValue = errorInvalidValue = 1
cudaErrorMemoryAllocation = errorMemoryAllocation = 2
cudaErrorInsufficientDriver = 35
cudaErrorNoDevice = 100
cudaErrorInvalidDevice = 101
cudaErrorStreamCaptureUnsupported = 900
streamCaptureModeGlobal, streamCaptureModeThreadLocal, streamCaptureModeRelaxed = 0, 1, 2
streamLegacy, streamPerThread = 1, 2

_ERRORS = {
    1: ("cudaErrorInvalidValue", "invalid argument"),
    2: ("cudaErrorMemoryAllocation", "out of memory"),
    35: ("cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version"),
    100: ("cudaErrorNoDevice", "no CUDA-capable device is detected"),
    101: ("cudaErrorInvalidDevice", "invalid device ordinal"),
    900: ("cudaErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing"),
}

cudaDevAttrMaxThreadsPerBlock = 1
cudaDevAttrMaxSharedMemoryPerBlock = 8
cudaDevAttrWarpSize = 10
cudaDevAttrMaxRegistersPerBlock = 12
cudaDevAttrClockRate = 13
cudaDevAttrMultiProcessorCount = 16
cudaDevAttrComputeMode = 20
cudaDevAttrMemoryClockRate = 36
cudaDevAttrGlobalMemoryBusWidth = 37
cudaDevAttrL2CacheSize = 38
cudaDevAttrMaxThreadsPerMultiProcessor = 39
cudaDevAttrComputeCapabilityMajor = deviceAttributeComputeCapabilityMajor = 75
cudaDevAttrComputeCapabilityMinor = deviceAttributeComputeCapabilityMinor = 76
cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81
cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
_ATTRIBUTES = {
    cudaDevAttrMaxThreadsPerBlock: 1024,
    cudaDevAttrMaxSharedMemoryPerBlock: 49152,
    cudaDevAttrWarpSize: 32,
    cudaDevAttrMaxRegistersPerBlock: 65536,
    cudaDevAttrClockRate: 1_000_000,
    cudaDevAttrMultiProcessorCount: 4,
    cudaDevAttrComputeMode: 0,
    cudaDevAttrMemoryClockRate: 1_000_000,
    cudaDevAttrGlobalMemoryBusWidth: 64,
    cudaDevAttrL2CacheSize: 2**20,
    cudaDevAttrMaxThreadsPerMultiProcessor: 2048,
    cudaDevAttrMaxSharedMemoryPerMultiprocessor: 233472,
    cudaDevAttrMaxSharedMemoryPerBlockOptin: 232448,
}


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA runtime."""

    def __init__(self, status: int, why: str = "") -> None:
        self.status = status
        name, text = _ERRORS[status]
        super().__init__(f"{name}: {text}" + (f" (stand-in: {why})" if why else ""))


def _device(ordinal: int) -> DeviceInfo:
    if not _standin.devices:
        raise CUDARuntimeError(cudaErrorNoDevice)
    if not 0 <= ordinal < len(_standin.devices):
        raise CUDARuntimeError(cudaErrorInvalidDevice)
    return _standin.devices[ordinal]


def getDeviceCount() -> int:
    """Return the number of devices; none at all is an error, as it is in CUDA."""
    if not _standin.devices:
        raise CUDARuntimeError(cudaErrorNoDevice)
    return len(_standin.devices)


def getDevice() -> int:
    """Return the ordinal of this thread's device."""
    _device(_standin.current_device())
    return _standin.current_device()


def setDevice(device: int) -> None:
    """Choose this thread's device."""
    _device(device)
    _standin.use_device(device)


def deviceGetAttribute(attribute: int, device: int) -> int:
    """Return an attribute by its number in CUDA."""
    major, minor = divmod(int(_device(device).compute_capability), 10)
    known = {**_ATTRIBUTES, cudaDevAttrComputeCapabilityMajor: major, cudaDevAttrComputeCapabilityMinor: minor}
    if attribute not in known:
        raise CUDARuntimeError(cudaErrorInvalidValue, f"attribute {attribute} is not among those it knows")
    return known[attribute]


def getDeviceProperties(device: int) -> dict[str, Any]:
    """Return what ``cudaGetDeviceProperties`` gives, in CuPy's form.

    The UUID ends at its first zero byte: CuPy reads it as a C string.
    """
    info = _device(device)
    major, minor = divmod(int(info.compute_capability), 10)
    bus, slot = info.pci_bus_id.split(":")[1:]
    return {
        "name": info.name.encode(),
        "uuid": info.uuid_bytes.split(b"\0")[0],
        "totalGlobalMem": info.memory,
        "major": major,
        "minor": minor,
        "warpSize": 32,
        "multiProcessorCount": _ATTRIBUTES[cudaDevAttrMultiProcessorCount],
        "maxThreadsPerBlock": 1024,
        "maxThreadsDim": (1024, 1024, 64),
        "maxGridSize": (2**31 - 1, 65535, 65535),
        "maxThreadsPerMultiProcessor": 2048,
        "sharedMemPerBlock": 49152,
        "sharedMemPerBlockOptin": 232448,
        "sharedMemPerMultiprocessor": 233472,
        "regsPerBlock": 65536,
        "regsPerMultiprocessor": 65536,
        "clockRate": 1_000_000,
        "memoryClockRate": 1_000_000,
        "memoryBusWidth": 64,
        "l2CacheSize": 2**20,
        "ECCEnabled": 1,
        "computeMode": 0,
        "integrated": 0,
        "pciDomainID": 0,
        "pciBusID": int(bus, 16),
        "pciDeviceID": int(slot.split(".")[0], 16),
    }


def deviceGetPCIBusId(device: int) -> str:
    """Return where on the bus the device is."""
    return _device(device).pci_bus_id


def memGetInfo() -> tuple[int, int]:
    """Return free and total bytes of this thread's device."""
    from cupy import _memory

    total = _device(_standin.current_device()).memory
    return total - _memory.get_default_memory_pool().total_bytes(), total


def runtimeGetVersion() -> int:
    """Return the CUDA runtime's version: CUDA 12.9."""
    return 12090


def driverGetVersion() -> int:
    """Return the driver's version: CUDA 12.9."""
    return 12090


def deviceSynchronize() -> None:
    """Wait for the device, which is never behind."""
    _standin.counts.synchronisations += 1


def streamSynchronize(stream: int) -> None:
    """Wait for a stream, which is never behind."""
    _standin.counts.synchronisations += 1
