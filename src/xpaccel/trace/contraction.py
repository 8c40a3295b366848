"""Products of matrices and their kind: a fused sum of products, or a call of the library.

The rule (`is_fused`): products with a vector read each element of the matrix once. Where the matrix is computed they
are sums of products, so that it never lies in memory. So are stacks of small matrices, for which a call of the
library each would be far too many. Everything else is a ``matmul`` on operands in memory where the library has
BLAS for the dtype: its last bits are the library's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xpaccel.graph.affine import Affine
from xpaccel.graph.node import Node
from xpaccel.ops import dtype_kind
from xpaccel.trace.calling import call
from xpaccel.trace.creation import asarray
from xpaccel.trace.elementwise import compute_nodes, match_shape, spread, write_out
from xpaccel.trace.promote import resolve, result_type
from xpaccel.trace.session import Session, checked_dtype, current
from xpaccel.trace.sizes import ONE, broadcast_shapes, common, hints, normalize_axes, normalize_axis
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import FUNCTIONS, Tracer, fresh

#: The products of a stack of matrices with sides of at most so many elements are fused.
SMALL = 3


def is_fused(session: Session, a: Node, b: Node, stacked: bool, sizes: Sequence[Affine]) -> bool:
    """Whether a product of these m, k and n is a fused sum; what was asked of the sizes is recorded."""
    if dtype_kind(a.dtype) not in "fc":  # there is no BLAS for whole numbers
        return True
    m, k, n = sizes
    if ONE in sizes:
        matrix = b if m == ONE else a
        return (m == ONE and n == ONE) or k == ONE or not _is_given(matrix)
    return stacked and not any(session.guards.at_least(size, SMALL + 1) for size in sizes)


def _is_given(node: Node) -> bool:
    """Whether a matrix lies in memory as it is, or transposed."""
    while node.op == "axes":
        (node,) = node.inputs
    return node.op == "input"


def _product(session: Session, x: Node, y: Node) -> Node:
    """Multiply elements of one shape and dtype."""
    return compute_nodes(session, "multiply", [x, y])


def _summed(session: Session, node: Node, axes: Sequence[int]) -> Node:
    return session.builder.reduce("any" if node.dtype == "bool" else "sum", node, axes)


def matmul(x1: Any, x2: Any, /, out: Any = None) -> Tracer:
    """Return the product of matrices, or stacks of them; a vector is a row on the left, a column on the right."""
    session = current()
    a, b = asarray(x1)._read(), asarray(x2)._read()
    for number, node in enumerate((a, b)):
        if not node.ndim:
            raise ValueError(
                f"matmul: Input operand {number} does not have enough dimensions (has 0, gufunc core with signature "
                "(n?,k),(k,m?)->(n?,m?) requires 1)"
            )
    dtype = checked_dtype(resolve("matmul", (a.dtype, b.dtype))[-1])
    a, b = session.builder.astype(a, dtype), session.builder.astype(b, dtype)
    result = fresh(session, _matmul(session, a, b), scalar=True)
    if out is None:
        return result
    if not isinstance(out, Tracer):
        raise trace_error("matmul was given out= that is not a traced array", "Leave it out and use the result.")
    write_out(result, out, "matmul")
    return out


def _matmul(session: Session, a: Node, b: Node) -> Node:
    """Return the product of nodes of one dtype and of one axis at least."""
    row, column = a.ndim == 1, b.ndim == 1
    inner = b.shape[0 if column else -2]
    size = common(session.guards, a.shape[-1], inner)
    if size is None:
        given, wanted = session.guards.hint(inner), session.guards.hint(a.shape[-1])
        raise ValueError(
            "matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
            f"(n?,k),(k,m?)->(n?,m?) (size {given} is different from {wanted})"
        )
    m, n = ONE if row else a.shape[-2], ONE if column else b.shape[-1]
    batch = broadcast_shapes(session.guards, [a.shape[:-2], b.shape[:-2]])
    kept = (*batch, *(() if row else (m,)), *(() if column else (n,)))
    if not is_fused(session, a, b, bool(batch), (m, size, n)):
        (result,) = call("matmul", [a, b], [kept], dtypes=[a.dtype])
        return result._read()
    # the axes of the sum: batch, m, k, n
    full = (*batch, *(() if row else (m,)), size, *(() if column else (n,)))
    depth = len(full) - (0 if column else 1) - 1
    left = a if column else session.builder.axes(a, [*range(a.ndim), None])
    right = b
    if not row:
        right = session.builder.axes(b, [None, 0] if column else [*range(b.ndim - 2), None, b.ndim - 2, b.ndim - 1])
    product = _product(session, match_shape(session, left, full), match_shape(session, right, full))
    return _summed(session, product, [depth])


def vecdot(x1: Any, x2: Any, /, axis: Any = -1) -> Tracer:
    """Return the sums of the products of `x1`, conjugated, and `x2` along an axis."""
    session = current()
    x1, x2 = asarray(x1), asarray(x2)
    if not x1.ndim or not x2.ndim:
        raise ValueError("vecdot: Input operand 0 does not have enough dimensions")
    a, b = (FUNCTIONS["moveaxis"](x, normalize_axis(axis, x.ndim), -1) for x in (x1, x2))
    dtype = checked_dtype(resolve("vecdot", (a.dtype.name, b.dtype.name))[-1])
    nodes = [session.builder.astype(x._read(), dtype) for x in (a, b)]
    if common(session.guards, nodes[0].shape[-1], nodes[1].shape[-1]) is None:
        shapes = [hints(session.guards, node.shape) for node in nodes]
        raise ValueError(f"vecdot: the operands of shapes {' and '.join(shapes)} differ along the axis")
    shape = broadcast_shapes(session.guards, [node.shape for node in nodes])
    if dtype_kind(dtype) == "c":
        nodes[0] = compute_nodes(session, "conj", [nodes[0]])
    product = _product(session, *(match_shape(session, node, shape) for node in nodes))
    return fresh(session, _summed(session, product, [len(shape) - 1]), scalar=True)


def matvec(x1: Any, x2: Any, /) -> Tracer:
    """Return the products of stacks of matrices and stacks of vectors."""
    x2 = asarray(x2)
    return FUNCTIONS["squeeze"](matmul(x1, x2[..., None]), -1)  # type: ignore[no-any-return]


def vecmat(x1: Any, x2: Any, /) -> Tracer:
    """Return the products of stacks of vectors, conjugated, and stacks of matrices."""
    x1 = FUNCTIONS["conj"](asarray(x1))
    return FUNCTIONS["squeeze"](matmul(x1[..., None, :], x2), -2)  # type: ignore[no-any-return]


def tensordot(x1: Any, x2: Any, /, axes: Any = 2) -> Tracer:
    """Return the sums of products over pairs of axes."""
    session = current()
    a, b = asarray(x1)._read(), asarray(x2)._read()
    if isinstance(axes, int):
        left, right = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
        if axes > min(a.ndim, b.ndim) or axes < 0:
            raise ValueError("tuple index out of range")
    else:
        first, second = axes
        left, right = normalize_axes(first, a.ndim), normalize_axes(second, b.ndim)
    if len(left) != len(right):
        raise ValueError("shape-mismatch for sum")
    dtype = checked_dtype(result_type((a.dtype, b.dtype)))
    a, b = session.builder.astype(a, dtype), session.builder.astype(b, dtype)
    letters = iter(range(a.ndim + b.ndim))
    one = [next(letters) for _ in range(a.ndim)]
    pairs = {k: one[j] for j, k in zip(left, right, strict=True)}
    two = [pairs.get(axis, -1) for axis in range(b.ndim)]
    two = [next(letters) if letter < 0 else letter for letter in two]
    wanted = [letter for letter in (*one, *two) if letter not in pairs.values()]
    return fresh(session, contract(session, a, one, b, two, wanted, "shape-mismatch for sum"), scalar=True)


def contract(
    session: Session,
    a: Node,
    one: Sequence[Any],
    b: Node,
    two: Sequence[Any],
    wanted: Sequence[Any],
    mismatch: str,
) -> Node:
    """Return the sums of products of two nodes of one dtype over the letters that are not wanted.

    Parameters
    ----------
    one, two
        A letter for each axis of `a` and of `b`, each at most once.
    wanted
        The letters of the result's axes.
    mismatch
        What the ValueError says where the sizes of one letter differ.
    """
    sizes: dict[Any, Affine] = {}
    for letter, size in (*zip(one, a.shape, strict=True), *zip(two, b.shape, strict=True)):
        known = sizes.setdefault(letter, size)
        both = size if known == ONE else known if size == ONE else common(session.guards, known, size)
        if both is None or (mismatch and known != size and ONE in (known, size)):
            raise ValueError(mismatch or "operands could not be broadcast together")
        sizes[letter] = both
    a, one = _reduce_own(session, a, one, {*two, *wanted})
    b, two = _reduce_own(session, b, two, {*one, *wanted})
    summed = [letter for letter in one if letter in two and letter not in wanted]
    batch = [letter for letter in one if letter in two and letter in wanted]
    rows, columns = [x for x in one if x not in two], [x for x in two if x not in one]
    stretched = any(
        a.shape[one.index(x)] != b.shape[two.index(x)] and ONE in (a.shape[one.index(x)], b.shape[two.index(x)])
        for x in summed
    )
    if len(rows) <= 1 and len(columns) <= 1 and len(summed) == 1 and not stretched:
        # as matrices: batch, rows, summed and batch, summed, columns
        left = session.builder.axes(a, [one.index(x) for x in (*batch, *rows, *summed)])
        right = session.builder.axes(b, [two.index(x) for x in (*batch, *summed, *columns)])
        if batch and not rows:
            left = session.builder.axes(left, [*range(left.ndim - 1), None, left.ndim - 1])
        if batch and not columns:
            right = session.builder.axes(right, [*range(right.ndim), None])
        result, letters = _matmul(session, left, right), [*batch, *rows, *columns]
        if batch and not (rows and columns):
            kept = [*range(len(batch)), *([len(batch)] if rows else []), *([len(batch) + 1] if columns else [])]
            result = session.builder.axes(result, kept)
        return session.builder.axes(result, [letters.index(x) for x in wanted])
    full = [*batch, *rows, *summed, *columns]
    shape = tuple(sizes[letter] for letter in full)
    constant = all(not sizes[x].terms for x in (*rows, *summed, *columns))
    if summed and not batch and not constant and dtype_kind(a.dtype) in "fc" and rows and columns:
        axes = tuple(tuple(letters.index(x) for x in summed) for letters in (one, two))
        (made,) = call("tensordot", [a, b], [tuple(sizes[x] for x in (*rows, *columns))], dtypes=[a.dtype], axes=axes)
        return session.builder.axes(made._read(), [[*rows, *columns].index(x) for x in wanted])
    both_nodes = []
    for node, letters in ((a, list(one)), (b, list(two))):
        order = [letters.index(x) for x in full if x in letters]
        node = session.builder.axes(node, order)
        own = [full.index(letters[axis]) for axis in order]
        node = match_shape(
            session, node, tuple(ONE if size == ONE else shape[k] for size, k in zip(node.shape, own, strict=True))
        )
        both_nodes.append(spread(session, node, own, shape))
    product = _product(session, *both_nodes)
    result = _summed(session, product, [full.index(x) for x in summed]) if summed else product
    letters = [x for x in full if x not in summed]
    return session.builder.axes(result, [letters.index(x) for x in wanted])


def _reduce_own(session: Session, node: Node, letters: Sequence[Any], kept: set[Any]) -> tuple[Node, list[Any]]:
    """Sum over the letters that only this operand has."""
    axes = [axis for axis, letter in enumerate(letters) if letter not in kept]
    return (_summed(session, node, axes) if axes else node), [letter for letter in letters if letter in kept]


def dot(x1: Any, x2: Any, /, out: Any = None) -> Tracer:
    """Return NumPy's ``dot``: products of numbers, matrix products, or sums over the last axis but one."""
    x1, x2 = asarray(x1), asarray(x2)
    if not x1.ndim or not x2.ndim:
        result: Tracer = FUNCTIONS["multiply"](x1, x2)
    elif x2.ndim <= 2:
        result = matmul(x1, x2)
    else:
        result = tensordot(x1, x2, (-1, -2))
    if out is None:
        return result
    FUNCTIONS["write_out"](result, out, "dot")
    return out  # type: ignore[no-any-return]


