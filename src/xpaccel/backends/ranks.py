"""Which of the ranks on its node a process is, as the launcher's environment tells it; MPI is not asked.

A GPU must be chosen before anything touches it, often before MPI is initialised, and in programs that do
not use MPI at all. So the variables are read that launchers set for each rank. They must agree; the one
exception is Slurm, whose variables are inherited by the ranks of another launcher that it only started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xpaccel import config
from xpaccel.errors import BackendError

#: The variables of each launcher: rank on the node, and how many ranks the node has.
LAUNCHERS = (
    ("OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),  # Open MPI
    ("MPI_LOCALRANKID", "MPI_LOCALNRANKS"),  # MPICH, Intel MPI (hydra)
    ("PALS_LOCAL_RANKID", "PALS_LOCAL_SIZE"),  # HPE Cray
    ("PMI_LOCAL_RANK", "PMI_LOCAL_SIZE"),  # Cray PMI
    ("MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_SIZE"),  # MVAPICH2
    ("MVP_COMM_WORLD_LOCAL_RANK", "MVP_COMM_WORLD_LOCAL_SIZE"),  # MVAPICH 3 and later
    ("PMIX_LOCAL_RANK", "PMIX_LOCAL_SIZE"),  # PMIx
    ("FLUX_TASK_LOCAL_ID", ""),  # Flux; it tells no number of ranks
)

#: Variables that say which rank of the whole job this is, and how many there are.
_WORLD = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("PALS_RANKID", "PALS_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("PMIX_RANK", ""),
)

OVERRIDE = "set XP_LOCAL_RANK to the number of this rank on its node, from 0"


@dataclass(frozen=True, slots=True)
class NodeRank:
    """Which of the ranks on its node a process is.

    Attributes
    ----------
    rank
        From 0.
    size
        How many ranks the node has; None where the launcher does not tell.
    source
        What says so, in words.
    """

    rank: int
    size: int | None
    source: str


def is_launched(environ: Mapping[str, str]) -> bool:
    """Whether a launcher of parallel programs started the process that has this environment."""
    names = [name for name, _ in (*LAUNCHERS, *_WORLD)]
    return any(environ.get(name, "").strip() for name in names) or _slurm(environ) is not None


def node_rank() -> NodeRank:
    """Return which of the ranks on its node this process is: ``XP_LOCAL_RANK``, else what its launcher says.

    Raises
    ------
    BackendError
        Where launchers disagree, or a rank's place on its node is not told.
    UserError
        Where ``XP_LOCAL_RANK`` is no number.
    """
    own = config.local_rank()
    return from_environment(os.environ) if own is None else NodeRank(own, None, f"XP_LOCAL_RANK={own}")


def from_environment(environ: Mapping[str, str]) -> NodeRank:
    """Return what the variables of launchers say of a process.

    Parameters
    ----------
    environ
        The environment of that process.

    Returns
    -------
    NodeRank
        Rank 0 of 1 where no launcher left its variables.

    Raises
    ------
    BackendError
        Where they disagree, are no numbers, or tell that there are several ranks but not which one of its
        node this is.
    """
    told = list(_told(environ))
    slurm = _slurm(environ)
    # A Slurm task that is alone on its node is often the daemon of another launcher, whose ranks inherit its variables.
    if slurm is not None and (slurm.size != 1 or not told):
        told.append(slurm)
    if not told:
        _check_world(environ)
        return NodeRank(0, 1, "no launcher: a single process")
    first = told[0]
    for other in told[1:]:
        if other.rank != first.rank:
            raise BackendError(f"{first.source} and {other.source} name different ranks of this node: {OVERRIDE}")
    sized = [one for one in told if one.size is not None]
    for other in sized[1:]:
        if other.size != sized[0].size:
            raise BackendError(
                f"{sized[0].source} of {sized[0].size} and {other.source} of {other.size} differ in how many ranks "
                f"this node has: {OVERRIDE}"
            )
    size = sized[0].size if sized else None
    if size is not None and first.rank >= size:
        raise BackendError(f"{first.source} cannot be one of {size} ranks on this node: {OVERRIDE}")
    return NodeRank(first.rank, size, first.source)


def _told(environ: Mapping[str, str]) -> Iterator[NodeRank]:
    for rank_name, size_name in LAUNCHERS:
        rank = _number(environ, rank_name)
        if rank is not None:
            yield NodeRank(rank, _number(environ, size_name), f"{rank_name}={rank}")


def _slurm(environ: Mapping[str, str]) -> NodeRank | None:
    """Return what Slurm says of a task of a job step; None elsewhere, as in a batch script.

    A batch script is one process, but has ``SLURM_LOCALID=0`` and the numbers of tasks that steps will have.
    """
    rank = _number(environ, "SLURM_LOCALID")
    step = environ.get("SLURM_STEP_TASKS_PER_NODE")
    if rank is None or (rank == 0 and step is None and "SLURM_STEP_NUM_TASKS" not in environ):
        return None
    name = "SLURM_STEP_TASKS_PER_NODE" if step is not None else "SLURM_NTASKS_PER_NODE"
    text = environ.get(name)
    size = None if text is None else tasks_on_node(text, _number(environ, "SLURM_NODEID") or 0, name)
    return NodeRank(rank, size, f"SLURM_LOCALID={rank}")


def tasks_on_node(text: str, node: int, name: str = "SLURM_STEP_TASKS_PER_NODE") -> int:
    """Read Slurm's list of tasks a node: ``4``, ``4(x2),3`` (two nodes with 4 and one with 3).

    Parameters
    ----------
    text
        The list.
    node
        Which node is asked for, from 0.
    name
        The variable that it comes from, for the message.

    Raises
    ------
    BackendError
        Where it is no such list, or ends before that node.
    """
    before = 0
    parts = [re.fullmatch(r"\s*(\d+)(?:\(x(\d+)\))?\s*", part, re.ASCII) for part in text.split(",")]
    for part in parts:
        if part is None:
            raise BackendError(f"{name}={text!r} is no list of tasks a node, such as 4 or 4(x2),3: {OVERRIDE}")
        before += int(part[2] or 1)
        # One plain number, as --ntasks-per-node was given, stands for every node.
        if node < before or (len(parts) == 1 and part[2] is None):
            return int(part[1])
    raise BackendError(f"{name}={text!r} has no node {node} (SLURM_NODEID): {OVERRIDE}")


def _check_world(environ: Mapping[str, str]) -> None:
    """Refuse a rank of several that is not told its place on the node: all would take the same GPU."""
    for rank_name, size_name in _WORLD:
        rank, size = _number(environ, rank_name), _number(environ, size_name)
        if (rank or 0) > 0 or (rank is not None and (size or 1) > 1):
            raise BackendError(
                f"{rank_name}={rank} says that this is one of several ranks, and no variable of the launcher says "
                f"which one of its node: {OVERRIDE}"
            )


def world_rank(environ: Mapping[str, str]) -> int | None:
    """Return which rank of the whole job a process is; None where no variable of a launcher says so."""
    found = (_number(environ, name) for name in (*(name for name, _ in _WORLD), "SLURM_PROCID"))
    return next((rank for rank in found if rank is not None), None)


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BackendError(f"{name}={environ[name]!r} is no whole number, as a launcher would set it: {OVERRIDE}")
    return int(text)
