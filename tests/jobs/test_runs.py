"""Jobs from `submit` to the end of the program, on a stand-in for PBS that gives them the environment PBS gives.

The shell, the in-job checks and the rank starter are the real ones; `qsub`, `mpirun` and `nvidia-smi` are not.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs.fake_pbs import Cluster
from jobs.test_shell import AWKWARD, words

from xpaccel import jobs
from xpaccel.jobs import Job, Resources, Site

# Each rank leaves what it was given in a file; it says nothing, so that the log holds the messages alone.
SHOW = """\
import json, os, sys
rank = os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK") or "0"
seen = {"argv": [os.fsencode(word).hex() for word in sys.argv], "cwd": os.getcwd(), "env": dict(os.environ)}
with open(f"seen-{rank}.json", "w") as file:
    json.dump(seen, file)
sys.exit(int(os.environ.get("END", "0")))
"""
AWKWARD_PROGRAM = "a b'c\"$(touch pwned)\n;é -x.py"
GPUS = Resources(nodes=2, gpus_per_node=4, threads_per_rank=8, walltime="10:00", queue="gpu")


def run_in(cluster: Cluster) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Give a runner for `submit` that finds the cluster's commands."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        options["env"] = cluster.login() | {"PWD": options["env"]["PWD"]}
        return subprocess.run(command, **options)

    return run


def submit(cluster: Cluster, job: Job, folder: Path) -> str:
    if not (folder / job.program).exists():
        (folder / job.program).write_text(SHOW)
    return jobs.submit(job, folder=folder, run=run_in(cluster)).id


def seen(folder: Path) -> list[dict[str, Any]]:
    """Give what each rank saw, in order, and remove it."""
    files = sorted(folder.glob("seen-*.json"), key=lambda file: int(file.stem.removeprefix("seen-")))
    found = [json.loads(file.read_text()) for file in files]
    for rank, file in zip(found, files, strict=True):
        rank["argv"] = [os.fsdecode(bytes.fromhex(word)) for word in rank["argv"]]
        file.unlink()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sub mit $HOME 'é'"
    made.mkdir()
    return made


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path / "cluster")


def test_cpu_job(cluster: Cluster, folder: Path) -> None:
    job = Job("show.py", AWKWARD, Resources(threads_per_rank=16, mem="4gb", walltime="1:00:00"))
    status, log = cluster.run(submit(cluster, job, folder))
    assert (status, log) == (0, "xpaccel: as asked: 1 ranks a node of 16 threads on node1\n")
    (rank,) = seen(folder)
    assert rank["argv"] == ["show.py", *AWKWARD]
    assert rank["cwd"] == str(folder)
    environment = rank["env"]
    assert {environment[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")} == {"16"}
    assert environment["XP_BACKEND"] == "numba"
    assert "OMPI_COMM_WORLD_RANK" not in environment
    assert not (folder / "pwned").exists()


def test_gpu_job_of_two_nodes(cluster: Cluster, folder: Path) -> None:
    job = Job("show.py", AWKWARD, GPUS, Site(env={"A": "a\n'b'", "XP_CACHE_DIR": "/c d"}))
    status, log = cluster.run(submit(cluster, job, folder))
    assert (status, log) == (0, "xpaccel: as asked: 4 ranks a node of 8 threads, 4 GPUs a node on node1 node2\n")
    ranks = seen(folder)
    assert [rank["argv"] for rank in ranks] == [["show.py", *AWKWARD]] * 8
    assert [rank["env"]["CUDA_VISIBLE_DEVICES"] for rank in ranks] == list("01230123")
    for rank in ranks:
        environment = rank["env"]
        assert rank["cwd"] == str(folder)
        assert (environment["A"], environment["XP_CACHE_DIR"]) == ("a\n'b'", "/c d")
        assert (environment["XP_BACKEND"], environment["OMP_NUM_THREADS"]) == ("cupy", "8")
        assert environment["XP_RANK_DEVICE"] == environment["CUDA_VISIBLE_DEVICES"]
        assert (environment["XP_RANKS_PER_DEVICE"], environment["CUDA_DEVICE_ORDER"]) == ("1", "PCI_BUS_ID")
    assert "TMPDIR" not in ranks[4]["env"]
    assert ranks[4]["env"]["PBS_JOBID"] == "17.pbshost"
    assert "PBS_NODENUM" not in ranks[4]["env"]


@pytest.mark.parametrize("resources", [Resources(), GPUS], ids=["cpu", "gpu"])
def test_awkward_program(cluster: Cluster, folder: Path, resources: Resources) -> None:
    job = Job(AWKWARD_PROGRAM, AWKWARD, resources)
    script = jobs.render(job)
    subprocess.run(["bash", "-n"], input=os.fsencode(script), check=True)
    status, log = cluster.run(submit(cluster, job, folder))
    assert status == 0, log
    ranks = seen(folder)
    assert [rank["argv"] for rank in ranks] == [[AWKWARD_PROGRAM, *AWKWARD]] * resources.ranks
    assert not (folder / "pwned").exists()
    assert cluster.submission("17.pbshost").name == "a_b_c_touch_pwn"


@pytest.mark.parametrize("resources", [Resources(), Resources(ranks_per_node=2)], ids=["alone", "ranks"])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(words, max_size=8))
def test_any_arguments(cluster: Cluster, folder: Path, resources: Resources, arguments: list[str]) -> None:
    job = Job("show.py", arguments, resources, check=False)
    status, log = cluster.run(submit(cluster, job, folder))
    assert (status, log) == (0, "")
    assert [rank["argv"] for rank in seen(folder)] == [["show.py", *arguments]] * resources.ranks


def test_an_executable(cluster: Cluster, folder: Path) -> None:
    program = folder / "sol ver"
    program.write_text('#!/bin/bash\nprintf "<%s>" "${0##*/}" "$@"\nexit 3\n')
    program.chmod(0o755)
    job = Job("./sol ver", ("a b", "-n"), check=False)
    assert cluster.run(submit(cluster, job, folder)) == (3, "<sol ver><a b><-n>")
    with_gpu = Job("./sol ver", ("a b",), Resources(gpus_per_node=1), check=False)
    assert cluster.run(submit(cluster, with_gpu, folder)) == (3, "<sol ver><a b>")


@pytest.mark.parametrize("mpi", ["openmpi", "mpich", "intelmpi"])
@pytest.mark.parametrize("launcher", ["auto", "named"])
def test_launchers(tmp_path: Path, folder: Path, mpi: str, launcher: str) -> None:
    cluster = Cluster(tmp_path / "cluster", mpi=mpi)
    site = Site(launcher="auto" if launcher == "auto" else mpi)
    job = Job("show.py", (":",), Resources(nodes=2, ranks_per_node=2), site)
    status, log = cluster.run(submit(cluster, job, folder))
    assert status == 0, log
    assert [rank["argv"] for rank in seen(folder)] == [["show.py", ":"]] * 4


@pytest.mark.parametrize(("cpus", "bound"), [(4, True), (64, False)])
def test_ranks_are_bound_where_the_cores_are_the_jobs_own(tmp_path: Path, folder: Path, cpus: int, bound: bool) -> None:
    cluster = Cluster(tmp_path / "cluster", cpus=cpus)
    job = Job("show.py", (), Resources(ranks_per_node=2, threads_per_rank=2))
    assert cluster.run(submit(cluster, job, folder))[0] == 0
    command = json.loads((cluster.spool / "mpirun.json").read_text())
    assert ("ppr:2:node:PE=2" in command) == bound


def test_no_launcher_that_is_known(tmp_path: Path, folder: Path) -> None:
    cluster = Cluster(tmp_path / "cluster", mpi="other")
    status, log = cluster.run(submit(cluster, Job("show.py", (), Resources(ranks_per_node=2)), folder))
    assert status == 1
    assert "found no mpirun that it knows" in log
    assert not seen(folder)


@pytest.mark.parametrize("resources", [Resources(), Resources(ranks_per_node=2)], ids=["alone", "ranks"])
def test_the_status_is_the_programs(cluster: Cluster, folder: Path, resources: Resources) -> None:
    job = Job("show.py", (), resources, Site(env={"END": "7"}))
    assert cluster.run(submit(cluster, job, folder))[0] == 7


def test_a_program_that_is_gone_when_the_job_starts(cluster: Cluster, folder: Path) -> None:
    identity = submit(cluster, Job("show.py"), folder)
    (folder / "show.py").unlink()
    status, log = cluster.run(identity)
    assert status != 0
    assert "show.py" in log


WAITING = """\
import pathlib, signal, sys, time
count = 0
def stop(number, frame):
    global count
    count += 1
