"""Fields on a grid whose cells are shared out among MPI ranks, and kernels that are called on them."""
