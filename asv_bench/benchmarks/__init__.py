"""Benchmarks of xpaccel, run by asv (`nox -s bench`, or `asv run` in asv_bench/).

Figures that are ratios come from rounds in which the two sides take turns, so that a busy machine slows both.
Everything is compiled in `setup`; what compiling costs is measured in `start`, on its own.
"""
