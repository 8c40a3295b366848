"""The GPU of a process, whatever generates its code: driver, choice, memory, marks for profilers."""
