"""What `xpaccel doctor` judges, situation by situation, from facts that this machine need not have; and the command."""

from __future__ import annotations

import errno
import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from xpaccel.backends.gpu.devices import Chosen, Device, Toolkit
from xpaccel.backends.gpu.driver import Driver
from xpaccel.backends.ranks import NodeRank
from xpaccel.cli import app
from xpaccel.errors import BackendError
from xpaccel.report import doctor, doctor_checks, doctor_facts, doctor_probe, doctor_table
from xpaccel.report.doctor import Check, Report
from xpaccel.report.doctor_facts import Facts, Gpu, Node, Processor, Proof
from xpaccel.report.info import Finding

STANDIN = Path(__file__).parent.parent / "cuda" / "standin"
HOOK = {"PBS_JOBID": "51.server", "PBS_QUEUE": "gpu", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
H100 = ("NVIDIA H100", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6")

#: A laptop without a GPU, where everything that is installed works.
LAPTOP = Facts(
    environ={},
    python="3.12.1",
    versions={"numpy": "2.4", "numba": "0.68", "llvmlite": "0.46"},
    has_cupy=False,
    processor=Processor(8, 8, None, 8, "cores that this process may run on (affinity mask)"),
    cache="/home/me/.cache/xpaccel",
    rank=NodeRank(0, 1, "no launcher: a single process"),
    driver=Driver(None, problem="libcuda.so.1: cannot open shared object file"),
    proofs=(Proof("numba", first=0.4, again=9e-6), Proof("cupy", unavailable="CuPy is not installed (pip install …)")),
)


def device(index: int) -> Device:
    return Device(index, *H100, (9, 0), 80 * 10**9)


#: A node with two GPUs where all works.
NODE = replace(
    LAPTOP,
    versions=LAPTOP.versions | {"cupy-cuda12x": "14.2", "numba-cuda": "0.30"},
    has_cupy=True,
    nodes=(Node("/dev/nvidia0"), Node("/dev/nvidia1")),
    driver=Driver(12040, devices=(H100, H100)),
    tool=Finding(found=("GPU 0: NVIDIA H100 (UUID: GPU-89)", "GPU 1: NVIDIA H100 (UUID: GPU-8a)")),
    gpu=Gpu(
        Toolkit("14.2", 12090), devices=(device(0), device(1)), chosen=Chosen(0, *H100, (9, 0), "a single process")
    ),
    proofs=(Proof("numba", first=0.4, again=9e-6), Proof("cupy", first=1.2, again=2e-5)),
)
UNSEEN = Gpu(Toolkit("14.2", 12090), devices_problem="CUDA shows no GPU to this process.")


def judged(facts: Facts) -> dict[str, Check]:
    checks = list(doctor_checks.judge(facts))
    found = {check.name: check for check in checks if check.section != "backends"}
    return found | {f"backend {check.name}": check for check in checks if check.section == "backends"}


def failures(facts: Facts) -> set[str]:
    return {name for name, check in judged(facts).items() if check.state == "failed"}


def on_node(**changes: Any) -> Facts:
    return replace(NODE, **changes)


def test_all_is_well() -> None:
    assert failures(NODE) == failures(LAPTOP) == set()
    node = judged(NODE)
    assert node["driver"].found.startswith("for CUDA up to 12.4, shows 2: NVIDIA H100 (GPU-8932f937")
    assert node["cupy"].found == "cupy-cuda12x 14.2, built for CUDA 12.9"
    assert node["devices"].found.startswith("0: NVIDIA H100, 80.0 GB, sm_90, GPU-8932f937")
    assert node["this process"].found == "uses device 0: a single process"
    assert node["backend cupy"].found.startswith(
        "on NVIDIA H100: compiled a kernel and ran it in 1.2 s, again in 20 us"
    )
    assert {check.state for check in node.values()} == {"ok", "absent"}  # mpi4py, and no job


def test_a_simulated_backend_says_so() -> None:
    proof = Proof("numba-cuda", first=2.0, again=1.0)
    assert judged(on_node(proofs=(proof,)))["backend numba-cuda"].found.startswith("on NVIDIA H100: compiled")
    simulated = judged(on_node(proofs=(proof,), environ={**NODE.environ, "NUMBA_ENABLE_CUDASIM": "1"}))
    assert simulated["backend numba-cuda"].found.startswith("in Numba's simulator, thread by thread, not on a GPU: ")


#: name -> facts, what must have failed, and words of checks by name.
SITUATIONS: dict[str, tuple[Facts, set[str], dict[str, str]]] = {
    "nothing but NumPy": (
        replace(LAPTOP, versions={"numpy": "2.4"}, proofs=(Proof("numba", unavailable="numba is not installed"),)),
        set(),
        {"numba": r'not installed pip install "xpaccel\[numba\]"', "backend numba": "numba is not installed"},
    ),
    "login node with CuPy": (
        on_node(
            nodes=(), driver=LAPTOP.driver, tool=None, gpu=UNSEEN, proofs=(Proof("cupy", unavailable="no driver"),)
        ),
        set(),
        {"driver": "libcuda.so.1.*on a cluster, run this on a node", "devices": "no GPU", "backend cupy": "no driver"},
    ),
    "container without --nv": (
        on_node(driver=LAPTOP.driver, gpu=UNSEEN, proofs=()),
        {"driver"},
        {"driver": "there are device files, and libcuda.so.1 cannot be loaded.*--nv.*--gpus all"},
    ),
    "no rights on the device files": (
        on_node(
            nodes=(Node("/dev/nvidia0", "Permission denied", errno.EACCES),),
            driver=Driver(12040, 100, "no GPU is shown"),
            gpu=UNSEEN,
            proofs=(Proof("cupy", unavailable="sees no GPU"),),
        ),
        {"device files", "driver"},
        {"device files": "/dev/nvidia0: Permission denied.*ask for the group that `ls -l /dev/nvidia0` shows"},
    ),
    "PBS job without ngpus under the cgroup hook": (
        on_node(
            environ=HOOK | {"CUDA_VISIBLE_DEVICES": ""},
            nodes=(Node("/dev/nvidia0", "Operation not permitted", errno.EPERM),),
            driver=Driver(12040, 100, "no GPU is shown"),
            tool=Finding(reason="No devices found."),
            gpu=UNSEEN,
            proofs=(Proof("cupy", unavailable="sees no GPU"),),
        ),
        set(),
        {
            "device files": "this job has no GPU: add ngpus",
            "CUDA_VISIBLE_DEVICES": "set to nothing.*hook of PBS",
        },
    ),
    "PBS job that has one GPU of two": (
        on_node(
            environ=HOOK | {"CUDA_VISIBLE_DEVICES": "GPU-89"},
            nodes=(Node("/dev/nvidia0"), Node("/dev/nvidia1", "Operation not permitted", errno.EPERM)),
            driver=Driver(12040, devices=(H100,)),
            hosts={"gpu01": 4, "gpu02": 4},
        ),
        set(),
        {"device files": "2, of which this process may open 1", "scheduler": "ranks by host: gpu01 4, gpu02 4"},
    ),
    "PBS site without the hook": (
        on_node(environ={"PBS_JOBID": "51.server"}),
        set(),
        {"CUDA_VISIBLE_DEVICES": "all 2 of the node are shown.*-l place=excl"},
    ),
    "empty node file": (
        on_node(environ=HOOK | {"PBS_NODEFILE": "/var/aux/51"}, hosts={}),
        set(),
        {"scheduler": "PBS_NODEFILE=/var/aux/51 names no host: ask for mpiprocs"},
    ),
    "Slurm job without GPUs": (
        on_node(
            environ={"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "CUDA_VISIBLE_DEVICES": "NoDevFiles"},
            driver=Driver(12040, 100, "no GPU is shown"),
            gpu=UNSEEN,
            proofs=(Proof("cupy", unavailable="sees no GPU"),),
        ),
        set(),
        {"CUDA_VISIBLE_DEVICES": "Slurm job that did not ask", "scheduler": "Slurm 7; SLURM_NTASKS=4"},
    ),
    "entry that is out of range": (
        on_node(environ={"CUDA_VISIBLE_DEVICES": "0,7,1"}, driver=Driver(12040, devices=(H100,))),
        set(),
        {"CUDA_VISIBLE_DEVICES": r"entry 2, '7', is no GPU here; CUDA stops at it and hides what follows it \(1\)"},
    ),
    "list that cannot be read, on a machine without a GPU": (
        replace(LAPTOP, environ={"CUDA_VISIBLE_DEVICES": "cuda:0"}),
        set(),
        {"CUDA_VISIBLE_DEVICES": "entry 1, 'cuda:0', is no GPU here"},
    ),
    "entry listed twice": (
        on_node(
            environ={"CUDA_VISIBLE_DEVICES": "0,0"},
            driver=Driver(12040, 100, "no GPU is shown"),
            gpu=UNSEEN,
            proofs=(),
        ),
        {"driver"},
        {"CUDA_VISIBLE_DEVICES": "lists '0' twice, so CUDA shows no GPU at all"},
    ),
    "two CuPys": (
        on_node(versions=NODE.versions | {"cupy-cuda13x": "14.2"}),
        {"cupy"},
        {
            "cupy": "cupy-cuda12x and cupy-cuda13x are installed together.*"
            r'pip uninstall -y cupy cupy-cuda12x cupy-cuda13x && pip install "xpaccel\[cuda12\]"'
        },
    ),
    "two CuPys on a driver for CUDA 13": (
        on_node(
            versions=NODE.versions | {"cupy-cuda13x": "14.2"}, driver=Driver(13000, devices=(H100, H100)), proofs=()
        ),
        {"cupy"},
        {"cupy": r'pip install "xpaccel\[cuda13\]"'},
    ),
    "driver too old for CuPy": (
        on_node(
            versions={"numpy": "2.4", "cupy-cuda13x": "14.2"},
            gpu=Gpu(Toolkit("14.2", 13000), devices_problem="the driver runs CUDA up to 12.4"),
            proofs=(Proof("cupy", unavailable="InsufficientDriver"),),
        ),
        {"cupy", "devices", "backend cupy"},
        {"cupy": r"cupy-cuda13x 14.2, built for CUDA 13.0 .*up to 12.4.*xpaccel\[cuda12\]"},
    ),
    "CuPy that cannot be imported": (
        on_node(
            gpu=Gpu(problem="CuPy is installed and cannot be imported (ImportError: numpy.core.multiarray)"),
            proofs=(Proof("cupy", unavailable="cannot be used"),),
        ),
        {"cupy", "backend cupy"},
        {"cupy": "ImportError: numpy.core.multiarray.*pip uninstall -y cupy"},
    ),
    "no NVRTC and no cuBLAS": (
        on_node(gpu=replace(NODE.gpu, toolkit=Toolkit("14.2", 12090, "no libnvrtc.so.12", "no libcublasLt.so.12"))),
        {"NVRTC", "cuBLAS"},
        {"NVRTC": r'no kernel can be compiled.*pip install "cupy-cuda12x\[ctk\]", or load the cluster\'s CUDA module'},
    ),
    "CuPy from source": (
        on_node(versions={"numpy": "2.4", "cupy": "14.2"}, proofs=()),
        set(),
        {"cupy": "cupy 14.2, built for CUDA 12.9"},
    ),
    "GPU and no CuPy": (
        on_node(versions=LAPTOP.versions, has_cupy=False, gpu=Gpu(), proofs=LAPTOP.proofs),
        set(),
        {"cupy": "not installed the GPU is not used: CuPy is not installed .*cuda12"},
    ),
    "driver that was updated without a reboot": (
        on_node(
            driver=Driver(12040, 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
            tool=Finding(reason="Failed to initialize NVML: Driver/library version mismatch"),
            gpu=UNSEEN,
            proofs=(),
        ),
        {"driver", "nvidia-smi -L"},
        {"driver": "for CUDA up to 12.4; CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "nvidia-smi -L": "version mismatch"},
    ),
    "GPU that hangs": (
        on_node(
            nodes=(),
            driver=Driver(None, doctor_facts.NO_ANSWER, "asking the driver failed: no answer within 120 s"),
            gpu=UNSEEN,
            proofs=(),
        ),
        {"driver"},
        {"driver": "no answer within 120 s.*try another node"},
    ),
    "MIG instances": (
        on_node(tool=Finding(found=("GPU 0: A100", "  MIG 1g.5gb Device 0: (UUID: MIG-a)", "  MIG 1g.5gb Device 1:"))),
        set(),
        {"nvidia-smi -L": "one MIG instance of these 2: list a UUID a rank"},
    ),
    "more ranks than devices": (
        on_node(
            rank=NodeRank(3, 8, "MPI_LOCALRANKID=3"),
            gpu=replace(NODE.gpu, chosen=None, chosen_problem="there are 8 ranks on this node and 2 GPUs: start 2"),
            proofs=(Proof("cupy", problem="BackendError: there are 8 ranks on this node and 2 GPUs"),),
        ),
        {"this process", "backend cupy"},
        {"rank": r"3 of 8 on this node \(MPI_LOCALRANKID=3\)", "this process": "8 ranks on this node and 2 GPUs"},
    ),
    "launchers that disagree": (
        replace(LAPTOP, rank=None, rank_problem="OMPI…=1 and PALS…=2 name different ranks of this node"),
        {"rank"},
        {"rank": "name different ranks"},
    ),
    "a memory limit": (
        on_node(gpu=replace(NODE.gpu, chosen=Chosen(1, *H100, (9, 0), "MPI_LOCALRANKID=1 of 4", 36 * 10**9))),
        set(),
        {"this process": "uses device 1: MPI_LOCALRANKID=1 of 4; memory pool of at most 36.0 GB"},
    ),
    "wrong numbers": (
        on_node(proofs=(Proof("cupy", problem=f"{doctor_facts.WRONG}: 3 of 9998 elements differ from NumPy"),)),
        {"backend cupy"},
        {"backend cupy": "WRONG RESULT: 3 of 9998.*do not use XP_BACKEND=cupy here"},
    ),
    "a proof that crashes": (
        replace(LAPTOP, proofs=(Proof("numba", problem="signal 11"),)),
        {"backend numba"},
        {"backend numba": "signal 11"},
    ),
    "installed and unavailable without an excuse": (
        on_node(proofs=(Proof("cupy", unavailable="odd"), Proof("numba-cuda", unavailable="odd"))),
        {"backend cupy", "backend numba-cuda"},
        {"backend numba-cuda": "odd"},
    ),
    "threads that share a core": (
        replace(LAPTOP, environ={"OMP_NUM_THREADS": "8,2"}, processor=Processor(64, 1, 4, 1, "affinity mask")),
        set(),
        {
            "threads": "run on 1 of the cores only.*slot:pe=8",
            "cores": "64, 1 for this process .*4 by the control",
        },
    ),
    "a setting that cannot be used": (
        replace(LAPTOP, processor=Processor(8, 8, None, None, "XP_NUM_THREADS='x' cannot be used")),
        {"threads"},
        {"threads": "XP_NUM_THREADS='x'"},
    ),
    "a cache that cannot be written": (
        replace(LAPTOP, cache_problem="compiled programs are not kept: /home/me is full"),
        {"cache"},
        {"cache": "/home/me is full set XP_CACHE_DIR"},
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_situation(name: str) -> None:
    facts, failed, words = SITUATIONS[name]
    found = judged(facts)
    assert failures(facts) == failed
    for check, pattern in words.items():
        one_line = f"{found[check].found} {found[check].advice}".replace("\n", " ")
        assert re.search(pattern, one_line), f"{check}: {one_line}"


def test_required_backends_may_not_be_absent() -> None:
    checks = list(doctor_checks.judge(LAPTOP))
    assert not Report(tuple(doctor.required(checks, ["numba", "numpy"]))).failed
    (missing,) = Report(tuple(doctor.required(checks, ["cupy"]))).failed
    assert missing.found.startswith("required, and not available: CuPy is not installed")


# -- probes


def test_results_are_compared_bit_for_bit() -> None:
    wanted = (np.array([1.0, 2.0, 3.0]), np.float64(6.0))
    assert doctor_probe.compare(wanted, wanted) is None
    nearly = np.array([1.0, np.nextafter(2.0, 3.0), 3.0])
    said = doctor_probe.compare((nearly, wanted[1]), wanted)
    assert said is not None
    assert said.startswith(f"{doctor_facts.WRONG}: 1 of 3 elements differ from NumPy, the first is number 1: ")
    assert "shape (2,) where NumPy has (3,)" in str(doctor_probe.compare((nearly[1:], wanted[1]), wanted))
    assert "1 of 1 elements" in str(doctor_probe.compare((wanted[0], np.nan), wanted))


@pytest.mark.numba
def test_a_backend_that_computes_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_probe.prove("numba").keys() == {"name", "first", "again"}
    right = doctor_probe.sample.python
    monkeypatch.setattr(type(doctor_probe.sample), "__call__", lambda self, *args: (right(*args)[0] + 1e-16, 0.0))
    assert doctor_probe.prove("numba")["problem"].startswith(doctor_facts.WRONG)

    def refuse(self: Any, *args: Any) -> None:
        raise BackendError("there are 8 ranks on this node and 4 GPUs")

    monkeypatch.setattr(type(doctor_probe.sample), "__call__", refuse)
    assert doctor_probe.prove("numba")["problem"] == "there are 8 ranks on this node and 4 GPUs"

    def fail(self: Any, *args: Any) -> None:
        raise RuntimeError("\n  no kernel image is available\nmore")

    monkeypatch.setattr(type(doctor_probe.sample), "__call__", fail)
    assert doctor_probe.prove("numba")["problem"] == "RuntimeError: no kernel image is available"


def test_device_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    (tmp_path / "nvidia10").mkdir()  # stands for what cannot be opened, also for root
    (tmp_path / "nvidia2").touch()
    (tmp_path / "nvidiactl").touch()
    nodes = [Node(**node) for node in doctor_probe.ask_driver(tmp_path)["nodes"]]
    assert [Path(node.path).name for node in nodes] == ["nvidia0", "nvidia2", "nvidia10"]
    assert [node.error for node in nodes] == [0, 0, errno.EISDIR]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", f"signal {int(signal.SIGSEGV)}"),
        ("raise SystemExit('libcuda: symbol lookup error')", "status 1: libcuda: symbol lookup error"),
        ("print('no JSON')", "status 0"),
    ],
)
def test_a_probe_that_dies_is_a_finding(monkeypatch: pytest.MonkeyPatch, code: str, words: str) -> None:
    run = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **options: run([sys.executable, "-c", code], **{**options, "env": None})
    )
    assert doctor_facts._probe("driver") == words
    assert doctor_facts._driver()[1].result == doctor_facts.NO_ANSWER
    assert doctor_facts._proof("numba") == Proof("numba", problem=words)
    assert doctor_facts._gpu().problem == f"CuPy ended its process: {words}"


def test_a_probe_that_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **options: Any) -> None:
        raise subprocess.TimeoutExpired("probe", options["timeout"])

    monkeypatch.setattr(subprocess, "run", never)
    assert doctor_facts._probe("driver") == "no answer within 120 s"


def test_cache_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XP_CACHE_DIR", str(tmp_path / "cache"))
    assert doctor_facts._cache() == (str(tmp_path / "cache"), None)
    assert list((tmp_path / "cache").iterdir()) == []
    (tmp_path / "cache").chmod(0o777)
    folder, problem = doctor_facts._cache()
    assert folder != str(tmp_path / "cache")
    assert "can be written by other users" in str(problem)
    monkeypatch.setenv("XP_CACHE_DIR", "~no-such-user-here/cache")
    assert "XP_CACHE_DIR" in str(doctor_facts._cache()[1])


def test_ranks_are_counted_by_host(tmp_path: Path) -> None:
    file = tmp_path / "nodes"
    file.write_text("a\na\nb\n", encoding="utf-8")
    assert doctor_facts._hosts(str(file)) == {"a": 2, "b": 1}
    assert doctor_facts._hosts(str(tmp_path / "none")) == {}
    assert doctor_facts._hosts(None) is None


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 'GPU 0: H100'; echo; echo '  MIG 1g'", Finding(found=("GPU 0: H100", "  MIG 1g"))),
        ("echo 'Failed to initialize NVML'; exit 18", Finding(reason="Failed to initialize NVML")),
        ("exit 9", Finding(reason="ended with status 9")),
    ],
)
def test_the_drivers_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, found: Finding) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor_facts._tool() is None
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert doctor_facts._tool() == found


