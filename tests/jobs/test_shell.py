"""Words reach bash as they are; what a directive or a template cannot hold is refused."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import fake_pbs

from xpaccel.errors import UserError
from xpaccel.jobs import shell

AWKWARD = ("", " ", "a b", "it's", 'say "x"', "$(touch pwned)", "`id`", "${HOME}", "~", "*", "!", "#no", "a\nb")
AWKWARD += (
    "\r\n",
    "\t",
    "\x01\x7f",
    "\x1b1",
    "-n",
    "--",
    ":",
    "\\",
    "\\:",
    "é",
    "日本",
    "a;b",
    "&",
    "|",
    "\n#PBS -q x",
)
AWKWARD += (os.fsdecode(b"\xff\xfe"), "$'", "'\r'", "a" * 5000)

words = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20),
    st.binary(max_size=12).filter(lambda value: b"\0" not in value).map(os.fsdecode),
    st.text("\n\r\t'\"\\$`() a1", max_size=12),
)


def through_bash(given: list[str]) -> list[str]:
    script = os.fsencode(f"printf '%s\\0' {shell.join(given)} end")
    done = subprocess.run(["bash", "-s"], input=script, capture_output=True, check=True)
    return [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-2]]


@given(st.lists(words, min_size=1, max_size=6))
def test_words_come_through_bash_unchanged(given: list[str]) -> None:
    assert through_bash(given) == given


@given(words)
def test_a_quoted_word_is_one_line_that_qsub_takes(word: str) -> None:
    assert not set("\r\n\0") & set(shell.quote(word))


def test_nul_is_refused() -> None:
    with pytest.raises(UserError, match="NUL"):
        shell.quote("a\0b")


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=12))
def test_a_directive_holds_its_value_or_is_refused(value: str) -> None:
    try:
        line = shell.directive("-A", value)
    except UserError:
        assert value == "" or not value.isprintable() or {"'", '"'} <= set(value)
    else:
        (found,) = fake_pbs.directives(line.encode())
        assert fake_pbs.words(found) == ["-A", value]


@pytest.mark.parametrize("value", ["", "a\nb", "a\r", "\x07", "both ' and \""])
def test_a_directive_that_cannot_be_written(value: str) -> None:
    with pytest.raises(UserError, match="#PBS line"):
        shell.directive("-A", value)


def test_templates() -> None:
    assert shell.fill("{n} ${n} ${HOME} {m}", {"n": 2, "m": "x"}, "select") == "2 ${n} ${HOME} x"
    with pytest.raises(UserError, match=r"select: \{rank\} is not known; did you mean ranks\?"):
        shell.fill("{rank}", {"ranks": 2, "nodes": 1}, "select")
