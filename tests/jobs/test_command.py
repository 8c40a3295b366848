"""``xpaccel submit`` as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jobs import fake_pbs
from jobs.fake_pbs import Cluster
from jobs.test_runs import SHOW, seen
from jobs.test_shell import AWKWARD

from xpaccel import backends
from xpaccel.jobs import job

Run = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path / "cluster")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "submit"
    made.mkdir()
    (made / "show.py").write_text(SHOW)
    return made


@pytest.fixture
def run(cluster: Cluster, folder: Path) -> Run:
    """Type a command on the login node; gives exit status, standard output, standard error."""

    def typed(*words: str, **environ: str) -> tuple[int, bytes, str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "xpaccel", "submit", *words],
            cwd=folder,
            env=cluster.login() | {"PWD": str(folder)} | environ,
            capture_output=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.decode()

    return typed


def test_from_the_command_to_the_result(cluster: Cluster, folder: Path, run: Run) -> None:
    words = ("--dry-run", "--help", *AWKWARD)
    status, out, err = run("--nodes", "2", "--gpus-per-node", "4", "-q", "gpu", "--env", "A=b=c", "show.py", *words)
    assert (status, out) == (0, b"17.pbshost\n")
    assert "submitted show: 2 x 4 ranks of 1 threads, 4 GPUs a node" in err
    assert "tail -F xpaccel-logs/17.pbshost.OU" in err
    assert cluster.run("17.pbshost")[0] == 0
    ranks = seen(folder)
    assert [rank["argv"] for rank in ranks] == [["show.py", *words]] * 8
    assert {rank["env"]["A"] for rank in ranks} == {"b=c"}


def test_dry_run_prints_what_would_be_submitted(cluster: Cluster, folder: Path, run: Run) -> None:
    words = ("--threads-per-rank", "4", "show.py", *AWKWARD)
    status, script, err = run("--dry-run", *words)
    assert status == 0
    assert "nothing was submitted" in err
    assert f"mkdir -p xpaccel-logs && qsub, in {folder}" in err
    assert not list(folder.glob("xpaccel-logs"))
    assert not list(cluster.spool.glob("*.SC"))
    assert run(*words)[0] == 0
    assert script == (cluster.spool / "17.pbshost.SC").read_bytes()


def test_a_program_that_looks_like_an_option(cluster: Cluster, folder: Path, run: Run) -> None:
    (folder / "show.py").rename(folder / "-x.py")
    assert run("--", "-x.py", "--", "-q")[0] == 0
    assert cluster.run("17.pbshost")[0] == 0
    assert seen(folder)[0]["argv"] == ["./-x.py", "--", "-q"]


def test_a_site_file(cluster: Cluster, run: Run) -> None:
    settings = cluster.home / ".config" / "xpaccel"
    settings.mkdir(parents=True)
    (settings / "site.toml").write_text('queue = "gpu"\nwalltime = "1:00:00"\n[env]\nA = "1"\nB = "2"\n')
    (settings / "other.toml").write_text("qeue = 'gpu'\n")
    script = run("--dry-run", "--env", "B=3", "show.py")[1].decode()
    assert "#PBS -q gpu\n" in script
    assert "#PBS -l walltime=01:00:00\n" in script
    assert "export A=1\nexport B=3\n" in script
    assert "#PBS -q workq\n" in run("--dry-run", "-q", "workq", "show.py")[1].decode()
    status, out, err = run("--site", "other", "show.py")
    assert (status, out) == (2, b"")
    assert "there is no key 'qeue': did you mean queue?" in err
    assert run("show.py", XP_SITE="other")[0] == 2


def test_options_of_the_site_on_the_command_line(run: Run) -> None:
    words = ("--module", "a", "--module", "b", "--activate", "source x", "--python", "py", "--logs", "out")
    words += ("--launcher", "go {ranks}", "--directive", "-m abe", "--place", "pack", "--ranks-per-node", "2")
    script = run("--dry-run", *words, "-N", "me", "-P", "p", "-A", "a", "--mem", "1gb", "show.py")[1].decode()
    for line in ("module load a ", "module load b ", "source x\n", "#PBS -m abe\n", "#PBS -o out/\n", "exec go 2 "):
        assert line in script
    for line in ("#PBS -N me\n", "#PBS -P p\n", "#PBS -A a\n", ":mem=1gb\n", "place=pack\n", "py show.py\n"):
        assert line in script


def test_the_backend(run: Run) -> None:
    def export(*words: str, **environ: str) -> str:
        script = run("--dry-run", *words, "show.py", **environ)[1].decode()
        return next(line for line in script.splitlines() if "XP_BACKEND" in line)

    assert export() == "export XP_BACKEND=numba"
    assert export("--gpus-per-node", "1") == "export XP_BACKEND=cupy"
    assert export("--gpus-per-node", "1", XP_BACKEND="numba-cuda") == "export XP_BACKEND=numba-cuda"
    assert export("--backend", "numpy", XP_BACKEND="cupy") == "export XP_BACKEND=numpy"


def test_the_backends_are_those_that_exist() -> None:
    assert set(backends.names()) <= {*job.HOST_BACKENDS, *job.GPU_BACKENDS}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.py",), "there is no file"),
        (("--env", "A", "show.py"), "write NAME=VALUE"),
        (("--env", "=1", "show.py"), "the name of a variable"),
        (("--walltime", "1d", "show.py"), "two days are 48:00:00"),
        (("--gpus-per-node", "4", "--ranks-per-node", "2", "show.py"), "would idle"),
        (("--dry-run", "none.py"), "there is no file"),
    ],
)
def test_refused_before_qsub(cluster: Cluster, run: Run, words: tuple[str, ...], message: str) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, b"")
    assert err.startswith("xpaccel: ")
    assert message in err
    assert not list(cluster.spool.glob("*.SC"))


def test_refused_by_qsub(cluster: Cluster, run: Run) -> None:
    (cluster.spool / "unknown").write_text("ngpus")
    status, out, err = run("--gpus-per-node", "1", "show.py")
    assert (status, out) == (1, b"")
    assert err.startswith("xpaccel: qsub refused the job (status 187): qsub: Unknown resource: ngpus\n")
    assert "gpu_resource" in err
    assert "(status 170): qsub: Unknown queue\n" in run("-q", "nosuch", "show.py")[2]


def test_no_qsub(cluster: Cluster, run: Run) -> None:
    (cluster.bin / "qsub").unlink()
    status, _, err = run("show.py", PATH=f"{cluster.bin}:/usr/bin:/bin")
    assert status == 1
    assert "there is no qsub here" in err


def test_help_shows_examples(run: Run) -> None:
    status, out, _ = run("--help", COLUMNS="120")
    assert status == 0
    assert "xpaccel submit --nodes 2 --gpus-per-node 4 --queue gpu -P p42 heat.py" in out.decode()


def test_a_script_by_hand(cluster: Cluster, folder: Path, run: Run) -> None:
    """What --dry-run printed can be given to qsub as a file."""
    script = run("--dry-run", "show.py", "a b")[1]
    (folder / "job.sh").write_bytes(script)
    (folder / "xpaccel-logs").mkdir()
    environ = cluster.login() | {"PWD": str(folder)}
    subprocess.run(["qsub", "job.sh"], cwd=folder, env=environ, capture_output=True, check=True)
    assert cluster.run("17.pbshost")[0] == 0
    assert seen(folder)[0]["argv"] == ["show.py", "a b"]
    assert fake_pbs.parse(script).name == "show"
    assert os.fsdecode(script).count("\n#PBS") == 6
