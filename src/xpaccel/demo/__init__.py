"""The command `xpaccel demo`: a flood over real terrain, by the kernels of ``examples/flood.py``."""
