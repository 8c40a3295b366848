"""Vector functions of the C library (stub to be filled)."""
WIDTH = 64
def library() -> str:
    return ""