# -- the command


def command(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["doctor", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(("facts", "status"), [(LAPTOP, 0), (SITUATIONS["two CuPys"][0], 1)])
def test_command(monkeypatch: pytest.MonkeyPatch, facts: Facts, status: int) -> None:
    monkeypatch.setattr(doctor_facts, "gather", lambda: facts)
    code, out, err = command()
    assert (code, err) == (status, "")
    assert ("FAILED: cupy" in out) == bool(status)
    assert ("Everything that is here works." in out) != bool(status)
    code, out, _ = command("--json")
    found = json.loads(out)
    assert (code, found["ok"]) == (status, not status)
    assert found == json.loads(json.dumps(Report(tuple(doctor_checks.judge(facts))).to_dict()))


def test_required_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_facts, "gather", lambda: LAPTOP)
    assert command("--require", "numba")[0] == 0
    code, out, _ = command("--require", "numba", "--require", "cupy")
    assert code == 1
    assert "FAILED: cupy" in out
    assert command("--require", "cuda") == (
        *(2, ""),
        "xpaccel: there is no backend 'cuda' to require: there are " + ", ".join(doctor.backends.names()) + "\n",
    )


def test_what_users_are_told_is_shown_as_it_is() -> None:
    """Square brackets are markup for rich: an extra must not vanish from the command to type."""
    console = Console(width=200, record=True)
    console.print(doctor_table.table(Report(tuple(doctor_checks.judge(SITUATIONS["two CuPys"][0])))))
    assert 'pip install "xpaccel[cuda12]"' in console.export_text()


@pytest.mark.numba
def test_on_this_machine() -> None:
    """Whatever this machine has, the report is whole and numba, which is here, works."""
    report = doctor.examine()
    states = {check.name: check.state for check in report.checks if check.section == "backends"}
    assert states["numpy"] == states["numba"] == "ok"
    assert {"python", "processor", "job", "gpu", "backends"} == {check.section for check in report.checks}


@pytest.mark.cuda
@pytest.mark.skipif(not STANDIN.is_dir(), reason="the stand-in for CuPy is not in this distribution")
def test_through_the_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way of `cupy`: import, toolkit, devices, choice, a kernel; on the host, and the report says so."""
    monkeypatch.setenv("PYTHONPATH", str(STANDIN))
    monkeypatch.setenv("MPI_LOCALRANKID", "0")
    monkeypatch.setenv("MPI_LOCALNRANKS", "1")
    gpu = doctor_facts._gpu()
    assert gpu.problem is None
    assert gpu.chosen is not None
    assert (gpu.chosen.index, gpu.chosen.reason) == (0, "MPI_LOCALRANKID=0")
    assert "no GPU" in gpu.chosen.name
    proof = doctor_facts._proof("cupy")
    assert (proof.unavailable, proof.problem) == (None, None)
    report = judged(replace(LAPTOP, has_cupy=True, gpu=gpu, proofs=(proof,)))
    assert report["backend cupy"].found.startswith(f"on {gpu.chosen.name}: ")
