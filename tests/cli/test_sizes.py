"""Sizes in bytes for people."""

from __future__ import annotations

import pytest

from xpaccel.errors import UserError
from xpaccel.report import sizes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("2048", 2048),
        ("1k", 1000),
        ("500MB", 500_000_000),
        ("1.5 GiB", 3 << 29),
        (" 3 tib ", 3 << 40),
    ],
)
def test_parse(text: str, count: int) -> None:
    assert sizes.parse(text) == count


@pytest.mark.parametrize("text", ["", "MB", "-1", "1 parsec", "1e3", "inf"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(UserError, match="write it as in 500MB or 1GiB"):
        sizes.parse(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_show(count: int, text: str) -> None:
    assert sizes.show(count) == text
