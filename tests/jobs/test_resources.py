"""What a job may ask for, and what it is told where it may not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpaccel.errors import UserError
from xpaccel.jobs import Resources, names
from xpaccel.jobs.resources import walltime


def test_a_rank_for_each_gpu() -> None:
    assert Resources(gpus_per_node=4).ranks_per_node == 4
    assert Resources().ranks_per_node == 1
    asked = Resources(nodes=3, ranks_per_node=8, threads_per_rank=4, gpus_per_node=4, share_gpus=True)
    assert (asked.ranks, asked.cpus_per_node) == (24, 32)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"nodes": 0}, "--nodes 0: it must be at least 1"),
        ({"ranks_per_node": -1}, "--ranks-per-node -1: it must be at least 1"),
        ({"threads_per_rank": 0}, "--threads-per-rank 0: it must be at least 1"),
        ({"gpus_per_node": -1}, "--gpus-per-node -1"),
        ({"gpus_per_node": 4, "ranks_per_node": 2}, "so 2 would idle"),
        ({"gpus_per_node": 2, "ranks_per_node": 4}, "more ranks than GPUs; .* --share-gpus"),
        ({"gpus_per_node": 4, "ranks_per_node": 6, "share_gpus": True}, "6 ranks cannot be shared evenly among 4"),
        ({"share_gpus": True}, "needs GPUs to share"),
        ({"mem": "4.5gb"}, "--mem '4.5gb': write a whole number"),
        ({"mem": "4XB"}, "--mem"),
        ({"place": "anywhere"}, "--place 'anywhere'"),
        ({"place": "scatter\n"}, "--place"),
        ({"queue": "a b"}, "--queue 'a b'"),
        ({"queue": ""}, "--queue ''"),
        ({"project": "a/b"}, "--project 'a/b'"),
    ],
)
def test_refused(asked: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Resources(**asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("90", "00:01:30"),
        ("1:30", "00:01:30"),
        ("00:99:99", "01:40:39"),
        ("30:00:00", "30:00:00"),
        ("100:0:0", "100:00:00"),
    ],
)
def test_walltime(text: str, limit: str) -> None:
    assert walltime(text) == limit
    assert walltime(limit) == limit


@pytest.mark.parametrize(
    "text", ["", "abc", "1:2:3:4", "-5", "1d", "1-00:00:00", "1.5", "2h", "0", "0:00", "1:30\n", "١:٣٠"]
)
def test_walltime_refused(text: str) -> None:
    with pytest.raises(UserError, match="--walltime"):
        walltime(text)


@given(st.text(max_size=40))
def test_any_program_has_a_legal_name(program: str) -> None:
    name = names.derive(program)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,14}", name)
    assert names.check(name) == name


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("../runs/heat.py", "heat"),
        ("my run (v2).py", "my_run_v2"),
        ("2d.py", "j2d"),
        ("Größe.py", "Groe"),
        ("日本.py", "xpaccel"),
        ("-x.py", "x"),
        ("a_very_long_name_of_a_program.py", "a_very_long_nam"),
    ],
)
def test_names(program: str, name: str) -> None:
    assert names.derive(program) == name


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 231, "a\n", "a:b"])
def test_names_refused(name: str) -> None:
    with pytest.raises(UserError, match="--name"):
        names.check(name)
