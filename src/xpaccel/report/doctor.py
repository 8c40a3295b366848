"""The values behind `xpaccel doctor`: what was found, why something is not used, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from xpaccel import backends
from xpaccel.errors import UserError

State = Literal["ok", "note", "absent", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    section, name
        Where it belongs, and what it is.
    state
        ``"ok"``: it works. ``"note"``: it works and may surprise. ``"absent"``: it is not here, or not to be used
        here, which is in order. ``"failed"``: it is here and does not work.
    found
        What was found, in words.
    advice
        What to do, where there is something to do.
    """

    section: str
    name: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that was looked at, in order."""

    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """What is here and does not work, or is absent and was required."""
        return tuple(check for check in self.checks if check.state == "failed")

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain dicts, lists and strings, ready for JSON."""
        return {"ok": not self.failed, "checks": [asdict(check) for check in self.checks]}


def examine(require: Sequence[str] = ()) -> Report:
    """Look at everything that xpaccel may use here, and prove each backend by running a kernel on it.

    Takes seconds: a kernel is compiled for each backend.

    Parameters
    ----------
    require
        Names of backends whose absence counts as a failure.

    Raises
    ------
    xpaccel.UserError
        Where there is no backend of a name in `require`.
    """
    from xpaccel.report import doctor_checks, doctor_facts

    for name in require:
        if name not in backends.names():
            raise UserError(f"there is no backend {name!r} to require: there are {', '.join(backends.names())}")
    return Report(tuple(required(doctor_checks.judge(doctor_facts.gather()), require)))


def required(checks: Iterable[Check], names: Sequence[str]) -> Iterable[Check]:
    """Let a backend that is absent count as failed where it is required."""
    for check in checks:
        if check.section == "backends" and check.name in names and check.state == "absent":
            yield replace(check, state="failed", found=f"required, and not available: {check.found}")
        else:
            yield check
