"""The ``numba`` target: compiling, loading and running loops on the threads of this machine."""
