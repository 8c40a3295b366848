"""The stand-in refuses what PBS was seen to refuse, in its words: a double that takes all proves nothing."""

from __future__ import annotations

import pytest
from jobs import fake_pbs


def answer(*lines: str) -> tuple[int, str]:
    script = "".join(f"{line}\n" for line in ("#!/bin/bash", *lines, "exec true"))
    try:
        fake_pbs.parse(script.encode())
    except fake_pbs.Refused as refused:
        return refused.status, str(refused).partition("\n")[0]
    return 0, ""


ILLEGAL = "qsub: Illegal attribute or resource value"


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("-l foo=3", 187, "qsub: Unknown resource Resource_List.foo"),
        ("-l select=1:foo=3", 187, "qsub: Unknown resource: foo"),
        ("-l select=abc", 166, f"{ILLEGAL} Resource_List.select"),
        ("-l select=", 166, f"{ILLEGAL} Resource_List.select"),
        ("-l select=-1", 166, f"{ILLEGAL} Resource_List.select"),
        ("-l select=1::ncpus=1", 166, f"{ILLEGAL} Resource_List.select"),
        ("-l select=1:ncpus", 166, f"{ILLEGAL} Resource_List.select"),
        ("-l select=0", 166, ILLEGAL),
        ("-l select=1:ncpus=abc", 166, f"{ILLEGAL} select.ncpus"),
        ("-l select=1:mem=4.5gb", 166, f"{ILLEGAL} select.mem"),
        ("-l select=1:mem=4XB", 166, f"{ILLEGAL} select.mem"),
        (
            "-l select=1:ncpus=1:ncpus=2",
            12,
            "qsub: duplicated resource within a section of a select specification, resource is: ncpus",
        ),
        ("-l select=1:walltime=10", 4, 'qsub: Resource invalid in "select" specification: walltime'),
        (
            "-l select=1 -l ncpus=2",
            5,
            'qsub: "-lresource=" cannot be used with "select" or "place", resource is: ncpus',
        ),
        ("-l select=1 -l nodes=1", 6, "qsub: Cannot be used with select or place: nodes"),
        ("-l place=scatter", 7, 'qsub: Cannot have "place" without "select"'),
        ("-l select=1 -l place=foo", 166, f"{ILLEGAL} Resource_List.place"),
        ("-l walltime=abc", 166, f"{ILLEGAL} Resource_List.walltime"),
        ("-l walltime=1d", 166, f"{ILLEGAL} Resource_List.walltime"),
        ("-l walltime=1:2:3:4", 166, f"{ILLEGAL} Resource_List.walltime"),
        ("-N a:b", 2, "qsub: illegal -N value"),
        ("-N é", 2, "qsub: illegal -N value"),
        (f"-N {'x' * 231}", 2, "qsub: Job name is too long "),
        ("-o a:b", 2, "qsub: illegal -o value"),
        ('-e ""', 2, "qsub: illegal -e value"),
        ("-q nosuch", 170, "qsub: Unknown queue"),
        ("-l walltime=00:00:30 # trailing", 1, "qsub: directive error: -l walltime=00:00:30 # trailing "),
        ("-N a\r", 1, "qsub: script contains cr, lf"),
    ],
)
def test_refused(line: str, status: int, message: str) -> None:
    assert answer(f"#PBS {line}") == (status, message)


@pytest.mark.parametrize(
    "lines",
    [
        ("#PBS -l select=1 -l walltime=90",),
        ("", "  #PBS -N a", ": nothing", "#PBS -q gpu"),
        ("#PBS -l select=2:ncpus=4:mpiprocs=2:ompthreads=2:ngpus=1:mem=8gb", "#PBS -l place=scatter:excl"),
        ("true", "#PBS -l foo=3"),
        ('#PBS -A "a b"',),
    ],
)
def test_taken(lines: tuple[str, ...]) -> None:
    assert answer(*lines) == (0, "")
