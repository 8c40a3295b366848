"""Site files: found, read, and wrong ones refused with the nearest right word."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpaccel.errors import UserError
from xpaccel.jobs import Job, Resources, Site, render, sites

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "sites").glob("*.toml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "config" / "xpaccel"
    made.mkdir(parents=True)
    return made


def find(folder: Path, name: str | None = None, **environ: str) -> Path | None:
    return sites.find(name, environ={"XDG_CONFIG_HOME": str(folder.parent), **environ})


def test_where_a_site_file_is_looked_for(folder: Path) -> None:
    assert find(folder) is None
    for name in ("site", "big"):
        (folder / f"{name}.toml").touch()
    assert find(folder) == folder / "site.toml"
    assert find(folder, "big") == folder / "big.toml"
    assert find(folder, XP_SITE="big") == folder / "big.toml"
    assert find(folder, "site", XP_SITE="big") == folder / "site.toml"
    assert find(folder, str(folder / "big.toml")) == folder / "big.toml"
    assert find(folder, XP_SITE=" ") == folder / "site.toml"


def test_a_site_file_that_is_not_there(folder: Path) -> None:
    (folder / "big.toml").touch()
    with pytest.raises(UserError, match=r"--site 'bgi': there is no file .*bgi.toml; .* has big"):
        find(folder, "bgi")
    with pytest.raises(UserError, match=r"XP_SITE '\./x\.toml'"):
        find(folder, XP_SITE="./x.toml")


def load(tmp_path: Path, text: str) -> Site:
    file = tmp_path / "a.toml"
    file.write_text(text)
    return sites.load(file)


def test_every_key_is_read(tmp_path: Path) -> None:
    text = 'queue = "gpu"\nmodules = ["a/1", "b"]\nactivate = []\nlauncher = "aprun -n {ranks}"\n[env]\nA = "b c"\n'
    read = load(tmp_path, text)
    assert (read.queue, read.modules, read.activate, read.launcher) == ("gpu", ("a/1", "b"), (), "aprun -n {ranks}")
    assert dict(read.env) == {"A": "b c"}
    assert read.gpu_resource == "ngpus"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('qeue = "gpu"', "there is no key 'qeue': did you mean queue?"),
        ('modules = "a"', "modules must be a list of texts"),
        ("modules = [1]", "modules must be a list of texts"),
        ("queue = 3", "queue must be a text"),
        ("env = { A = 1 }", "env must be a table of texts"),
        ("env = { 'A B' = '1' }", "env 'A B'"),
        ('launcher = "openmpii"', "launcher 'openmpii': did you mean openmpi?"),
        ('launcher = "srun -n 4"', r"\{ranks\}"),
        ('bind = "cores"', "bind 'cores': did you mean core?"),
        ('keep = "yes"', "keep 'yes'"),
        ('gpu_resource = "n gpus"', "gpu_resource 'n gpus'"),
        ("queue = x\n", "line 1"),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "a.toml") in str(caught.value)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"a\.toml"):
        sites.load(tmp_path / "a.toml")


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_are_good_for_jobs(file: Path) -> None:
    site = sites.load(file)
    for asked in (Resources(nodes=2, ranks_per_node=4), Resources(nodes=2, gpus_per_node=4)):
        assert render(Job("heat.py", (), asked, site)).startswith("#!/bin/bash\n#PBS -N heat\n")
