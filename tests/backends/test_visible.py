"""CUDA_VISIBLE_DEVICES, read as CUDA reads it."""

from __future__ import annotations

import pytest

from xpaccel.backends.gpu import visible


@pytest.mark.parametrize(
    ("text", "kind", "entries"),
    [
        (None, "all", ()),
        ("0", "indices", ("0",)),
        ("2,0, 1", "indices", ("2", "0", "1")),
        ("1gpu,02", "indices", ("1", "2")),  # digits count, what follows them does not
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "uuids", ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6",)),
        ("GPU-89,GPU-a", "uuids", ("GPU-89", "GPU-a")),
        ("MIG-5c,MIG-GPU-89/1/0", "mig", ("MIG-5c", "MIG-GPU-89/1/0")),
        ("", "none", ()),
        (" ", "none", ()),
        ("-1", "none", ()),
        ("NoDevFiles", "none", ()),
        ("1,0,1", "none", ()),
        ("GPU-89,GPU-89", "none", ()),
        ("0,-1,1", "indices", ("0",)),
        ("0,GPU-89", "indices", ("0",)),
        ("GPU-89,0", "uuids", ("GPU-89",)),
        ("GPU-89,MIG-5c", "uuids", ("GPU-89",)),
        ("GPU-", "none", ()),
        ("cuda:0", "none", ()),
        (",0", "none", ()),
    ],
)
def test_read(text: str | None, kind: str, entries: tuple[str, ...]) -> None:
    found = visible.read(text)
    assert (found.text, found.kind, found.entries) == (text, kind, entries)
    whole = text is None or len(entries) == len(text.split(","))
    assert (found.problem is None) == whole


@pytest.mark.parametrize(
    ("text", "shown", "words"),
    [
        (None, 4, ("not set", "(4)")),
        ("0,1", 2, ("'0,1'", "(2 shown)")),
        ("", 0, ("set to nothing", "cgroup hook", "ngpus")),
        ("NoDevFiles", 0, ("Slurm", "--gpus-per-node")),
        ("-1", 0, ("hides every GPU", "unset it")),
        ("0,1,0", 0, ("'0' twice", "no GPU at all")),
        ("0,7,2,1", 1, ("entry 2, '7'", "stops at it", "(2, 1)")),
        ("7", 0, ("entry 1, '7'",)),
        ("0,x,1", 1, ("entry 2, 'x'", "(1)")),
        ("GPU-89,GPU-ff", 1, ("entry 2, 'GPU-ff'",)),
        ("MIG-a,MIG-b", 1, ("2 MIG instances", "only the first")),
        ("MIG-a,MIG-b", 0, ("entry 1, 'MIG-a'", "(MIG-b)")),
    ],
)
def test_explain_names_the_entry_that_hides_the_rest(text: str | None, shown: int, words: tuple[str, ...]) -> None:
    said = visible.explain(visible.read(text), shown)
    assert said.startswith(visible.NAME)
    for word in words:
        assert word in said
