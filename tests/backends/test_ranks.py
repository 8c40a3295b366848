"""Node-local ranks from the environments that launchers leave."""

from __future__ import annotations

import pytest

from xpaccel.backends import ranks
from xpaccel.errors import BackendError, UserError

LOCAL = {name for pair in ranks.LAUNCHERS for name in pair if name}
BATCH = {"SLURM_JOB_ID": "7", "SLURM_LOCALID": "0", "SLURM_NTASKS_PER_NODE": "8", "SLURM_TASKS_PER_NODE": "8(x2)"}


@pytest.mark.parametrize(
    ("environ", "rank", "size"),
    [
        ({"OMPI_COMM_WORLD_LOCAL_RANK": "3", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, 3, 4),
        ({"MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"}, 1, 2),
        ({"PALS_LOCAL_RANKID": "5", "PALS_LOCAL_SIZE": "12", "PMI_RANK": "17"}, 5, 12),
        ({"PALS_LOCAL_RANKID": "5"}, 5, None),
        ({"PMI_LOCAL_RANK": "1", "PMI_LOCAL_SIZE": "4"}, 1, 4),
        ({"MV2_COMM_WORLD_LOCAL_RANK": "0", "MV2_COMM_WORLD_LOCAL_SIZE": "2"}, 0, 2),
        ({"MVP_COMM_WORLD_LOCAL_RANK": "1"}, 1, None),
        ({"PMIX_LOCAL_RANK": "2", "PMIX_RANK": "6"}, 2, None),
        ({"FLUX_TASK_LOCAL_ID": "3"}, 3, None),
        ({"SLURM_LOCALID": "3", "SLURM_STEP_TASKS_PER_NODE": "4(x2),3", "SLURM_NODEID": "1"}, 3, 4),
        ({"SLURM_LOCALID": "2", "SLURM_STEP_TASKS_PER_NODE": "4(x2),3", "SLURM_NODEID": "2"}, 2, 3),
        ({"SLURM_LOCALID": "2", "SLURM_NTASKS_PER_NODE": "4", "SLURM_NODEID": "9"}, 2, 4),
        ({"SLURM_LOCALID": "0", "SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS_PER_NODE": "4"}, 0, 4),
        ({"SLURM_LOCALID": "1"}, 1, None),
        # Several that agree, as where a site exports them all; the size from whoever has it.
        ({"PALS_LOCAL_RANKID": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, 1, 4),
        # No launcher; a script that sbatch runs is one process, whatever its steps will have.
        ({}, 0, 1),
        (BATCH, 0, 1),
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, 0, 1),
        ({"OMPI_COMM_WORLD_LOCAL_RANK": " "}, 0, 1),
        # mpirun inside a batch script, and its daemons on other nodes, which srun started: Slurm's rank is not ours.
        ({"OMPI_COMM_WORLD_LOCAL_RANK": "3", "OMPI_COMM_WORLD_LOCAL_SIZE": "4", **BATCH}, 3, 4),
        ({"MPI_LOCALRANKID": "1", "SLURM_LOCALID": "0", "SLURM_STEP_TASKS_PER_NODE": "1(x2)"}, 1, None),
    ],
)
def test_launchers(environ: dict[str, str], rank: int, size: int | None) -> None:
    found = ranks.from_environment(environ)
    assert (found.rank, found.size) == (rank, size)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (
            {"OMPI_COMM_WORLD_LOCAL_RANK": "1", "PALS_LOCAL_RANKID": "2"},
            ("OMPI_COMM_WORLD_LOCAL_RANK=1", "PALS_LOCAL_RANKID=2", "XP_LOCAL_RANK"),
        ),
        (
            {"MPI_LOCALRANKID": "1", "SLURM_LOCALID": "2", "SLURM_STEP_TASKS_PER_NODE": "4"},
            ("MPI_LOCALRANKID=1", "SLURM_LOCALID=2", "XP_LOCAL_RANK"),
        ),
        (
            {"MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "4", "PALS_LOCAL_RANKID": "1", "PALS_LOCAL_SIZE": "2"},
            ("MPI_LOCALRANKID=1 of 4", "PALS_LOCAL_RANKID=1 of 2"),
        ),
        ({"MPI_LOCALRANKID": "4", "MPI_LOCALNRANKS": "4"}, ("MPI_LOCALRANKID=4", "4 ranks")),
        ({"MPI_LOCALRANKID": "-1"}, ("MPI_LOCALRANKID='-1'", "whole number")),
        ({"PMI_RANK": "0", "PMI_SIZE": "4"}, ("PMI_RANK=0", "which one of its node", "XP_LOCAL_RANK")),
        ({"PMIX_RANK": "3"}, ("PMIX_RANK=3", "XP_LOCAL_RANK")),
        (
            {"SLURM_LOCALID": "1", "SLURM_STEP_TASKS_PER_NODE": "4(y2)"},
            ("SLURM_STEP_TASKS_PER_NODE='4(y2)'", "no list"),
        ),
        (
            {"SLURM_LOCALID": "1", "SLURM_STEP_TASKS_PER_NODE": "4(x2)", "SLURM_NODEID": "2"},
            ("SLURM_STEP_TASKS_PER_NODE='4(x2)'", "no node 2"),
        ),
    ],
)
def test_what_cannot_be_believed(environ: dict[str, str], words: tuple[str, ...]) -> None:
    with pytest.raises(BackendError) as refusal:
        ranks.from_environment(environ)
    for word in words:
        assert word in str(refusal.value)


def test_own_variable_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LOCAL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMPI_COMM_WORLD_LOCAL_RANK", "1")
    monkeypatch.setenv("PALS_LOCAL_RANKID", "2")
    monkeypatch.setenv("XP_LOCAL_RANK", "5")
    assert ranks.node_rank() == ranks.NodeRank(5, None, "XP_LOCAL_RANK=5")
    monkeypatch.setenv("XP_LOCAL_RANK", "five")
    with pytest.raises(UserError, match="XP_LOCAL_RANK='five' cannot be used"):
        ranks.node_rank()
