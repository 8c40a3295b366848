"""The ``cupy`` target: CUDA C++ kernels, compiled by NVRTC and launched through CuPy."""
