"""The ``numba-cuda`` target: kernels that Numba compiles for a GPU, and its simulator."""
