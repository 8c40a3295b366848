"""The flood demo: the kernels of ``examples/flood.py`` on real terrain, on several backends side by side."""