signal.signal(signal.SIGTERM, stop)
pathlib.Path("ready").touch()
deadline = time.monotonic() + 60
while not count and time.monotonic() < deadline:
    time.sleep(0.01)
time.sleep(0.3)
pathlib.Path("stopped").write_text(str(count))
sys.exit(9)
"""


@pytest.mark.parametrize("whole", [True, False], ids=["session", "script"])
def test_sigterm_reaches_the_program_once(cluster: Cluster, folder: Path, whole: bool) -> None:
    """PBS signals every process of the session; whoever signals the script alone reaches the program too."""
    (folder / "wait.py").write_text(WAITING)
    identity = submit(cluster, Job("wait.py", check=False), folder)
    with cluster.start(identity) as process:
        _until((folder / "ready").exists)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if whole:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            os.kill(int(children[0]), signal.SIGTERM)
        process.wait(timeout=60)
    _until((folder / "stopped").exists)
    _until(lambda: (folder / "stopped").read_text() != "")
    assert (folder / "stopped").read_text() == "1"


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def differs(cluster: Cluster, folder: Path, resources: Resources, site: Site | None = None, **extra: str) -> str:
    """Run a job that must stop before its program; give its log."""
    identity = submit(cluster, Job("show.py", (), resources, site or Site()), folder)
    status, log = cluster.run(identity, **extra)
    assert status == 1
    assert "stopped before the program, for the reason above" in log
    assert not seen(folder)
    return log


def test_too_few_gpus(tmp_path: Path, folder: Path) -> None:
    cluster = Cluster(tmp_path / "cluster", gpus=2)
    assert "GPUs on this node: 4 asked for, 2 found (nvidia-smi -L)" in differs(cluster, folder, GPUS)
    empty = differs(cluster, folder, GPUS, CUDA_VISIBLE_DEVICES="")
    assert "GPUs on this node: 4 asked for, 0 found (CUDA_VISIBLE_DEVICES is set to nothing" in empty


def test_too_few_cores(tmp_path: Path, folder: Path) -> None:
    cluster = Cluster(tmp_path / "cluster", cpus=3)
    assert "cores: 4 asked for, 3 may be used" in differs(cluster, folder, Resources(threads_per_rank=4))


def test_too_few_threads(cluster: Cluster, folder: Path) -> None:
    asked = Resources(threads_per_rank=4)
    assert "threads a rank: 4 asked for, NCPUS is 2" in differs(cluster, folder, asked, NCPUS="2")
    site = Site(env={"OMP_NUM_THREADS": "1"})
    assert "threads a rank: 4 asked for, OMP_NUM_THREADS is 1" in differs(cluster, folder, asked, site)


def test_chunks_merged_on_one_node(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    nodes = tmp_path / "nodes"
    nodes.write_text("node1\n" * 4)
    log = differs(cluster, folder, Resources(nodes=2, ranks_per_node=2), PBS_NODEFILE=str(nodes))
    assert "nodes: 2 asked for, PBS_NODEFILE has 1: node1 (4)" in log
    asked = Resources(nodes=2, ranks_per_node=2, place="free")
    assert cluster.run(submit(cluster, Job("show.py", (), asked), folder))[0] == 0
    assert len(seen(folder)) == 4


def test_a_select_that_says_neither_ranks_nor_threads(cluster: Cluster, folder: Path) -> None:
    """As on a site that gives whole nodes by name: PBS then sets NCPUS to 1, and names each host once."""
    site = Site(select="{nodes}:ncpus=1")
    asked = Resources(nodes=2, threads_per_rank=8)
    status, log = cluster.run(submit(cluster, Job("show.py", (), asked, site), folder))
    assert status == 0, log
    assert {rank["env"]["NCPUS"] for rank in seen(folder)} == {"8"}


def test_no_check_runs_all_the_same(tmp_path: Path, folder: Path) -> None:
    cluster = Cluster(tmp_path / "cluster", cpus=1)
    job = Job("show.py", (), Resources(ranks_per_node=2, threads_per_rank=4), check=False)
    assert cluster.run(submit(cluster, job, folder)) == (0, "")
    assert len(seen(folder)) == 2


def test_a_rank_without_a_gpu_ends_the_job(tmp_path: Path, folder: Path) -> None:
    cluster = Cluster(tmp_path / "cluster", gpus=1)
    job = Job("show.py", (), Resources(gpus_per_node=2), check=False)
    status, log = cluster.run(submit(cluster, job, folder))
    assert status == 128 + signal.SIGKILL
    assert "there is no GPU for it: it needs number 1, and 1 found (nvidia-smi -L)" in log


def test_a_rank_that_is_bound_to_too_few_cores(cluster: Cluster, folder: Path) -> None:
    job = Job("show.py", (), Resources(ranks_per_node=2, threads_per_rank=4))
    status, log = cluster.run(submit(cluster, job, folder), FAKE_CPUS_OF_A_RANK="1")
    assert status == 128 + signal.SIGKILL
    assert "stops: cores: 4 asked for, 1 may be used" in log
    assert not seen(folder)


def test_gpus_by_uuid(cluster: Cluster, folder: Path) -> None:
    listed = "GPU-node1-2,GPU-node1-0"
    job = Job("show.py", (), Resources(gpus_per_node=2))
    status, log = cluster.run(submit(cluster, job, folder), CUDA_VISIBLE_DEVICES=listed)
    assert status == 0, log
    assert [rank["env"]["CUDA_VISIBLE_DEVICES"] for rank in seen(folder)] == listed.split(",")


def test_a_list_of_another_host_is_not_used(tmp_path: Path, folder: Path) -> None:
    """MPICH copies the first host's environment to all: the UUIDs in it are of the first host's GPUs."""
    cluster = Cluster(tmp_path / "cluster", mpi="mpich", gpus=2)
    job = Job("show.py", (), Resources(nodes=2, gpus_per_node=2))
    listed = "GPU-node1-1,GPU-node1-0"
    status, log = cluster.run(submit(cluster, job, folder), CUDA_VISIBLE_DEVICES=listed)
    assert status == 0, log
    assert [rank["env"]["CUDA_VISIBLE_DEVICES"] for rank in seen(folder)] == [*listed.split(","), "0", "1"]


def test_a_list_of_one_host_stays_there(cluster: Cluster, folder: Path) -> None:
    """Indices cannot tell whose they are, so Open MPI is not asked to bring them to other hosts."""
    status, log = cluster.run(submit(cluster, Job("show.py", (), GPUS), folder), CUDA_VISIBLE_DEVICES="3,2,1,0")
    assert status == 0, log
    assert [rank["env"]["CUDA_VISIBLE_DEVICES"] for rank in seen(folder)] == list("32100123")


def test_no_signal_is_ignored_in_a_rank(cluster: Cluster, folder: Path) -> None:
    job = Job("grep", ("SigIgn", "/proc/self/status"), Resources(gpus_per_node=1), check=False)
    identity = jobs.submit(job, folder=folder, run=run_in(cluster)).id
    assert cluster.run(identity) == (0, "SigIgn:\t0000000000000000\n")


def test_shared_gpus(cluster: Cluster, folder: Path) -> None:
    job = Job("show.py", (), Resources(ranks_per_node=8, gpus_per_node=4, share_gpus=True))
    status, log = cluster.run(submit(cluster, job, folder))
    assert status == 0, log
    ranks = seen(folder)
    assert [rank["env"]["CUDA_VISIBLE_DEVICES"] for rank in ranks] == list("00112233")
    assert {rank["env"]["XP_RANKS_PER_DEVICE"] for rank in ranks} == {"2"}


def test_more_gpus_than_asked_for_is_a_warning(cluster: Cluster, folder: Path) -> None:
    job = Job("show.py", (), Resources(gpus_per_node=1))
    status, log = cluster.run(submit(cluster, job, folder))
    assert status == 0
    assert "this node shows 4 GPUs, 1 were asked for" in log
    status, log = cluster.run(submit(cluster, job, folder), CUDA_VISIBLE_DEVICES="3")
    assert (status, "this node shows" in log) == (0, False)


def test_modules_are_loaded(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    init = tmp_path / "init"
    init.mkdir()
    (init / "bash").write_text('module() { [ "$2" != missing ] && export MODULES="${MODULES:-}$1:$2;"; }\n')
    job = Job("show.py", (), Resources(), Site(modules=("mpi/4", "a b")))
    assert cluster.run(submit(cluster, job, folder), MODULESHOME=str(tmp_path))[0] == 0
    assert seen(folder)[0]["env"]["MODULES"] == "load:mpi/4;load:a b;"
    missing = Job("show.py", (), Resources(), Site(modules=("missing",)))
    status, log = cluster.run(submit(cluster, missing, folder), MODULESHOME=str(tmp_path))
    assert (status, log) == (1, "xpaccel: cannot load module missing\n")


def test_nothing_of_the_users_folder_hides_what_the_job_needs(cluster: Cluster, folder: Path) -> None:
    for name in ("xpaccel", "argparse", "numpy"):
        (folder / f"{name}.py").write_text("raise SystemExit(99)")
    program = folder / "inner"
    program.mkdir()
    shutil.copy(Path(__file__), program / "unused.py")
    (program / "show.py").write_text(SHOW)
    job = Job("inner/show.py", (), Resources(ranks_per_node=2))
    status, log = cluster.run(submit(cluster, job, folder))
    assert status == 0, log


@pytest.mark.mpi
def test_the_mpirun_of_this_machine(tmp_path: Path, folder: Path) -> None:
    if shutil.which("mpirun") is None:
        pytest.skip("there is no mpirun")
    cluster = Cluster(tmp_path / "cluster")
    (cluster.bin / "mpirun").unlink()
    nodes = tmp_path / "nodes"
    nodes.write_text("localhost\nlocalhost\n")
    job = Job("show.py", AWKWARD, Resources(ranks_per_node=2), Site(env={"A": "a\n'b'"}))
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    path = f"{cluster.bin}:{os.environ['PATH']}"
    status, log = cluster.run(submit(cluster, job, folder), PBS_NODEFILE=str(nodes), FAKE_PATH=path, **root)
    assert status == 0, log
    ranks = seen(folder)
    assert [rank["argv"] for rank in ranks] == [["show.py", *AWKWARD]] * 2
    assert [rank["env"]["A"] for rank in ranks] == ["a\n'b'"] * 2
