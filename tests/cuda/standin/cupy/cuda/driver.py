"""The stand-in's ``cupy.cuda.driver``."""

from __future__ import annotations

_NAMES = {1: "CUDA_ERROR_INVALID_VALUE", 200: "CUDA_ERROR_INVALID_IMAGE", 209: "CUDA_ERROR_NO_BINARY_FOR_GPU"}
_NAMES[500] = "CUDA_ERROR_NOT_FOUND"


class CUDADriverError(RuntimeError):
    """An error of the CUDA driver."""

    def __init__(self, status: int, why: str = "") -> None:
        self.status = status
        super().__init__(f"{_NAMES[status]}: {why or 'stand-in for the CUDA driver'}")


def get_build_version() -> int:
    """Return the version of CUDA that CuPy was built for."""
    return 12090
