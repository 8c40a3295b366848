"""What a job asks a scheduler for: one frozen value, checked when it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass

from xpaccel.errors import UserError

_MEMORY = re.compile(r"\d+([kmgtp]?[bw])?", re.IGNORECASE)
_PLACE = re.compile(r"(free|pack|scatter|vscatter)(:(excl|exclhost|shared))?(:group=[A-Za-z_]\w*)?")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Nodes, and what each of them gives to the job.

    Parameters
    ----------
    nodes : int
        How many nodes (PBS: chunks), at least 1.
    ranks_per_node : int
        Processes on each node. 0, the default, stands for one a GPU, or one where no GPU is asked for.
    threads_per_rank : int
        Cores of each rank, at least 1.
    gpus_per_node : int
        GPUs of each node. A rank computes on one GPU, so this equals `ranks_per_node` unless `share_gpus`.
    share_gpus : bool
        May several ranks compute on one GPU? `ranks_per_node` is then a multiple of `gpus_per_node`.
    mem : str or None
        Memory of each node: a whole number and ``kb``, ``mb``, ``gb`` or ``tb``.
    walltime : str or None
        ``HH:MM:SS``, ``MM:SS`` or seconds; kept as ``HH:MM:SS``. None leaves the limit to site and queue.
    place : str or None
        PBS's placement, such as ``scatter`` (each chunk on a node of its own) or ``scatter:excl``.
    queue, project, account : str or None
        Where the job waits, and who pays for it.

    Raises
    ------
    xpaccel.UserError
        For a number that is out of range, ranks that do not match the GPUs, and text that PBS would refuse.
    """

    nodes: int = 1
    ranks_per_node: int = 0
    threads_per_rank: int = 1
    gpus_per_node: int = 0
    share_gpus: bool = False
    mem: str | None = None
    walltime: str | None = None
    place: str | None = None
    queue: str | None = None
    project: str | None = None
    account: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("nodes", 1), ("ranks_per_node", 0), ("threads_per_rank", 1), ("gpus_per_node", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{_option(name)} {getattr(self, name)}: it must be at least {max(least, 1)}")
        if self.ranks_per_node == 0:
            object.__setattr__(self, "ranks_per_node", self.gpus_per_node or 1)
        self._check_gpus()
        if self.walltime is not None:
            object.__setattr__(self, "walltime", walltime(self.walltime))
        if self.mem is not None and not _MEMORY.fullmatch(self.mem):
            raise UserError(f"--mem {self.mem!r}: write a whole number and a unit, such as 900mb or 64gb")
        if self.place is not None and not _PLACE.fullmatch(self.place):
            raise UserError(f"--place {self.place!r}: write free, pack or scatter, and :excl for whole nodes")
        if self.queue is not None and not re.fullmatch(r"[^\s'\"\\#]+", self.queue):
            raise UserError(f"--queue {self.queue!r}: the name of a queue has no blanks and no quotes")
        if self.project is not None and not re.fullmatch(r"[^/[\]\"';:|<>+,?*\x00-\x1f\x7f]+", self.project):
            raise UserError(f"--project {self.project!r}: PBS allows no / [ ] \" ' ; : | < > + , ? * in it")

    @property
    def ranks(self) -> int:
        """All ranks of the job."""
        return self.nodes * self.ranks_per_node

    @property
    def cpus_per_node(self) -> int:
        """Cores of each node."""
        return self.ranks_per_node * self.threads_per_rank

    def _check_gpus(self) -> None:
        ranks, gpus = self.ranks_per_node, self.gpus_per_node
        if gpus == 0:
            if self.share_gpus:
                raise UserError("--share-gpus needs GPUs to share: add --gpus-per-node")
            return
        asked = f"--gpus-per-node {gpus} with --ranks-per-node {ranks}"
        if ranks < gpus:
            raise UserError(
                f"{asked}: a rank computes on one GPU, so {gpus - ranks} would idle; ask for as many of each"
            )
        if ranks > gpus and not self.share_gpus:
            raise UserError(f"{asked}: more ranks than GPUs; ask for as many of each, or allow it with --share-gpus")
        if ranks % gpus:
            raise UserError(f"{asked}: {ranks} ranks cannot be shared evenly among {gpus} GPUs")


def walltime(text: str) -> str:
    """Read a time limit as PBS does and give it as ``HH:MM:SS``.

    Raises
    ------
    xpaccel.UserError
        For anything but ``[[HH:]MM:]SS`` (PBS has no days and no units), and for no time at all.
    """
    if not re.fullmatch(r"\d+(:\d+){0,2}", text, re.ASCII):
        raise UserError(f"--walltime {text!r}: write HH:MM:SS; PBS has no days or units, two days are 48:00:00")
    seconds = 0
    for part in text.split(":"):
        seconds = 60 * seconds + int(part)
    if seconds == 0:
        raise UserError(f"--walltime {text!r}: PBS would end the job at once; leave it out for the queue's default")
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")
