"""Submitting: what is handed to `qsub`, and what the user is told when it does not take it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from xpaccel import jobs
from xpaccel.errors import UserError
from xpaccel.jobs import Job, Resources, Site, SubmitError, qsub


class Runner:
    """Stands in for `subprocess.run`, and keeps how it was called."""

    def __init__(self, out: str = "17.pbshost\n", err: str = "", status: int = 0) -> None:
        self.answer = (status, out.encode(), err.encode())
        self.calls: list[tuple[list[str], dict[str, Any]]] = []

    def __call__(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        self.calls.append((command, options))
        return subprocess.CompletedProcess(command, *self.answer)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "heat.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_qsub_gets(folder: Path) -> None:
    run = Runner()
    job = Job("heat.py", ("é", os.fsdecode(b"\xff")))
    done = jobs.submit(job, run=run)
    ((command, options),) = run.calls
    assert command == ["qsub"]
    assert options["input"] == os.fsencode(jobs.render(job)) == os.fsencode(done.script)
    assert b"\xff" in options["input"]
    assert (options["cwd"], options["env"]["PWD"]) == (folder, str(folder))
    assert done.id == "17.pbshost"
    assert done.log == folder / "xpaccel-logs" / "17.pbshost.OU"
    assert done.log.parent.is_dir()


def test_the_folder_keeps_its_symbolic_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = folder / "link"
    link.symlink_to(folder)
    monkeypatch.setenv("PWD", str(link))
    run = Runner()
    jobs.submit(Job("heat.py"), run=run)
    assert run.calls[0][1]["env"]["PWD"] == str(link)
    monkeypatch.setenv("PWD", "/")
    jobs.submit(Job("heat.py"), run=run)
    assert run.calls[1][1]["env"]["PWD"] == str(folder)


@pytest.mark.parametrize(
    ("out", "identity"),
    [("17.pbshost\n", "17.pbshost"), ("Welcome!\n  8[].srv-1.x.org \n", "8[].srv-1.x.org"), ("99\n", "99")],
)
def test_job_ids(folder: Path, out: str, identity: str) -> None:
    assert jobs.submit(Job("heat.py"), run=Runner(out)).id == identity


def test_no_job_id(folder: Path) -> None:
    with pytest.raises(SubmitError, match="printed no job id, but: 'hello'"):
        jobs.submit(Job("heat.py"), run=Runner("hello\n"))


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (187, "qsub: Unknown resource: ngpus", "gpu_resource"),
        (187, "qsub: Unknown resource: foo", "no such resource"),
        (170, "qsub: Unknown queue", "qstat -Q"),
        (188, "qsub: Job violates queue and/or server resource limits", "qstat -Qf"),
        (162, "Connection refused\nqsub: cannot connect to server pbshost (errno=15010)", "login node"),
        (2, "qsub: illegal -k value\nusage: qsub [-a]\n more", 'keep = ""'),
        (175, "qsub: Bad UID for job execution", "root"),
        (38, "qsub: would exceed complex's per-user limit", "wait for one"),
        (7, "qsub: the site's own words", ""),
    ],
)
def test_refusals(folder: Path, status: int, said: str, hint: str) -> None:
    with pytest.raises(SubmitError) as caught:
        jobs.submit(Job("heat.py"), run=Runner("", said, status))
    message = str(caught.value)
    assert message.startswith(f"qsub refused the job (status {status}): {said.partition('usage')[0].strip()}")
    assert hint in message
    assert "usage" not in message
    assert ("\n  " in message) == bool(hint)


def test_no_qsub(folder: Path) -> None:
    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["/no/such/qsub"], **options)

    with pytest.raises(SubmitError, match=r"there is no qsub here.*--dry-run"):
        jobs.submit(Job("heat.py"), run=run)


def test_programs_that_are_not_there(folder: Path) -> None:
    (folder / "plain").touch()
    run = Runner()
    for program, message in [
        ("heta.py", "there is no file .*heta.py"),
        ("./heta", "there is no file .*heta"),
        ("./plain", "is not executable: chmod"),
        ("plain-xyz", "no program 'plain-xyz' in PATH; .* ./plain-xyz"),
    ]:
        with pytest.raises(UserError, match=message):
            jobs.submit(Job(program), run=run)
    jobs.submit(Job("true"), run=run)
    assert len(run.calls) == 1


def test_folders_that_cannot_be_used(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(UserError, match=r"the folder for logs, .*file/logs, cannot be made"):
        jobs.submit(Job("heat.py", site=Site(log_folder="file/logs")), run=Runner())
    with pytest.raises(UserError, match="there is no folder"):
        jobs.submit(Job("heat.py"), folder=folder / "none", run=Runner())


def test_next_steps(folder: Path) -> None:
    job = Job("heat.py", (), Resources(), Site(log_folder="a b"))
    said = qsub.next_steps(jobs.submit(job, run=Runner()), job)
    assert "qstat -f 17.pbshost " in said
    assert "tail -F 'a b/17.pbshost.OU' " in said
    assert "qdel 17.pbshost" in said
