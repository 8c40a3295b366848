"""Which GPU a rank takes, and how much of its memory: decided from values alone, CUDA is not asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpaccel.backends.gpu.visible import Listing, explain
from xpaccel.backends.ranks import NodeRank
from xpaccel.config import MemoryLimit
from xpaccel.errors import BackendError

#: The part of a GPU's memory that ranks which share it divide; the rest is for their CUDA contexts.
SHARED = 0.9

OVERSUBSCRIBE = "set XP_GPU_OVERSUBSCRIBE=1 to let ranks share a GPU"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for.

    Attributes
    ----------
    device
        ``XP_DEVICE``.
    oversubscribe
        Whether ranks may share a GPU.
    ranks_per_device
        How many ranks share the one GPU that the job gave to this rank; None where no job chose for it.
    current
        The device that the program made current itself; 0 is also what CUDA begins with.
    memory
        ``XP_GPU_MEMORY``.
    """

    device: int | None = None
    oversubscribe: bool = False
    ranks_per_device: int | None = None
    current: int = 0
    memory: MemoryLimit | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A device of those that are visible.

    Attributes
    ----------
    index
        Which.
    sharing
        How many ranks use it at most; None where that is not told.
    reason
        Why this one, in words.
    alone
        Whether no other rank may use it and that has still to be found out.
    """

    index: int
    sharing: int | None
    reason: str
    alone: bool = False


def choose(visible: Sequence[object], local_rank: int, local_size: int | None, oversubscribe: bool = False) -> int:
    """Return which device rank `local_rank` of a node takes: one each, in order.

    Parameters
    ----------
    visible
        The devices of the node, at least one.
    local_rank, local_size
        Which rank of how many on the node, as `xpaccel.backends.ranks.NodeRank` has them.
    oversubscribe
        Whether ranks may share a device; they are then dealt out in turn.

    Raises
    ------
    BackendError
        Where there are more ranks than devices and they may not share.
    """
    count, ranks = len(visible), max(local_size or 0, local_rank + 1)
    if ranks > count and not oversubscribe:
        least = "" if local_size is not None else "at least "
        raise BackendError(
            f"there are {least}{ranks} ranks on this node and {_gpus(count)}: start {count} rank{'s' * (count > 1)} a "
            f"node, ask for more GPUs, or {OVERSUBSCRIBE}"
        )
    return local_rank % count


def decide(visible: Sequence[object], listing: Listing, rank: NodeRank, wishes: Wishes) -> Choice:
    """Decide which device a process uses.

    The first of these that is said: ``XP_DEVICE``, what the job gave to this rank, what the program made
    current, the rank on the node. A rank that sees one device, in a list of one, was given it by
    its launcher: it is not taken for one device for all, but `Choice.alone` says that this has to be found out.

    Parameters
    ----------
    visible
        The devices that CUDA shows, at least one.
    listing
        How they were listed.
    rank
        Which of the ranks of the node this is.
    wishes
        What was asked for.

    Raises
    ------
    BackendError
        Where the device that was asked for is not there, or there are more ranks than devices.
    """
    several = rank.size != 1
    alone = several and not wishes.oversubscribe
    mates = 1 if not wishes.oversubscribe else rank.size  # at most: it may be all of them
    if wishes.device is not None:
        if wishes.device >= len(visible):
            raise BackendError(
                f"XP_DEVICE={wishes.device} is not there: this process sees {_gpus(len(visible))}, counted from 0"
            )
        return Choice(wishes.device, mates, f"XP_DEVICE={wishes.device}", alone)
    if wishes.ranks_per_device is not None and len(visible) == 1:
        return Choice(0, wishes.ranks_per_device, "the GPU that the job gave to this rank (XP_RANK_DEVICE)")
    if 0 < wishes.current < len(visible):
        return Choice(wishes.current, mates, "the program made it current before", alone)
    if not several:
        return Choice(0, 1, rank.source)
    if len(visible) == 1 == len(listing.entries):
        return Choice(0, mates, f"{rank.source}, and CUDA_VISIBLE_DEVICES lists this GPU only", alone)
    try:
        index = choose(visible, rank.rank, rank.size, wishes.oversubscribe)
    except BackendError as error:
        raise BackendError(f"{error}. {explain(listing, len(visible))}") from None
    if rank.size is None:
        return Choice(index, mates, rank.source, alone)
    return Choice(index, len(range(index, rank.size, len(visible))), f"{rank.source} of {rank.size}", alone)


def memory_limit(choice: Choice, memory: int, wishes: Wishes) -> int | None:
    """Return the most bytes that the memory pool of a process may hold; None for no limit.

    Parameters
    ----------
    choice
        The device.
    memory
        What it has, in bytes.
    wishes
        What was asked for. Without ``XP_GPU_MEMORY`` ranks that share a device have equal parts of `SHARED` of it.

    Raises
    ------
    BackendError
        Where more was asked for than the device has.
    """
    wanted = wishes.memory
    if wanted is not None and wanted.fraction is not None:
        return int(wanted.fraction * memory)
    if wanted is not None and wanted.bytes is not None:
        if wanted.bytes > memory:
            raise BackendError(f"XP_GPU_MEMORY asks for {wanted.bytes} bytes, and the GPU has {memory}: ask for less")
        return wanted.bytes
    if choice.sharing is not None and choice.sharing > 1:
        return int(SHARED * memory / choice.sharing)
    return None


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"
