"""``CUDA_VISIBLE_DEVICES`` as CUDA reads it, to explain what a process sees.

No device is chosen from this text: that is done by the numbers CUDA gives to the devices that it shows. But
where it shows fewer than were listed, this says which entry is to blame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

NAME = "CUDA_VISIBLE_DEVICES"

#: What schedulers and people write to show no device at all, and what it means.
_NONE = {
    "": "is set to nothing, so CUDA shows no GPU. Under the cgroup hook of PBS this is a job that did not ask for any: "
    "add ngpus to the request, as in -l select=1:ncpus=8:ngpus=1",
    "NoDevFiles": "is 'NoDevFiles', so CUDA shows no GPU: this is a Slurm job that did not ask for any "
    "(--gpus-per-node=1, for example)",
    "-1": "is -1, which hides every GPU: unset it",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """The devices that ``CUDA_VISIBLE_DEVICES`` lists.

    Attributes
    ----------
    text
        Its value, None where it is not set.
    kind
        ``"all"`` where it is not set; ``"none"`` where it hides every device; else what its entries are.
    entries
        Those that CUDA reads, in order; whether each is a device of this machine only CUDA knows.
    problem
        None, or why it hides devices, in words that begin with the variable's name.
    """

    text: str | None
    kind: Literal["all", "none", "indices", "uuids", "mig"]
    entries: tuple[str, ...] = ()
    problem: str | None = None


def read(text: str | None) -> Listing:
    """Read a value of ``CUDA_VISIBLE_DEVICES`` as CUDA does.

    The first entry decides what all are: indices, UUIDs of GPUs (``GPU-…``, or the beginning of one) or
    of MIG instances (``MIG-…``). The first that is nothing of the kind ends the list; one that is there
    twice makes CUDA show nothing.
    """
    if text is None:
        return Listing(None, "all")
    if text.strip() in _NONE:
        return Listing(text, "none", problem=f"{NAME} {_NONE[text.strip()]}")
    words = [word.strip() for word in text.split(",")]
    kind: Literal["indices", "uuids", "mig"] = (
        "mig" if words[0].startswith("MIG-") else "uuids" if words[0].startswith("GPU-") else "indices"
    )
    entries: list[str] = []
    for word in words:
        entry = _entry(word, kind)
        if entry is None:
            problem = f"{NAME}={text!r}: {_stop(words, len(entries))}"
            return Listing(text, kind if entries else "none", tuple(entries), problem)
        if entry in entries:
            return Listing(text, "none", problem=f"{NAME}={text!r} lists {word!r} twice, so CUDA shows no GPU at all")
        entries.append(entry)
    return Listing(text, kind, tuple(entries))


def _entry(word: str, kind: str) -> str | None:
    """Return an entry as CUDA understands it, None where it is nothing of the kind."""
    if kind == "indices":
        number = re.match(r"\+?(\d+)", word, re.ASCII)  # CUDA reads digits and ignores what follows them
        return None if number is None else str(int(number[1]))
    prefix = "MIG-" if kind == "mig" else "GPU-"
    return word if word.startswith(prefix) and len(word) > len(prefix) else None


def _stop(words: list[str], position: int) -> str:
    """Say that CUDA stops at an entry, and what that hides."""
    rest = words[position + 1 :]
    after = f" and hides what follows it ({', '.join(rest)})" if rest else ""
    return f"entry {position + 1}, {words[position]!r}, is no GPU here; CUDA stops at it{after}"


def explain(listing: Listing, shown: int) -> str:
    """Say in words why CUDA shows as many devices as it does.

    Parameters
    ----------
    listing
        What `read` made of the variable.
    shown
        How many devices CUDA shows to this process.
    """
    if listing.kind == "all":
        return f"{NAME} is not set: CUDA shows every GPU that this process may open ({shown})"
    if listing.kind == "mig" and shown == 1 < len(listing.entries):
        return f"{NAME} lists {len(listing.entries)} MIG instances, of which CUDA shows a process only the first"
    if shown < len(listing.entries) and listing.text is not None:
        return f"{NAME}={listing.text!r}: {_stop([word.strip() for word in listing.text.split(',')], shown)}"
    if listing.problem is not None:
        return listing.problem
    return f"{NAME}={listing.text!r} ({shown} shown)"
