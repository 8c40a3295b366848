"""Which kernels a program becomes for arrays of certain sizes, and what each is given: without CuPy or a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xpaccel.backends.base import Geometry
from xpaccel.backends.cuda.arguments import Arguments, ChainArguments, Report
from xpaccel.backends.cuda.grid import Shape, chain_shape, shape_of
from xpaccel.codegen import cuda_c
from xpaccel.codegen.device import THREADS, ChainCode, DeviceCode
from xpaccel.loops.program import Chain, LoopProgram, Nest


@dataclass(frozen=True, slots=True)
class Language:
    """A printer of kernels.

    Attributes
    ----------
    print_nest, print_chain
        Return the source of a nest, and of a chain where it can be one kernel.
    fit
        Takes the geometry that was chosen for a launch, and what is launched; returns the one to launch.
    """

    print_nest: Callable[[LoopProgram, Nest], DeviceCode]
    print_chain: Callable[[LoopProgram, Chain], ChainCode | None]
    fit: Callable[[Shape, DeviceCode | ChainCode], Shape] = lambda shape, code: shape


CUDA_C = Language(cuda_c.print_nest, cuda_c.print_chain)


@dataclass(frozen=True, slots=True)
class Planned:
    """A launch that is to be.

    Attributes
    ----------
    code
        The kernel.
    shape
        The geometry of its launch.
    arguments
        What packs its argument.
    nests
        The nests that it runs.
    """

    code: DeviceCode | ChainCode
    shape: Shape
    arguments: Arguments | ChainArguments
    nests: tuple[Nest, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Where in the user's source it comes from."""
        return tuple(dict.fromkeys(line for nest in self.nests for line in nest.lines))


@dataclass(frozen=True, slots=True)
class Kernels:
    """The kernels of a program: one for each chain and for each nest that is in none, in order."""

    codes: tuple[tuple[tuple[Nest, ...], DeviceCode | ChainCode, int], ...]
    language: Language

    @property
    def sources(self) -> list[str]:
        """Their source."""
        return [code.source for _, code, _ in self.codes]


def kernels(program: LoopProgram, codes: Sequence[DeviceCode] | None = None, language: Language = CUDA_C) -> Kernels:
    """Return the kernels of a program, whose nests may have been printed already."""
    chains = {chain.first: (chain, language.print_chain(program, chain)) for chain in program.chains}
    found: list[tuple[tuple[Nest, ...], DeviceCode | ChainCode, int]] = []
    number = 0
    while number < len(program.nests):
        nothing: tuple[Chain | None, ChainCode | None] = None, None
        chain, code = chains.get(number, nothing)
        if chain is not None and code is not None:
            found.append((program.nests[chain.first : chain.last], code, chain.lead))
            number = chain.last
            continue
        nest = program.nests[number]
        found.append(((nest,), codes[number] if codes else language.print_nest(program, nest), 0))
        number += 1
    return Kernels(tuple(found), language)


def plan(program: LoopProgram, made: Kernels, geometry: Geometry, report: Report) -> list[Planned]:
    """Return the launches of a program for arrays of certain sizes; kernels without a point are left out.

    `report` says where checks are reported: see `Arguments`.
    """
    found = []
    done, fit = 0, made.language.fit
    for nests, code, lead in made.codes:
        boxes = [geometry.boxes_of(done + number, nest) for number, nest in enumerate(nests)]
        done += len(nests)
        if isinstance(code, ChainCode):
            rows = [whole for (whole,) in boxes]
            shape = chain_shape(code, lead, geometry, rows, THREADS)
            if shape is not None:
                shape = fit(shape, code)
                parts = [
                    Arguments(program, part, geometry, box, shape, report)
                    for part, box in zip(code.parts, rows, strict=True)
                ]
                found.append(Planned(code, shape, ChainArguments(parts), nests))
            continue
        for box in boxes[0]:
            shape = shape_of(code, nests[0], geometry, box, THREADS)
            if shape is not None:
                shape = fit(shape, code)
                found.append(Planned(code, shape, Arguments(program, code, geometry, box, shape, report), nests))
    return found
