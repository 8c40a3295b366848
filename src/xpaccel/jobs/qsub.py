"""Handing a script to `qsub`: the one place of this package that starts a process on the login node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpaccel.errors import UserError, XpaccelError
from xpaccel.jobs.job import Job
from xpaccel.jobs.pbs import render
from xpaccel.jobs.shell import quote

Runner = Callable[..., "subprocess.CompletedProcess[Any]"]
"""Starts a process: `subprocess.run`, or what stands in for it in a test."""

QSUB = ("qsub",)
"""The command; the script goes to its standard input."""


class SubmitError(XpaccelError):
    """The scheduler is not there, or refused the job; the message has its words and, where known, what to do."""


@dataclass(frozen=True)
class Submitted:
    """A job that the scheduler took.

    Parameters
    ----------
    id : str
        Its identifier, for `qstat` and `qdel`.
    log : Path
        The file of what it prints, which appears when it starts.
    script : str
        What was submitted.
    """

    id: str
    log: Path
    script: str


def submit(job: Job, *, folder: str | Path | None = None, run: Runner = subprocess.run) -> Submitted:
    """Render a job and hand it to PBS.

    Parameters
    ----------
    job : Job
        What to run.
    folder : path, optional
        Where the job runs, by default the current folder. The folder for logs is made in it.
    run : callable
        Called as `subprocess.run` is.

    Returns
    -------
    Submitted

    Raises
    ------
    xpaccel.UserError
        If the program is not there, or the folder for logs cannot be made.
    xpaccel.jobs.SubmitError
        If there is no `qsub`, or it refuses.
    """
    where = Path(os.path.abspath(folder or Path.cwd()))
    if not where.is_dir():
        raise UserError(f"there is no folder {where} to submit from")
    script = render(job)
    check_program(job, where)
    logs = where / job.log_folder
    try:
        logs.mkdir(parents=True, exist_ok=True)  # PBS would fail to start the job in a folder that is not there
    except OSError as error:
        raise UserError(f"the folder for logs, {logs}, cannot be made: {error.strerror or error}") from error
    try:
        done = run(
            list(QSUB),
            input=os.fsencode(script),
            capture_output=True,
            cwd=where,
            env=_environment(where),
            check=False,
        )
    except FileNotFoundError as error:
        raise SubmitError(
            "there is no qsub here: submit on a login node of the cluster; --dry-run shows the script here"
        ) from error
    out, err = _text(done.stdout), _text(done.stderr)
    if done.returncode != 0:
        raise SubmitError(refusal(done.returncode, err or out, job.site.gpu_resource))
    found = re.findall(r"^\s*(\d+(?:\[\])?(?:\.[\w.-]+)?)\s*$", out, re.MULTILINE)
    if not found:
        raise SubmitError(f"qsub ended well and printed no job id, but: {(out + err).strip()!r}. See `qstat -u $USER`")
    return Submitted(found[-1], logs / f"{found[-1]}.OU", script)


def check_program(job: Job, folder: Path) -> None:
    """Make sure that there is a program, before the job waits for hours to find out.

    Raises
    ------
    xpaccel.UserError
        If there is no such file, or it is neither a Python file nor executable.
    """
    program = job.program
    path = folder / program
    if program.endswith(".py"):
        if not path.is_file():
            raise UserError(f"there is no file {path}")
    elif "/" in program or program.startswith("-"):
        if not path.is_file():
            raise UserError(f"there is no file {path}")
        if not os.access(path, os.X_OK):
            raise UserError(f"{path} is not executable: chmod +x, or name a file that ends in .py")
    elif shutil.which(program) is None:
        raise UserError(f"there is no program {program!r} in PATH; a file of this folder is ./{program}")


def refusal(status: int, message: str, gpu_resource: str = "ngpus") -> str:
    """Say what `qsub` said, without its usage text, and what helps where that is known."""
    said = re.split(r"^usage:", message.strip(), maxsplit=1, flags=re.MULTILINE)[0].strip() or "nothing"
    hint = next((text for pattern, text in _HINTS if re.search(pattern, said)), None)
    if re.search(rf"Unknown resource:? (Resource_List\.)?{re.escape(gpu_resource)}\b", said):
        hint = 'this site gives GPUs another name: see `pbsnodes -a`, and put gpu_resource = "NAME" into a site file'
    return f"qsub refused the job (status {status}): {said}" + (f"\n  {hint}" if hint else "")


_HINTS = (
    (r"Unknown queue|Queue is not enabled", "`qstat -Q` lists the queues; choose one with --queue"),
    (r"Unauthorized Request", "you may not use this queue or project: --queue, --project, --account"),
    (r"violates queue and/or server resource limits", "`qstat -Qf` shows what each queue allows"),
    (r"would exceed", "you have as many jobs as you may: wait for one to end"),
    (r"Unknown resource", "this site has no such resource: see `pbsnodes -a`, and write `select` in a site file"),
    (r"cannot connect|Connection refused|Unknown Host", "PBS's server does not answer: are you on a login node?"),
    (r"illegal -k value", 'this PBS knows no -k doe: put keep = "" into a site file'),
    (r"Bad UID", "PBS takes no jobs of root, nor of users that the nodes do not know"),
)


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")


def _environment(where: Path) -> dict[str, str]:
    """Give `qsub` a `PWD` that is true: it becomes the job's ``PBS_O_WORKDIR``, with the user's symbolic links."""
    told = os.environ.get("PWD", "")
    try:
        keep = os.path.isabs(told) and os.path.samefile(told, where)
    except OSError:
        keep = False
    return {**os.environ, "PWD": told if keep else str(where)}


def next_steps(done: Submitted, job: Job) -> str:
    """Say what to do after a submission, as commands to copy."""
    log = quote(os.path.relpath(done.log) if done.log.is_relative_to(Path.cwd()) else str(done.log))
    follow = "from when it starts" if job.site.keep else "once it has ended"
    return (
        f"  state   qstat -f {quote(done.id)}    its `comment` says why it waits; Can Never Run means just that\n"
        f"  log     tail -F {log}    {follow}\n"
        f"  end it  qdel {quote(done.id)}"
    )
