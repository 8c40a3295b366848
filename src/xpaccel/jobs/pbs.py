"""The script of a job for PBS Pro and OpenPBS, as text. Nothing here starts a process or reads the machine."""

from __future__ import annotations

import re

from xpaccel.domain.rank import encode
from xpaccel.errors import UserError
from xpaccel.jobs import launchers
from xpaccel.jobs.job import Job
from xpaccel.jobs.shell import directive, fill, join, quote

_HEAD = """\
# Written by xpaccel submit. Everything after the #PBS lines is bash, in a login shell's environment.

fail() {
    printf 'xpaccel: %s\\n' "$1" >&2
    exit 1
}

cd "$PBS_O_WORKDIR" || fail "cannot enter the folder of submission, $PBS_O_WORKDIR\""""

# The function `module` is a matter of start files, which a script's shell may not have read.
_MODULE = """\
if ! type module >/dev/null 2>&1; then
    for init in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash" /etc/profile.d/{lmod,modules}.sh; do
        [ -r "$init" ] && source "$init" && break
    done
fi"""

_STOPPED = "stopped before the program, for the reason above; --no-check would run it all the same"


def render(job: Job) -> str:
    """Write the script that `qsub` reads.

    Parameters
    ----------
    job : Job
        All that the text depends on.

    Returns
    -------
    str
        It ends in a line break, and has no carriage return.

    Raises
    ------
    xpaccel.UserError
        If a value cannot be written into a ``#PBS`` line, or a template of the site names what there is not.
    """
    sections = (directives(job), [_HEAD], _environment(job), _exports(job), _check(job), _run(job))
    text = "#!/bin/bash\n" + "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"
    if "\r" in text or "\0" in text:
        raise UserError(
            "the site's lines have a carriage return or a NUL, which qsub refuses: save them with Unix line ends"
        )
    return text


def directives(job: Job) -> list[str]:
    """Write the ``#PBS`` lines."""
    asked = job.resources
    options = [
        ("-N", job.name),
        ("-l", f"select={_select(job)}"),
        ("-l", f"place={asked.place}"),
        ("-l", f"walltime={asked.walltime}" if asked.walltime else None),
        ("-q", asked.queue),
        ("-P", asked.project),
        ("-A", asked.account),
        ("-j", "oe"),
        ("-k", job.site.keep or None),
        ("-o", job.log_folder.rstrip("/") + "/"),  # of a folder, PBS makes JOBID.OU in it
    ]
    return [
        *(directive(option, value) for option, value in options if value is not None),
        *map(_own_directive, job.site.directives),
    ]


def _own_directive(text: str) -> str:
    """Take the user's line as it is, but for what makes PBS refuse the whole script or read on where it should not."""
    if not text.startswith("-") or re.search(r"[\x00-\x1f\x7f]|\s#", text):
        raise UserError(f"directive {text!r}: write options of qsub on one line, such as '-m abe', without a comment")
    return f"#PBS {text}"


def _values(job: Job) -> dict[str, object]:
    """Give what templates may name."""
    asked = job.resources
    return {
        "nodes": asked.nodes,
        "ranks": asked.ranks,
        "ranks_per_node": asked.ranks_per_node,
        "threads_per_rank": asked.threads_per_rank,
        "cpus_per_node": asked.cpus_per_node,
        "gpus_per_node": asked.gpus_per_node,
        "gpus": f":{job.site.gpu_resource}={asked.gpus_per_node}" if asked.gpus_per_node else "",
        "mem": f":mem={asked.mem}" if asked.mem else "",
    }


def _select(job: Job) -> str:
    select = fill(job.site.select, _values(job), "select")
    if not re.fullmatch(r"[^\s\x00-\x1f\x7f'\"#]+", select):
        raise UserError(f"select {select!r}: it has no blanks, no quotes and no #")
    return select


def _environment(job: Job) -> list[str]:
    modules = [f"module load {quote(name)} || fail {quote(f'cannot load module {name}')}" for name in job.site.modules]
    return [*job.site.preamble, *([_MODULE] if modules else []), *modules, *job.activation.lines]


def _exports(job: Job) -> list[str]:
    threads = str(job.resources.threads_per_rank)
    variables = {
        "XP_BACKEND": job.backend,
        "OMP_NUM_THREADS": threads,
        "NUMBA_NUM_THREADS": threads,
        # PBS sets it from ompthreads, and kernels obey it; where that is not asked for, it says something else.
        **({} if "ompthreads=" in _select(job) else {"NCPUS": threads}),
        "PYTHONUNBUFFERED": "1",  # what is printed is in the log at once
        **job.site.env,
    }
    return [f"export {name}={quote(value)}" for name, value in variables.items()]


def _module(job: Job, name: str) -> str:
    """Write the start of a module of this package; ``-P``: no file of the user's folder stands in its place."""
    return f"{quote(job.activation.python)} -P -m xpaccel.jobs.{name}"


def _check(job: Job) -> list[str]:
    asked = job.resources
    told = (
        f"asked=(--nodes {asked.nodes} --ranks-per-node {asked.ranks_per_node}"
        f" --threads-per-rank {asked.threads_per_rank} --gpus-per-node {asked.gpus_per_node}"
        f" --lines-per-chunk {asked.ranks_per_node if 'mpiprocs=' in _select(job) else 1}"
        f" --place {quote(asked.place or '')})"
    )
    check = f'{_module(job, "check")} "${{asked[@]}}" || fail {quote(_STOPPED)}'
    return [told, check] if job.check else [told]


def _run(job: Job) -> list[str]:
    """Write the last command. It takes the place of bash, which a signal would otherwise end or make wait.

    So SIGTERM reaches the program once, from PBS, and its exit status is the script's.
    """
    lines, start = launchers.command(job.site.launcher, job.site.bind, job.resources, _values(job))
    note = "# exec: the program takes the place of this shell, so it gets PBS's signals, and its status is the job's."
    if not start and not job.resources.gpus_per_node:
        return [note, f"exec {join(job.words)}"]
    words = join(encode(job.words))
    options = ['"${asked[@]}"', *([] if start else ["--alone"]), *([] if job.check else ["--no-check"])]
    rank = [*([start] if start else []), f"{_module(job, 'rank')} {' '.join(options)} --", words]
    return [*lines, note, "exec " + " \\\n    ".join(rank)]
