"""Linear algebra: decompositions and solvers are calls of the library; norms of vectors and products fuse."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from xpaccel.graph.node import Node, Shape
from xpaccel.ops import dtype_kind
from xpaccel.trace import contraction, lookup
from xpaccel.trace.calling import call, refused
from xpaccel.trace.creation import asarray
from xpaccel.trace.scalar import Number
from xpaccel.trace.session import current
from xpaccel.trace.sizes import broadcast_shapes, common, hints, normalize_axes, normalize_axis
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import FUNCTIONS, Tracer, fresh


def _matrices(x: Any, *, square: bool = False) -> Node:
    """Return a stack of matrices; raise LinAlgError where NumPy does."""
    node = asarray(x)._read()
    if node.ndim < 2:
        raise np.linalg.LinAlgError(f"{node.ndim}-dimensional array given. Array must be at least two-dimensional")
    if square and common(current().guards, node.shape[-2], node.shape[-1]) is None:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    return node


@cache
def _result_type(name: str) -> Callable[..., Any]:
    """Return the named tuple that a function of NumPy's gives."""
    return type(getattr(np.linalg, name)(np.eye(1)))


def solve(a: Any, b: Any, /) -> Tracer:
    """Return x with ``a @ x == b``."""
    a, b = _matrices(a, square=True), asarray(b)._read()
    session = current()
    if not b.ndim:
        raise ValueError("solve: Input operand 1 does not have enough dimensions")
    inner = b.shape[0] if b.ndim == 1 else b.shape[-2]
    if common(session.guards, a.shape[-1], inner) is None:
        raise ValueError(
            "solve: Input operand 1 has a mismatch in its core dimension 0 "
            f"(size {session.guards.hint(inner)} is different from {session.guards.hint(a.shape[-1])})"
        )
    batch = broadcast_shapes(session.guards, [a.shape[:-2], b.shape[:-2]])
    shape = (*batch, a.shape[-1], *(b.shape[-1:] if b.ndim > 1 else ()))
    (result,) = call("linalg.solve", [a, b], [shape])
    return result


def inv(x: Any, /) -> Tracer:
    """Return the inverses of matrices."""
    node = _matrices(x, square=True)
    (result,) = call("linalg.inv", [node], [node.shape])
    return result


