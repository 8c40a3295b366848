"""The architecture as a test: imports run downward, and heavy packages stay where they belong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "xpaccel"

# From the bottom up. A part (a folder or a module of src/xpaccel) imports itself and what stands in the rows
# above its own; parts in one row are siblings that do not know each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("config", "ops", "options", "stats"),
    ("debug",),
    ("graph",),
    ("trace", "loops"),
    ("codegen",),
    ("cache",),
    ("backends",),
    ("active", "aliasing", "program"),
    ("compiled", "explanation"),
    ("dispatch",),
    ("kernel", "recording"),
    ("domain",),
    ("__init__",),
    ("report",),
    ("demo", "jobs"),
    ("cli",),
    ("__main__",),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

# Packages that only these parts may import, anywhere in their files.
CONFINED = {
    "numba": {"codegen", "backends"},
    "llvmlite": {"codegen", "backends"},
    "mpi4py": {"domain", "sweep"},
    "cupy": {"codegen", "backends"},
    "typer": {"cli", "demo", "jobs", "__main__"},
    "rich": {"report", "cli", "demo"},
    "matplotlib": {"report", "demo", "domain"},
    "xarray": {"demo", "domain"},
    "zarr": {"demo", "domain"},
    "netCDF4": {"demo"},
}


@dataclass(frozen=True)
class Import:
    """One import: where it stands, and the dotted name of the module that it loads."""

    part: str
    place: str
    name: str


def parts() -> set[str]:
    return {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}


def imports(source: str, part: str, file: str, package: str, known: set[str]) -> Iterator[Import]:
    """Find every import in a file, also those inside functions and under TYPE_CHECKING.

    `package` is the dotted name that relative imports start from; `known` are the parts of xpaccel, which
    tell `from xpaccel import backends` (a module) from `from xpaccel import kernel` (a name in the package).
    """
    for node in ast.walk(ast.parse(source)):
        place = f"{file}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Import(part, place, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            if module == "xpaccel":
                names = (f"xpaccel.{alias.name}" if alias.name in known else module for alias in node.names)
                yield from (Import(part, place, name) for name in names)
            else:
                yield Import(part, place, module)


def all_imports() -> Iterator[Import]:
    known = parts()
    for path in sorted(SOURCE.rglob("*.py")):
        inside = path.relative_to(SOURCE)
        part = inside.parts[0].removesuffix(".py")
        package = ".".join(["xpaccel", *inside.parts[:-1]])
        yield from imports(path.read_text(encoding="utf-8"), part, str(inside), package, known)


def upward(found: Import) -> str | None:
    """Give the complaint about an import, None where it is in order."""
    head, _, rest = found.name.partition(".")
    if head != "xpaccel":
        owners = CONFINED.get(head)
        return None if owners is None or found.part in owners else f"{head} belongs to {' and '.join(sorted(owners))}"
    target = rest.split(".")[0] or "__init__"
    if target == found.part or LEVEL.get(target, 0) < LEVEL.get(found.part, 0):
        return None
    return f"{found.part} stands below or beside {target}"


def test_every_part_has_a_layer() -> None:
    assert parts() <= set(LEVEL), "name the new part in LAYERS, where it belongs"


def test_imports_run_downward() -> None:
    complaints = [(found, upward(found)) for found in all_imports()]
    assert not [f"{found.place} imports {found.name}: {why}" for found, why in complaints if why]


@pytest.mark.parametrize(
    ("part", "line", "complaint"),
    [
        ("loops", "from xpaccel.trace import view", "loops stands below or beside trace"),
        ("trace", "import xpaccel.loops.program", "trace stands below or beside loops"),
        ("graph", "def f():\n    from xpaccel import kernel", "graph stands below or beside kernel"),
        ("graph", "from ..kernel import Kernel", "graph stands below or beside kernel"),
        ("graph", "from .node import Node", None),
        ("backends", "from xpaccel import set_backend", "backends stands below or beside __init__"),
        ("program", "if True:\n    import numba.core", "numba belongs to backends and codegen"),
        ("kernel", "from mpi4py import MPI", "mpi4py belongs to domain and sweep"),
        ("codegen", "import numba, numpy", None),
        ("kernel", "from xpaccel import backends, ops", None),
    ],
)
def test_the_test_can_fail(part: str, line: str, complaint: str | None) -> None:
    found = list(imports(line, part, "x.py", f"xpaccel.{part}", set(LEVEL) - {"__init__"}))
    assert found
    assert next(filter(None, map(upward, found)), None) == complaint
