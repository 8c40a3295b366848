"""What generated CUDA C becomes: machine code read without a GPU, and the memory traffic of its launches."""
