"""What a job finds out about itself: the GPUs of a host, what differs from what was asked for, which GPU is whose."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xpaccel import config
from xpaccel.backends.ranks import NodeRank
from xpaccel.jobs import activation, check, gpus, rank
from xpaccel.jobs.asked import Asked
from xpaccel.jobs.gpus import Found, decide

PLAIN = "GPU 0: NVIDIA A100 (UUID: GPU-aa)\nGPU 1: NVIDIA A100 (UUID: GPU-bb)\n"
CUT = """\
GPU 0: NVIDIA A100 (UUID: GPU-aa)
  MIG 3g.20gb     Device  0: (UUID: MIG-11)
  MIG 3g.20gb     Device  1: (UUID: MIG-22)
GPU 1: NVIDIA A100 (UUID: GPU-bb)
"""


@pytest.mark.parametrize(
    ("variable", "listing", "files", "entries", "given"),
    [
        (None, PLAIN, 4, ("0", "1"), False),
        (None, CUT, 2, ("MIG-11", "MIG-22", "1"), False),
        (None, None, 3, ("0", "1", "2"), False),
        (None, "No devices found.\n", 3, (), False),
        ("", PLAIN, 2, (), True),
        ("-1", PLAIN, 2, (), True),
        ("NoDevFiles", PLAIN, 2, (), True),
        ("1", PLAIN, 2, ("1",), True),
        ("3, 2,-1,0", PLAIN, 2, ("3", "2"), True),
        ("GPU-bb", PLAIN, 2, ("GPU-bb",), True),
        ("GPU-b,GPU-a", PLAIN, 2, ("GPU-b", "GPU-a"), True),
        ("MIG-22,MIG-11", CUT, 2, ("MIG-22", "MIG-11"), True),
        ("GPU-other", PLAIN, 2, ("0", "1"), False),
        ("GPU-other", None, 2, ("GPU-other",), True),
    ],
)
def test_gpus_of_a_host(
    variable: str | None, listing: str | None, files: int, entries: tuple[str, ...], given: bool
) -> None:
    found = decide(variable, listing, files)
    assert (found.entries, found.given) == (entries, given)


def test_a_tool_that_fails_is_not_there() -> None:
    assert gpus.look({"PATH": "/nowhere", "CUDA_VISIBLE_DEVICES": "4,5"}).entries == ("4", "5")


def asked(nodes: int = 2, ranks: int = 2, threads: int = 4, gpus: int = 0, place: str = "scatter") -> Asked:
    return Asked(nodes, ranks, threads, gpus, ranks, place)


@pytest.mark.parametrize(
    ("wanted", "hosts", "complaints"),
    [
        (asked(), "a a b b", []),
        (asked(), "a b a b", []),
        (asked(place="free"), "a a a a", []),
        (asked(nodes=3, place="free"), "a a b b b b", []),
        (asked(place="vscatter"), "a a a a", []),
        (asked(), "a a a a", ["nodes: 2 asked for", "ranks a node: 2 asked for"]),
        (asked(), "a b b b", ["ranks a node: 2 asked for, PBS_NODEFILE has: a (1), b (3)"]),
        (asked(), "a a", ["ranks: 4 asked for, PBS_NODEFILE has 2: a (2)", "nodes: 2 asked for"]),
        (asked(place="free"), "a a a", ["ranks: 4 asked for", "ranks a node"]),
        (asked(), "", ["ranks: 4 asked for, PBS_NODEFILE has 0: none", "nodes: 2"]),
    ],
)
def test_allocation(wanted: Asked, hosts: str, complaints: list[str]) -> None:
    found = list(check.allocation(wanted, hosts.split()))
    assert len(found) == len(complaints)
    for line, start in zip(found, complaints, strict=True):
        assert line.startswith(start)


def test_a_select_without_mpiprocs_has_one_line_a_chunk() -> None:
    wanted = Asked(nodes=2, ranks_per_node=4, threads_per_rank=2, gpus_per_node=0, lines_per_chunk=1, place="scatter")
    assert list(check.allocation(wanted, ["a", "b"])) == []
    assert len(list(check.allocation(wanted, ["a", "a"]))) == 2
    environ = {"OMP_NUM_THREADS": "2"}
    assert len(check.differences(wanted, ["a", "b"], environ, 7, Found((), "x", True))) == 1


def test_merged_chunks_need_the_sum_on_their_host() -> None:
    wanted = asked(gpus=2, place="free")
    environ = {"OMP_NUM_THREADS": "4", "NCPUS": "4"}
    four = Found(("0", "1", "2", "3"), "x", True)
    assert check.differences(wanted, list("aaaa"), environ, 16, four) == []
    assert len(check.differences(wanted, list("aaaa"), environ, 15, Found(("0",), "x", True))) == 2
    assert check.differences(wanted, list("aabb"), environ, 8, Found(("0", "1"), "x", True)) == []


@pytest.mark.parametrize(
    ("environ", "count"),
    [
        ({"OMP_NUM_THREADS": "4"}, 0),
        ({"OMP_NUM_THREADS": "4", "NCPUS": "8"}, 0),
        ({"OMP_NUM_THREADS": "4", "NCPUS": "2"}, 1),
        ({"OMP_NUM_THREADS": "8", "NCPUS": "2"}, 2),
        ({}, 1),
    ],
)
def test_threads(environ: dict[str, str], count: int) -> None:
    assert len(list(check.threads(asked(), environ))) == count


@pytest.mark.parametrize(
    ("ranks", "gpus", "chosen"), [(4, 4, "abcd"), (8, 4, "aabbccdd"), (8, 2, "aaaabbbb"), (1, 1, "a")]
)
def test_one_gpu_a_rank(ranks: int, gpus: int, chosen: str) -> None:
    found = Found(tuple("abcd"), "x", True)
    wanted = asked(ranks=ranks, gpus=gpus)
    assert "".join(rank.device(wanted, local, found) for local in range(ranks)) == chosen


def test_a_rank_without_a_gpu() -> None:
    with pytest.raises(rank.Refusal, match="needs number 2, and 1 found"):
        rank.device(asked(ranks=4, gpus=4), 2, Found(("0",), "x", True))


def test_ranks_that_cannot_be_told_apart() -> None:
    wanted = asked(ranks=4, gpus=4)
    assert rank.local_rank(wanted, NodeRank(3, 4, "x")) == 3
    assert rank.local_rank(wanted, NodeRank(3, None, "x")) == 3
    assert rank.local_rank(asked(ranks=4, gpus=4, place="pack"), NodeRank(7, 8, "x")) == 7
    with pytest.raises(rank.Refusal, match=r"4 ranks a node asked for, 1 here \(no launcher.*XP_LOCAL_RANK"):
        rank.local_rank(wanted, NodeRank(0, 1, "no launcher: a single process"))


def test_the_choice_is_told_to_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in rank.variables(asked(ranks=4, gpus=2), "GPU-a").items():
        monkeypatch.setenv(name, value)
    assert config.rank_device() == 2


def test_inside_no_job(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("PBS_NODEFILE", raising=False)
    options = "--nodes 1 --ranks-per-node 1 --threads-per-rank 1 --gpus-per-node 0 --lines-per-chunk 1 --place free"
    assert check.main(options.split()) == 1
    assert "is this a PBS job?" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["check", "rank"])
def test_what_runs_in_every_job_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, xpaccel.jobs.{module}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert not {"cupy", "numba", "mpi4py", "typer", "rich"} & {name.partition(".")[0] for name in ran.stdout.split()}


def test_environments_are_recognised(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("a b")
    (root / "venv" / "bin").mkdir(parents=True)
    (root / "venv" / "bin" / "activate").touch()
    (root / "conda" / "conda-meta").mkdir(parents=True)
    (root / "exe").touch()

    def found(prefix: str, base: str, **environ: str) -> str:
        made = activation.detect(prefix=str(root / prefix), base=base, executable="/py", environ=environ)
        assert made.python == "/py"
        return "\n".join(made.lines)

    assert found("venv", "/usr").startswith(f"source '{root}/venv/bin/activate' ||")
    assert f"conda activate '{root}/conda' ||" in found("conda", str(root / "conda"), CONDA_EXE=str(root / "exe"))
    assert f"export CONDA_PREFIX='{root}/conda'" in found("conda", str(root / "conda"))
    assert found("plain", "/usr") == ""


def test_an_environment_without_conda_is_activated_by_hand(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("en v")
    hooks = root / "etc" / "conda" / "activate.d"
    hooks.mkdir(parents=True)
    (root / "conda-meta").mkdir()
    (hooks / "a.sh").write_text("export HOOK=run\n")
    lines = activation.detect(prefix=str(root), base=str(root), executable="/py", environ={}).lines
    script = "\n".join((*lines, 'echo "$HOOK ${PATH%%:*}"'))
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"run {root}/bin\n"
