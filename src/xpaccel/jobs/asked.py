"""What a job asked for, told to the modules that run inside it as options: the job's environment does not say it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """The numbers of `xpaccel.jobs.Resources` that can be seen from inside.

    Parameters
    ----------
    nodes, ranks_per_node, threads_per_rank, gpus_per_node : int
        As there.
    lines_per_chunk : int
        How often PBS's node file names the host of a chunk: once a rank, or once where ``select`` has no ``mpiprocs``.
    place : str
        PBS's placement.
    """

    nodes: int
    ranks_per_node: int
    threads_per_rank: int
    gpus_per_node: int
    lines_per_chunk: int
    place: str

    @property
    def scattered(self) -> bool:
        """Whether each chunk is on a node of its own."""
        return self.place.startswith("scatter")  # vscatter means virtual nodes, of which a host may have several


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """Make a parser with the options that `Asked` needs, all required."""
    made = argparse.ArgumentParser(prog=program, description=description, allow_abbrev=False)
    for name in ("nodes", "ranks-per-node", "threads-per-rank", "gpus-per-node", "lines-per-chunk"):
        made.add_argument(f"--{name}", type=int, required=True)
    made.add_argument("--place", required=True)
    return made


def read(options: argparse.Namespace) -> Asked:
    """Give what was parsed as a value."""
    return Asked(
        nodes=options.nodes,
        ranks_per_node=options.ranks_per_node,
        threads_per_rank=options.threads_per_rank,
        gpus_per_node=options.gpus_per_node,
        lines_per_chunk=options.lines_per_chunk,
        place=options.place,
    )


def parse(program: str, description: str, words: Sequence[str]) -> Asked:
    """Read options that are only those of `Asked`; ends the process with status 2 where they are not."""
    return read(parser(program, description).parse_args(words))
