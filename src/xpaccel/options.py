"""What a user says of a kernel where it is made."""

from __future__ import annotations

from dataclasses import dataclass

#: A position along an axis, or one for each.
Origin = float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """What a user says of a kernel. See `kernel`.

    Attributes
    ----------
    reproducible
        Whether a call gives the same bits each time.
    origin
        Where results sit in the first field.
    """

    reproducible: bool = True
    origin: Origin | None = None
