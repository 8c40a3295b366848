"""NVIDIA's driver, asked through its own library: there or not, how new, which devices. CuPy is not needed.

Loading the library and `ask` may take seconds, or never end where a GPU has failed: the caller chooses the process.
"""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LIBRARY = "libcuda.so.1"
NOT_INITIALISED = 3

#: What the results of `cuInit` mean for a user; the numbers are those of the type CUresult.
RESULTS = {
    34: "CUDA_ERROR_STUB_LIBRARY: this libcuda.so.1 is the toolkit's stub, not the driver: take the folder `stubs` out "
    "of LD_LIBRARY_PATH",
    46: "CUDA_ERROR_DEVICE_UNAVAILABLE: the GPU is busy or in exclusive mode, and another process has it",
    100: "CUDA_ERROR_NO_DEVICE: no GPU is shown to this process",
    101: "CUDA_ERROR_INVALID_DEVICE: a GPU that CUDA_VISIBLE_DEVICES lists cannot be used",
    304: "CUDA_ERROR_OPERATING_SYSTEM: the device files cannot be opened: in a job, ask for GPUs; in a container, "
    "start it with --nv (Apptainer) or --gpus all (Docker)",
    802: "CUDA_ERROR_SYSTEM_NOT_READY: the GPUs' fabric is not up (nvidia-fabricmanager): tell the administrators",
    803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: libcuda.so.1 and the kernel's driver differ in version: the driver was "
    "updated without a reboot, or a container brought a libcuda of its own",
    804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE: a compatibility libcuda.so.1 is in the way: take the folder "
    "`compat` out of LD_LIBRARY_PATH",
    999: "CUDA_ERROR_UNKNOWN: the driver is broken here, often after a suspend or a failed GPU (dmesg shows Xid)",
}


@dataclass(frozen=True, slots=True)
class Driver:
    """What the driver's library says.

    Attributes
    ----------
    version
        The newest CUDA that it can run, as 1000 * major + 10 * minor; None where there is no library.
    result
        What starting it gave: 0, or an error (`RESULTS` has those that occur).
    problem
        None, or why it cannot be used, in words.
    devices
        Name and UUID of each GPU or MIG instance that it shows.
    """

    version: int | None
    result: int = 0
    problem: str | None = None
    devices: tuple[tuple[str, str], ...] = ()


def ask(load: Callable[[str], Any] = ctypes.CDLL) -> Driver:
    """Load the driver's library, start it, and list its devices."""
    try:
        library = load(LIBRARY)
    except OSError as error:
        return Driver(None, problem=str(error))
    number = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(number))
    version = number.value
    result = int(library.cuInit(0))
    if result:
        return Driver(version, result, RESULTS.get(result, f"cuInit failed with error {result}"))
    library.cuDeviceGetCount(ctypes.byref(number))
    return Driver(version, devices=tuple(_device(library, index) for index in range(number.value)))


def _device(library: Any, index: int) -> tuple[str, str]:
    device, name, identity = ctypes.c_int(), ctypes.create_string_buffer(256), (ctypes.c_ubyte * 16)()
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    # The second version tells MIG instances apart; drivers before CUDA 11.4 have the first only.
    get_uuid = getattr(library, "cuDeviceGetUuid_v2", None) or library.cuDeviceGetUuid
    get_uuid(ctypes.byref(identity), device)
    text = name.value.decode(errors="replace")
    return text, show_uuid(text, bytes(identity))


def show_uuid(name: str, identity: bytes) -> str:
    """Write a UUID of 16 bytes as CUDA_VISIBLE_DEVICES takes it; a MIG instance is told by the device's name."""
    return f"{'MIG' if ' MIG ' in f'{name} ' else 'GPU'}-{uuid.UUID(bytes=identity)}"


def show_version(version: int) -> str:
    """Write a version of CUDA: 12040 is ``12.4``."""
    return f"{version // 1000}.{version % 1000 // 10}"


def is_started(load: Callable[[str], Any] = ctypes.CDLL) -> bool:
    """Whether CUDA was started in this process, after which it no longer reads ``CUDA_VISIBLE_DEVICES``."""
    try:
        library = load(LIBRARY)
    except OSError:
        return False
    return int(library.cuDeviceGetCount(ctypes.byref(ctypes.c_int()))) != NOT_INITIALISED


def why_too_old(version: int, built: int) -> str | None:
    """Return None if a driver can run programs built for a CUDA version, else why not and what to install.

    Parameters
    ----------
    version, built
        The newest CUDA of the driver and the CUDA that was built for, as 1000 * major + 10 * minor. Within one major
        version, a driver runs what was built for later minor versions.
    """
    major = version // 1000
    if major >= built // 1000:
        return None
    words = f"the driver runs CUDA up to {show_version(version)}, and CuPy was built for CUDA {show_version(built)}"
    if major < 12:
        return f"{words}: the driver must be updated to one for CUDA 12 or later (525 or later)"
    return f"{words}: {reinstall(major)}, or have the driver updated"


def reinstall(major: int) -> str:
    """Return the command that leaves the one CuPy for a major version of CUDA."""
    return f'pip uninstall -y cupy cupy-cuda12x cupy-cuda13x && pip install "xpaccel[cuda{major}]"'
