"""From a user's function to a graph: the arrays and numbers that a kernel meets while it is traced."""