def pinv(x: Any, /, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Tracer:
    """Return the pseudo-inverses of matrices."""
    node = _matrices(x)
    shape = (*node.shape[:-2], node.shape[-1], node.shape[-2])
    options: dict[str, Any] = {"rcond": _plain(rcond), "rtol": _plain(rtol), "hermitian": bool(hermitian) or None}
    (result,) = call("linalg.pinv", [node], [shape], **options)
    return result


def _plain(value: Any) -> float | None:
    """Return a tolerance as a Python number: a call is given nothing else."""
    if isinstance(value, Tracer):
        raise trace_error("a tolerance was given as a traced array", "Give a Python number.")
    return None if value is None else float(value)


def det(x: Any, /) -> Tracer:
    """Return the determinants of matrices."""
    node = _matrices(x, square=True)
    (result,) = call("linalg.det", [node], [node.shape[:-2]])
    return result


def slogdet(x: Any, /) -> Any:
    """Return the signs of determinants and the logarithms of their sizes."""
    node = _matrices(x, square=True)
    return _result_type("slogdet")(*call("linalg.slogdet", [node], [node.shape[:-2]] * 2))


def cholesky(x: Any, /, *, upper: bool = False) -> Tracer:
    """Return the Cholesky factors of matrices."""
    node = _matrices(x, square=True)
    (result,) = call("linalg.cholesky", [node], [node.shape], upper=True if upper else None)
    return result


def eigh(x: Any, /, UPLO: str = "L") -> Any:  # noqa: N803 (NumPy's name)
    """Return the eigenvalues and eigenvectors of symmetric or Hermitian matrices."""
    node = _matrices(x, square=True)
    uplo = _uplo(UPLO)
    return _result_type("eigh")(*call("linalg.eigh", [node], [node.shape[:-1], node.shape], UPLO=uplo))


def eigvalsh(x: Any, /, UPLO: str = "L") -> Tracer:  # noqa: N803 (NumPy's name)
    """Return the eigenvalues of symmetric or Hermitian matrices."""
    node = _matrices(x, square=True)
    (result,) = call("linalg.eigvalsh", [node], [node.shape[:-1]], UPLO=_uplo(UPLO))
    return result


def _uplo(given: str) -> str | None:
    if given.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return None if given.upper() == "L" else "U"


def svd(x: Any, /, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Return the singular value decompositions of matrices."""
    node = _matrices(x)
    *batch, m, n = node.shape
    k = current().guards.smaller(m, n)
    if hermitian:
        raise trace_error("svd with hermitian=True is not supported in a kernel", "Use eigh, or leave it out.")
    if not compute_uv:
        (result,) = call("linalg.svdvals", [node], [(*batch, k)])
        return result
    rows, columns = (m, n) if full_matrices else (k, k)
    shapes = [(*batch, m, rows), (*batch, k), (*batch, columns, n)]
    full = None if full_matrices else False
    return _result_type("svd")(*call("linalg.svd", [node], shapes, full_matrices=full))


def svdvals(x: Any, /) -> Tracer:
    """Return the singular values of matrices."""
    result: Tracer = svd(x, compute_uv=False)
    return result


def qr(x: Any, /, mode: str = "reduced") -> Any:
    """Return the QR decompositions of matrices."""
    node = _matrices(x)
    *batch, m, n = node.shape
    k = current().guards.smaller(m, n)
    if mode not in ("reduced", "complete", "r"):
        raise trace_error(f"qr with mode {mode!r} is not supported in a kernel", "Supported are reduced, complete, r.")
    if mode == "r":
        (result,) = call("linalg.qr", [node], [(*batch, k, n)], mode=mode)
        return result
    inner = m if mode == "complete" else k
    return _result_type("qr")(*call("linalg.qr", [node], [(*batch, m, inner), (*batch, inner, n)], mode=mode))


def matrix_rank(x: Any, /, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Tracer:
    """Return how many singular values of matrices are not small."""
    node = _matrices(x)
    options: dict[str, Any] = {"tol": _plain(tol), "rtol": _plain(rtol), "hermitian": bool(hermitian) or None}
    (result,) = call("linalg.matrix_rank", [node], [node.shape[:-2]], **options)
    return result


def matrix_power(x: Any, n: Any, /) -> Tracer:
    """Return matrices to a whole power."""
    node = _matrices(x, square=True)
    power = int(n)
    if power == 1:
        return fresh(current(), node)  # NumPy gives the array itself, and a call must give a new one
    (result,) = call("linalg.matrix_power", [node], [node.shape], n=power)
    return result


def cond(x: Any, /, p: Any = None) -> Tracer:
    """Return the condition numbers of matrices."""
    node = _matrices(x)
    (result,) = call("linalg.cond", [node], [node.shape[:-2]], p=p)
    return result


# -- norms --------------------------------------------------------------------------------------------------


def _real(x: Tracer) -> Tracer:
    """Return sizes of elements, in the dtype in which NumPy takes norms."""
    size: Tracer = FUNCTIONS["abs"](x if x.dtype.kind in "fc" else FUNCTIONS["astype"](x, np.float64))
    return size


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tracer:
    """Return the norms of vectors: a fused reduction."""
    x = asarray(x)
    given = tuple(range(x.ndim)) if axis is None else normalize_axes(axis, x.ndim)
    ord = ord._known() if isinstance(ord, Number) else ord  # noqa: A001 (the standard's name)
    size = _real(x)
    reduce = {"axis": given, "keepdims": keepdims}
    if ord in (2, None):
        # of complex numbers, the squares of the parts, as NumPy has it
        if dtype_kind(x.dtype.name) == "c":
            squares = FUNCTIONS["square"](x.real) + FUNCTIONS["square"](x.imag)
        else:
            squares = FUNCTIONS["square"](size)
        result: Tracer = FUNCTIONS["sqrt"](FUNCTIONS["sum"](squares, **reduce))
        return result
    if ord == np.inf or ord == -np.inf:
        return FUNCTIONS["max" if ord > 0 else "min"](size, **reduce)  # type: ignore[no-any-return]
    if ord == 0:
        nonzero = FUNCTIONS["astype"](FUNCTIONS["not_equal"](size, 0), size.dtype)
        return FUNCTIONS["sum"](nonzero, **reduce)  # type: ignore[no-any-return]
    if ord == 1:
        return FUNCTIONS["sum"](size, **reduce)  # type: ignore[no-any-return]
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    return FUNCTIONS["sum"](size**ord, **reduce) ** (1.0 / ord)  # type: ignore[no-any-return]


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Tracer:
    """Return the norms of matrices."""
    _matrices(x)
    return norm(x, ord, (-2, -1), keepdims)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tracer:
    """Return NumPy's ``norm``: of all elements, of vectors, or of matrices."""
    x = asarray(x)
    if axis is None and ord is None:
        return vector_norm(x, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axes(axis, x.ndim)
    if len(axes) == 1:
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=ord)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    if ord in (None, "fro", "f"):
        return vector_norm(x, axis=axes, keepdims=keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        along, across = axes if abs(ord) == 1 else axes[::-1]
        sums = FUNCTIONS["sum"](_real(x), axis=along, keepdims=True)
        result = FUNCTIONS["max" if ord > 0 else "min"](sums, axis=across, keepdims=True)
        return result if keepdims else FUNCTIONS["squeeze"](result, axes)  # type: ignore[no-any-return]
    if ord not in (2, -2, "nuc"):
        raise ValueError("Invalid norm order for matrices.")
    node = x._read()
    shape: Shape = tuple(size for k, size in enumerate(node.shape) if k not in axes)
    (result,) = call("linalg.norm", [node], [shape], ord=ord, axis=axes)
    if keepdims:
        result = FUNCTIONS["expand_dims"](result, axes)
        result = fresh(current(), result._read())
    return result


# -- products -----------------------------------------------------------------------------------------------


def cross(x1: Any, x2: Any, /, *, axis: Any = -1) -> Tracer:
    """Return the cross products of vectors of three components."""
    session = current()
    x1, x2 = asarray(x1), asarray(x2)
    moved = [FUNCTIONS["moveaxis"](x, normalize_axis(axis, x.ndim), 0) for x in (x1, x2)]
    for x in moved:
        if not session.guards.equal(x._view.shape[0], 3):
            raise ValueError(
                "Both input arrays must be (arrays of) 3-dimensional vectors, but they are of shape "
                f"{hints(session.guards, x._view.shape)}"
            )
    a, b = moved
    parts = [a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    stacked: Tracer = FUNCTIONS["stack"](parts, axis)
    return stacked


def numpy_cross(a: Any, b: Any, /, axisa: Any = -1, axisb: Any = -1, axisc: Any = -1, axis: Any = None) -> Tracer:
    """Return ``np.cross`` of vectors of three components."""
    if axis is not None:
        axisa = axisb = axisc = axis
    moved = [FUNCTIONS["moveaxis"](asarray(x), at, -1) for x, at in ((a, axisa), (b, axisb))]
    result: Tracer = FUNCTIONS["moveaxis"](cross(*moved), -1, axisc)
    return result


def _trace(x: Any, /, *, offset: Any = 0, dtype: Any = None) -> Tracer:
    return lookup.trace(x, offset, -2, -1, dtype)


def _diagonal(x: Any, /, *, offset: Any = 0) -> Tracer:
    return lookup.diagonal(x, offset, -2, -1)


def _outer(x1: Any, x2: Any, /) -> Tracer:
    if asarray(x1).ndim != 1 or asarray(x2).ndim != 1:
        raise ValueError("Input arrays must be one-dimensional")
    return contraction.outer(x1, x2)


def _tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Tracer:
    return contraction.tensordot(x1, x2, axes)


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name."""
    eigen = refused(
        "linalg.eig",
        "gives real or complex numbers depending on values that are known only when the kernel runs",
        "Use xp.linalg.eigh where the matrix is symmetric, or call it outside of the kernel.",
    )
    functions: dict[str, Callable[..., Any]] = {
        "solve": solve,
        "inv": inv,
        "pinv": pinv,
        "det": det,
        "slogdet": slogdet,
        "cholesky": cholesky,
        "eigh": eigh,
        "eigvalsh": eigvalsh,
        "eig": eigen,
        "eigvals": eigen,
        "svd": svd,
        "svdvals": svdvals,
        "qr": qr,
        "matrix_rank": matrix_rank,
        "matrix_power": matrix_power,
        "cond": cond,
        "vector_norm": vector_norm,
        "matrix_norm": matrix_norm,
        "norm": norm,
        "cross": cross,
        "trace": _trace,
        "diagonal": _diagonal,
        "outer": _outer,
        "tensordot": _tensordot,
        "matmul": contraction.matmul,
        "vecdot": contraction.vecdot,
        "matrix_transpose": lambda x, /: FUNCTIONS["matrix_transpose"](x),
        "lstsq": refused(
            "linalg.lstsq",
            "gives residuals whose number is known only when the kernel runs",
            "Solve with xp.linalg.pinv or qr, or call it outside of the kernel.",
        ),
    }
    return {**{f"linalg.{name}": function for name, function in functions.items()}, "cross": numpy_cross}
