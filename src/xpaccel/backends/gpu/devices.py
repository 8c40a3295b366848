"""The GPU of this process: looked for, chosen once, made current, its memory limited. All through CuPy.

What is chosen, and why, is decided in `xpaccel.backends.gpu.choice`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xpaccel import config
from xpaccel.backends import ranks
from xpaccel.backends.gpu import choice, claims, driver, visible
from xpaccel.backends.gpu.choice import Choice, Wishes
from xpaccel.errors import BackendError

NO_CUPY = (
    'CuPy is not installed (pip install "xpaccel[cuda12]" or "xpaccel[cuda13]", whichever CUDA the driver has: '
    "`nvidia-smi` shows it)"
)


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or a MIG instance of one, that CUDA shows to this process.

    Attributes
    ----------
    index
        Its number among them.
    name
        What NVIDIA calls it.
    uuid
        ``GPU-…`` or ``MIG-…``; its PCI address where CuPy does not give the whole.
    compute_capability
        Major and minor: (9, 0) is sm_90.
    memory
        Bytes.
    """

    index: int
    name: str
    uuid: str
    compute_capability: tuple[int, int]
    memory: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """The GPU that this process uses.

    Attributes
    ----------
    index
        Its number among those that CUDA shows.
    name, uuid, compute_capability
        As `Device` has them.
    reason
        Why this one, in words.
    memory_limit
        The most bytes that CuPy's memory pool may hold on it; None for no limit.
    """

    index: int
    name: str
    uuid: str
    compute_capability: tuple[int, int]
    reason: str
    memory_limit: int | None = None


def look() -> tuple[Device, ...]:
    """Return the GPUs that CUDA shows to this process, at least one. Imports CuPy and starts CUDA.

    Raises
    ------
    BackendError
        Where CuPy cannot be imported or there are none; says why and what to do.
    """
    runtime = _cupy().cuda.runtime
    listing = visible.read(os.environ.get(visible.NAME))
    try:
        count = runtime.getDeviceCount()
        if count == 0:
            raise BackendError(f"CUDA shows no GPU to this process. {visible.explain(listing, 0)}")
        return tuple(_device(runtime, index) for index in range(count))
    except runtime.CUDARuntimeError as error:
        raise BackendError(_refusal(str(error), runtime, listing)) from error


@dataclass(frozen=True, slots=True)
class Toolkit:
    """What CuPy was built for, and the compiler that it finds.

    Attributes
    ----------
    version
        Of CuPy.
    built
        The CUDA version that it was built for, as 1000 * major + 10 * minor.
    nvrtc, cublas
        None where CuPy finds the compiler of kernels and the library of matrix products, else why not.
    """

    version: str
    built: int
    nvrtc: str | None = None
    cublas: str | None = None


def toolkit() -> Toolkit:
    """Return what CuPy was built for, and whether it finds what it needs. Imports CuPy; needs no GPU.

    Raises
    ------
    BackendError
        Where CuPy cannot be imported.
    """
    cupy = _cupy()
    return Toolkit(
        cupy.__version__,
        cupy.cuda.runtime.runtimeGetVersion(),
        _complaint(lambda: cupy.cuda.nvrtc.getVersion()),
        _complaint(lambda: cupy.cuda.cublas.create),
    )


def _complaint(use: Callable[[], object]) -> str | None:
    try:
        use()
    except Exception as error:  # of CuPy's own, or of what looks for the library
        return _first_line(error)
    return None


def use_device() -> Chosen:
    """Choose this process's GPU, once, and make it current in the calling thread, as CUDA asks of every thread.

    Returns
    -------
    Chosen
        The same at each call.

    Raises
    ------
    BackendError
        Where there is no GPU, none for this rank, or another rank of this job on this node has it.
    UserError
        Where an environment variable that decides has a value that cannot be used.
    """
    chosen: Chosen | None = getattr(_thread, "chosen", None)
    if chosen is not None:
        return chosen
    global _chosen
    cupy = _cupy()
    with _lock:
        if _chosen is None:
            _chosen = _choose(cupy)
        chosen = _chosen
    cupy.cuda.Device(chosen.index).use()
    _thread.chosen = chosen
    return chosen


_thread = threading.local()
_lock = threading.Lock()
_chosen: Chosen | None = None


def forget() -> None:
    """Let the next `use_device` choose anew, for tests."""
    global _thread, _chosen
    _thread, _chosen = threading.local(), None
    claims.release()


