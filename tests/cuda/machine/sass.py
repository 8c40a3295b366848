"""Machine code as NVIDIA's disassembler prints it: what kinds of instructions there are, and in which loops.

NVIDIA publishes no manual of this assembly. What is read here are mnemonics that mean the same on all architectures
from sm_80 on; `tests/cuda/test_machine_reader.py` holds the reader against kernels written for it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cuda.machine import nvrtc

#: Where the wheel of the disassembler puts it, below the package ``nvidia``.
_PLACES = ("cu13/bin/nvdisasm", "cuda_nvdisasm/bin/nvdisasm")
_LINE = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@(!?U?P\w+)\s+)?([A-Z][A-Z0-9_]*)((?:\.\w+)*)\s*([^;]*);")
_LABEL = re.compile(r"^(\.L_\w+):")
_FUNCTION = re.compile(r"^\$[\w$]+:")
_TARGET = re.compile(r"`\((\.L_\w+)\)")
#: Where the code of a function begins that the linker keeps apart, and what only a kernel's has.
_SECTION = re.compile(r"^\s*\.section\s+\.text\.([^,\s]+)", re.MULTILINE)
_ENTRY = "STO_CUDA_ENTRY"
#: Bytes that a thread moves, by what follows the mnemonic; 4 where nothing does.
_WIDTHS = {"U8": 1, "S8": 1, "U16": 2, "S16": 2, "64": 8, "128": 16, "256": 32}
_F64 = re.compile(r"D(ADD|MUL|FMA|SETP|SET|MNMX)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes
    ----------
    address
        In bytes from the start of the kernel.
    name, suffixes
        ``LDG`` and ``("E", "CONSTANT")`` of ``LDG.E.CONSTANT``.
    operands
        The rest, as printed.
    loops
        Inside of how many loops it stands.
    called
        Whether it belongs to a function that is called: the slow path of a division or a root.
    """

    address: int
    name: str
    suffixes: tuple[str, ...]
    operands: str
    loops: int
    called: bool

    @property
    def width(self) -> int:
        """Bytes that a load or store moves for a thread."""
        return next((_WIDTHS[suffix] for suffix in self.suffixes if suffix in _WIDTHS), 4)

    @property
    def is_read_only(self) -> bool:
        """Whether a load goes through the cache of what no thread writes."""
        return "CONSTANT" in self.suffixes

    @property
    def is_f64(self) -> bool:
        """Whether it computes with, or converts from or to, numbers of 64 bits."""
        if _F64.fullmatch(self.name):
            return True
        return "F64" in self.suffixes or (self.name == "MUFU" and any(s.endswith("64H") for s in self.suffixes))

    @property
    def is_f32(self) -> bool:
        """Whether it adds, multiplies or approximates numbers of 32 bits."""
        return self.name in ("FADD", "FMUL", "FFMA") or (self.name == "MUFU" and not self.is_f64)


@dataclass(frozen=True, slots=True)
class Census:
    """What a kernel's machine code has.

    Attributes
    ----------
    instructions
        How many in all, padding left out.
    loads, stores
        Of global memory, by bytes a thread.
    read_only
        How many of the loads go through the read-only cache.
    local
        Loads and stores of local memory: spills, and arrays that are indexed at run time.
    generic
        Loads and stores of which the compiler did not find out what memory they are of.
    f32, f64
        Instructions that compute with numbers of that width.
    barriers, shuffles, atomics, calls
        Of the block, between lanes, of global memory, and of functions (slow paths of divisions are such).
    """

    instructions: int
    loads: Counter[int]
    stores: Counter[int]
    read_only: int
    local: int
    generic: int
    f32: int
    f64: int
    barriers: int
    shuffles: int
    atomics: int
    calls: int


def why_unavailable() -> str | None:
    """Return None if the disassembler is installed, else what to do."""
    if _path() is None:
        return f"nvdisasm is not installed: {nvrtc.INSTALL}"
    return None


