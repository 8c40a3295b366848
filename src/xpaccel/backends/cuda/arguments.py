"""What a CUDA kernel is told, as bytes: a structure, packed once for a geometry and patched at each call.

It is the one argument of a kernel of CUDA C++. A kernel of Numba CUDA takes the fields one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xpaccel.backends.base import Geometry
from xpaccel.backends.cuda.grid import Shape
from xpaccel.codegen.device import DeviceCode
from xpaccel.loops.program import LoopProgram

#: See `Arguments`.
Report = Callable[[Sequence[tuple[int, str]]], tuple[int, int]]
_CODES = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}


class Arguments:
    """The bytes of a kernel's argument.

    Parameters
    ----------
    loops, code
        The program and the kernel.
    geometry, box
        The sizes of the call, and ``(low, high)`` of each axis of the nest.
    shape
        The geometry of the launch: whether `Int` has 64 bits, and the planes that a thread takes.
    report
        Takes the sizes and the lines of the nest's checks, and returns the address of the status and the number of
        the first check (`xpaccel.codegen.device.DeviceCode`).

    Attributes
    ----------
    streams
        The array, and the offset in bytes from where it lies, of each of the first fields: the pointers.
    """

    def __init__(
        self,
        loops: LoopProgram,
        code: DeviceCode,
        geometry: Geometry,
        box: Sequence[tuple[int, int]],
        shape: Shape,
        report: Report,
    ) -> None:
        layout = code.layout
        kinds = {"pointer": "u8", "Int": "i8" if shape.wide else "i4"}
        names = [name for name, _ in code.fields]
        dtype = np.dtype({"names": names, "formats": [kinds.get(kind, kind) for _, kind in code.fields]}, align=True)
        template = np.zeros((), dtype)
        for number, (array, axis) in enumerate(layout.strides):
            template[f"s{number}"] = geometry.strides[array][axis]
        for axis, (low, high) in enumerate(box):
            template[f"lo{axis}"], template[f"hi{axis}"] = low, high
        for name, value in (("chunk", shape.chunk), ("team", shape.warps)):
            if name in names:
                template[name] = value
        for number, position in enumerate(layout.indices):
            template[f"k{number}"] = position.start.value(geometry.sizes)
        if layout.checks:
            sizes = [check.size.value(geometry.sizes) for check in layout.checks]
            for number, size in enumerate(sizes):
                template[f"n{number}"] = size
            lines = [check.line for check in layout.checks]
            template["status"], template["site"] = report(list(zip(sizes, lines, strict=True)))
        self._template = template.tobytes()
        self._dtype = dtype
        self._void = np.dtype((np.void, dtype.itemsize))
        self._pointers = struct.Struct(f"={len(layout.streams)}Q")
        self.streams: list[tuple[int, int]] = []
        for stream in layout.streams:
            offset = geometry.offset(stream.array, stream.starts)
            self.streams.append((stream.array, offset * np.dtype(loops.arrays[stream.array].dtype).itemsize))
        self._scalars = [self._patch(loops, number, dtype) for number in (*layout.integers, *layout.floats)]

    @staticmethod
    def _patch(loops: LoopProgram, number: int, dtype: np.dtype[np.void]) -> tuple[int, int, str, bool]:
        fields: Mapping[str, Any] = dtype.fields or {}
        kind = loops.scalars[number][1]
        if kind.startswith("complex"):
            return number, fields[f"x{number}_re"][1], "=2f" if kind == "complex64" else "=2d", True
        return number, fields[f"x{number}"][1], "=" + _CODES[kind], False

    def pack(self, addresses: Sequence[int], scalars: Sequence[complex]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
        """Return the argument, an array of one element, for these addresses (by array) and scalars."""
        return np.frombuffer(self.block(addresses, scalars), self._void)

    def values(self, addresses: Sequence[int], scalars: Sequence[complex]) -> list[Any]:
        """Return the fields one by one, as NumPy's scalars."""
        record = np.frombuffer(self.block(addresses, scalars), self._dtype)[0]
        return [record[name] for name in self._dtype.names or ()]

    def block(self, addresses: Sequence[int], scalars: Sequence[complex]) -> bytearray:
        """Return the bytes of the argument."""
        block = bytearray(self._template)
        self._pointers.pack_into(block, 0, *[addresses[array] + offset for array, offset in self.streams])
        for number, place, code, is_complex in self._scalars:
            value = scalars[number]
            if is_complex:
                struct.pack_into(code, block, place, value.real, value.imag)
            else:
                struct.pack_into(code, block, place, value)
        return block


class ChainArguments:
    """The bytes of the argument of a chain: those of its nests, one after the other.

    Each begins with pointers, so its size is a multiple of their alignment, and nothing lies between them.
    """

    def __init__(self, parts: Sequence[Arguments]) -> None:
        self._parts = parts
        self.streams = [stream for part in parts for stream in part.streams]

    def pack(self, addresses: Sequence[int], scalars: Sequence[complex]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
        """Return the argument, an array of one element, for these addresses (by array) and scalars."""
        block = b"".join(part.block(addresses, scalars) for part in self._parts)
        return np.frombuffer(block, np.dtype((np.void, len(block))))

    def values(self, addresses: Sequence[int], scalars: Sequence[complex]) -> list[Any]:
        """Return the fields one by one, as NumPy's scalars."""
        return [value for part in self._parts for value in part.values(addresses, scalars)]