def _cupy() -> Any:
    """Import CuPy, which fails in more ways than ImportError where its libraries do not fit."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name == "cupy":
            raise BackendError(NO_CUPY) from None
        raise BackendError(_broken(error)) from error
    except Exception as error:
        raise BackendError(_broken(error)) from error
    return cupy


def _broken(error: Exception) -> str:
    return f"CuPy is installed and cannot be imported ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    """Return the first line that says something; CuPy frames its messages with rules."""
    said = (line.strip() for line in str(error).splitlines() if line.strip(" =-*"))
    return f"{type(error).__name__}: {next(said, 'no reason given')}"


def _device(runtime: Any, index: int) -> Device:
    found = runtime.getDeviceProperties(index)
    name = found["name"].decode(errors="replace")
    # CuPy reads these 16 bytes as a C string: a zero among them ends it early, and none lets it run on.
    identity = bytes(found.get("uuid", b""))[:16]
    uuid = driver.show_uuid(name, identity) if len(identity) == 16 else runtime.deviceGetPCIBusId(index)
    return Device(index, name, uuid, (found["major"], found["minor"]), found["totalGlobalMem"])


def _refusal(error: str, runtime: Any, listing: visible.Listing) -> str:
    """Say what a failure to count devices means."""
    if "InsufficientDriver" in error:
        version = runtime.driverGetVersion()
        if version == 0:
            return f"there is no NVIDIA driver on this machine ({driver.LIBRARY} is not found)"
        return driver.why_too_old(version, runtime.runtimeGetVersion()) or error
    if "NoDevice" in error:
        return f"CUDA shows no GPU to this process. {visible.explain(listing, 0)}"
    return f"CUDA cannot be used here: {error}; `xpaccel doctor` looks for why"


def _choose(cupy: Any) -> Chosen:
    rank = ranks.node_rank()
    listing = visible.read(os.environ.get(visible.NAME))
    wishes = Wishes(config.device(), config.gpu_oversubscribe(), config.rank_device(), 0, config.gpu_memory())
    instance = _take_instance(listing, rank, wishes)
    devices = look()
    if instance is not None:
        index = instance.index if len(devices) == len(listing.entries) else 0  # CUDA may show all of them one day
        decision, identity = instance, listing.entries[instance.index]
    else:
        wishes = replace(wishes, current=cupy.cuda.runtime.getDevice())
        decision = choice.decide(devices, listing, rank, wishes)
        index = decision.index
        identity = listing.entries[0] if listing.kind == "mig" else devices[index].uuid
    device = devices[index]
    if decision.alone and (others := claims.claim(identity, rank.rank)):
        raise BackendError(
            f"rank {rank.rank} of this node would share {device.name} ({identity}) with rank "
            f"{', '.join(map(str, others))} of the same job ({decision.reason}): give each rank a GPU of its own, or "
            f"{choice.OVERSUBSCRIBE}"
        )
    limit = _limit_pool(cupy, index, choice.memory_limit(decision, device.memory, wishes), wishes)
    return Chosen(index, device.name, device.uuid, device.compute_capability, decision.reason, limit)


def _take_instance(listing: visible.Listing, rank: ranks.NodeRank, wishes: Wishes) -> Choice | None:
    """Choose among several MIG instances, of which CUDA shows a process only the first that is listed.

    So the list is cut down to one before CUDA starts; None where it does not have several.
    """
    if listing.kind != "mig" or len(listing.entries) < 2:
        return None
    decision = choice.decide(listing.entries, listing, rank, wishes)
    if driver.is_started() and decision.index > 0:
        raise BackendError(
            f"CUDA was started in this process before xpaccel could choose {listing.entries[decision.index]} for it: "
            f"run a kernel first, or list one instance a rank in {visible.NAME}"
        )
    os.environ[visible.NAME] = listing.entries[decision.index]
    return decision


def _limit_pool(cupy: Any, index: int, limit: int | None, wishes: Wishes) -> int | None:
    """Limit CuPy's memory pool on a device, and return the limit that holds then, in bytes.

    One that is there already, from the program or from CuPy's own variable, gives way to ``XP_GPU_MEMORY`` only.
    """
    pool = cupy.get_default_memory_pool()
    with cupy.cuda.Device(index):
        before = pool.get_limit()
        if limit is None or (before and wishes.memory is None):
            return before or None
        pool.set_limit(size=limit)
    return limit