@functools.cache
def disassemble(cubin: bytes) -> tuple[Instruction, ...]:
    """Return the instructions of a kernel and of what it calls, in the order of their addresses.

    Raises
    ------
    RuntimeError
        If the disassembler is not installed or refuses the file; the message says what to do.
    """
    path = _path()
    if path is None:
        raise RuntimeError(why_unavailable())
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        done = subprocess.run([path, "-c", file.name], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"nvdisasm refuses a cubin:\n{done.stderr}")
    return parse(done.stdout)


def parse(text: str) -> tuple[Instruction, ...]:
    """Read what ``nvdisasm -c`` prints.

    A linker puts functions of its library into sections of their own, before the kernel and whether it calls them or
    not: what the kernel calls belongs to it, the rest is left out. Addresses begin anew in each section.

    A loop is what lies between a branch and the earlier address that it goes to; the branch to itself at the end is
    none. The functions that a kernel calls come after it, each under a name that begins with a dollar sign.

    Raises
    ------
    RuntimeError
        If a line with an address is not understood, or if of several sections not exactly one is a kernel's.
    """
    starts = [*_SECTION.finditer(text)]
    if len(starts) < 2:
        return _parse_section(text)
    ends = [*(start.start() for start in starts[1:]), len(text)]
    sections = {start[1]: text[start.start() : end] for start, end in zip(starts, ends, strict=True)}
    entries = [name for name, body in sections.items() if _ENTRY in body]
    if len(entries) != 1:
        raise RuntimeError(f"the cubin has {len(entries)} kernels; one is needed")
    kept = entries
    for name in kept:  # grows while it is gone through
        kept += [other for other in sections if other not in kept and f"`({other})" in sections[name]]
    kernel, *called = (_parse_section(sections[name]) for name in kept)
    return *kernel, *(dataclasses.replace(each, called=True) for code in called for each in code)


def _parse_section(text: str) -> tuple[Instruction, ...]:
    """Read the code of one section."""
    found: list[tuple[int, re.Match[str]]] = []
    labels: dict[str, int] = {}
    waiting: list[str] = []
    first_called = sys.maxsize
    for line in text.splitlines():
        label = _LABEL.match(line.strip())
        if label:
            waiting.append(label[1])
        if _FUNCTION.match(line.strip()) and found:
            first_called = min(first_called, found[-1][0] + 1)
        if not re.search(r"/\*[0-9a-f]{4,}\*/", line):
            continue
        match = _LINE.search(line)
        if match is None:
            raise RuntimeError(f"nvdisasm prints a line that is not understood: {line.strip()}")
        address = int(match[1], 16)
        labels.update(dict.fromkeys(waiting, address))
        waiting.clear()
        found.append((address, match))
    loops = set()
    for address, match in found:
        target = _TARGET.search(match[5])
        if match[3] == "BRA" and target and labels.get(target[1], address) < address:
            loops.add((labels[target[1]], address))
    return tuple(
        Instruction(
            address,
            match[3],
            tuple(filter(None, match[4].split("."))),
            match[5].strip(),
            sum(first <= address <= last for first, last in loops),
            address >= first_called,
        )
        for address, match in found
        if match[3] != "NOP"
    )


def census(instructions: Iterable[Instruction]) -> Census:
    """Count what there is."""
    code = list(instructions)
    names = Counter(instruction.name for instruction in code)
    loads = [i for i in code if i.name == "LDG"]
    return Census(
        instructions=len(code),
        loads=Counter(i.width for i in loads),
        stores=Counter(i.width for i in code if i.name == "STG"),
        read_only=sum(i.is_read_only for i in loads),
        local=names["LDL"] + names["STL"],
        generic=names["LD"] + names["ST"],
        f32=sum(i.is_f32 for i in code),
        f64=sum(i.is_f64 for i in code),
        barriers=names["BAR"],
        shuffles=names["SHFL"],
        atomics=names["ATOMG"] + names["ATOM"] + names["RED"] + names["REDG"],
        calls=names["CALL"],
    )


@functools.cache
def _path() -> Path | None:
    found = (folder / place for folder in nvrtc.packages() for place in _PLACES)
    return next((path for path in found if path.exists()), None)
