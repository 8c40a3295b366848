"""The dialect of generated Numba source, in plain Python: every element access is checked.

Compiled code trusts its addresses. Here a pointer is an address with a dtype, and an access outside
of the memory that was registered fails, so a printer's mistake is an error and not a wrong number.
"""

from __future__ import annotations

import math

import numpy as np

from xpaccel.ops import DTYPES, OPS


class Memory:
    """The arrays that emulated code may touch, by address."""

    def __init__(self, arrays):
        self.blocks = []
        #: The status words that were reported to, by address.
        self.reports = {}
        for array in arrays:
            base = array
            while isinstance(base.base, np.ndarray):
                base = base.base
            start = base.__array_interface__["data"][0]
            flat = np.lib.stride_tricks.as_strided(base, (base.nbytes,), (1,)) if base.dtype == np.uint8 else None
            if flat is None:
                flat = (
                    np.frombuffer(base, np.uint8)
                    if base.flags.c_contiguous
                    else base.reshape(-1, order="A").view(np.uint8)
                )
            self.blocks.append((start, start + base.nbytes, flat))

    def element(self, address, dtype):
        """Return a 0-d view of the element at an address."""
        size = np.dtype(dtype).itemsize
        for start, end, flat in self.blocks:
            if start <= address and address + size <= end:
                return flat[address - start : address - start + size].view(dtype)
        raise IndexError(f"access to {size} bytes at {address:#x}, outside every array")


def names(memory, ints, floats):
    """Return the names that generated source may use."""

    class Pointer:
        def __init__(self, address, dtype, strip=None):
            self.address, self.dtype, self.strip = address, dtype, strip

    def load(pointer, index, scope, scopes):
        assert 0 <= scope < scopes
        if pointer.strip is not None:
            return pointer.strip[index]
        return memory.element(pointer.address + index * np.dtype(pointer.dtype).itemsize, pointer.dtype)[0]

    def store(pointer, index, value, scope, scopes):
        assert 0 <= scope < scopes
        assert np.asarray(value).dtype == pointer.dtype, (np.asarray(value).dtype, pointer.dtype)
        if pointer.strip is not None:
            pointer.strip[index] = value
        else:
            memory.element(pointer.address + index * np.dtype(pointer.dtype).itemsize, pointer.dtype)[0] = value

    def scalar(_, place, dtype):
        if np.dtype(dtype).kind == "c":
            return dtype(complex(floats[place], floats[place + 1]))
        return dtype(floats[place])

    def place(index, size):
        at = index + size if index < 0 else index
        return np.int64(at if 0 <= at < size else 0)

    def report(_, place, bits):
        memory.reports[ints[place]] = memory.reports.get(ints[place], 0) | int(bits)

    space = {
        "place": place,
        "outside": lambda index, size, bit: np.int64(0 if -size <= index < size else 1 << bit),
        "report": report,
        "pointer": lambda _, place, dtype: Pointer(ints[place], dtype),
        "integer": lambda _, place: ints[place],
        "integer_scalar": lambda _, place, dtype: np.int64(ints[place]).astype(dtype),
        "scalar": scalar,
        "shift": lambda p, by: Pointer(p.address + by * np.dtype(p.dtype).itemsize, p.dtype),
        "load": load,
        "store": store,
        "accumulators": lambda count, dtype: Pointer(0, dtype, np.zeros(count, dtype)),
        "cast": lambda value, dtype: np.asarray(value).astype(dtype)[()],
        "inf": math.inf,
        "nan": math.nan,
        **{name: getattr(np, name if name != "bool" else "bool_") for name in DTYPES},
    }
    for op in OPS.values():
        function = op.numba.partition("(")[0]
        if function.isidentifier():
            space[function] = getattr(np, op.numpy)
    return space