def inner(x1: Any, x2: Any, /) -> Tracer:
    """Return the sums of products over the last axes."""
    x1, x2 = asarray(x1), asarray(x2)
    if not x1.ndim or not x2.ndim:
        return FUNCTIONS["multiply"](x1, x2)  # type: ignore[no-any-return]
    return tensordot(x1, x2, (-1, -1))


def vdot(x1: Any, x2: Any, /) -> Tracer:
    """Return the sum of the products of all elements of `x1`, conjugated, and of `x2`."""
    return vecdot(FUNCTIONS["reshape"](x1, -1), FUNCTIONS["reshape"](x2, -1))


def outer(x1: Any, x2: Any, /, out: Any = None) -> Tracer:
    """Return the products of all elements of `x1` and all elements of `x2`."""
    if out is not None:
        raise trace_error("outer with out= is not supported in a kernel", "Use the result.")
    x1, x2 = (FUNCTIONS["reshape"](x, -1) for x in (x1, x2))
    return FUNCTIONS["multiply"](x1[:, None], x2[None, :])  # type: ignore[no-any-return]


def einsum(subscripts: Any, *operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Tracer:
    """Return the sums of products that `subscripts` describe, operand by operand from the left.

    That order is what `optimize` would change in NumPy, for speed; it is the same here whatever is given.
    """
    session = current()
    if not isinstance(subscripts, str) or "." in subscripts or out is not None or options:
        raise trace_error(
            "einsum with an ellipsis, lists of axes, out= or other options is not supported in a kernel",
            "Write all subscripts as letters: xp.einsum('ij,jk->ik', a, b).",
        )
    text = subscripts.replace(" ", "")
    given, arrow, wanted = text.partition("->")
    terms = given.split(",")
    if not arrow:
        joined = "".join(terms)
        wanted = "".join(sorted(letter for letter in set(joined) if joined.count(letter) == 1))
    if len(terms) != len(operands) or not set(wanted) <= set(given) or len(set(wanted)) != len(wanted):
        raise ValueError(f"einsum: the subscripts {subscripts!r} do not fit {len(operands)} operands")
    arrays = [asarray(x) for x in operands]
    dtype = checked_dtype(np.result_type(*(x.dtype for x in arrays)))
    parts: list[tuple[Node, list[str]]] = []
    for x, term in zip(arrays, terms, strict=True):
        if len(term) != x.ndim:
            raise ValueError(f"einsum: operand of {x.ndim} axes has subscripts {term!r}")
        letters = list(term)
        while len(set(letters)) < len(letters):
            double = next(letter for letter in letters if letters.count(letter) > 1)
            first = letters.index(double)
            second = letters.index(double, first + 1)
            x = FUNCTIONS["diagonal"](x, 0, first, second)
            letters = [letter for k, letter in enumerate(letters) if k not in (first, second)] + [double]
        parts.append((session.builder.astype(x._read(), dtype), letters))
    node, own = parts[0]
    for k, (other, letters) in enumerate(parts[1:], 1):
        later = {letter for _, names in parts[k + 1 :] for letter in names} | set(wanted)
        kept = [letter for letter in dict.fromkeys([*own, *letters]) if letter in later]
        node, own = contract(session, node, own, other, letters, kept, ""), kept
    node, own = _reduce_own(session, node, own, set(wanted))
    return fresh(session, session.builder.axes(node, [own.index(letter) for letter in wanted]), scalar=True)


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name."""
    return {
        "matmul": matmul,
        "matvec": matvec,
        "vecmat": vecmat,
        "vecdot": vecdot,
        "tensordot": tensordot,
        "dot": dot,
        "inner": inner,
        "vdot": vdot,
        "outer": outer,
        "einsum": einsum,
    }
