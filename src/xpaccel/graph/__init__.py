"""The array program: immutable, hash-consed nodes over a small closed set of primitives."""
