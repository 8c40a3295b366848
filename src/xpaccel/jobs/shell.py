"""Text that goes into a bash script or a ``#PBS`` line: each word arrives as it was given, or is refused."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from xpaccel.errors import UserError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=+@%^,~-]+")
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'"}
_PLACEHOLDER = re.compile(r"(?<!\$)\{(\w+)\}")


def quote(word: str) -> str:
    r"""Quote a word for bash.

    Control characters become escapes of ``$'...'``: a carriage return in the script would make `qsub` refuse it, and
    so no argument starts a line of the script, where a site's hook may look for directives.

    Raises
    ------
    xpaccel.UserError
        If it holds a NUL, which no argument and no variable can.
    """
    if "\0" in word:
        raise UserError(f"{word!r} holds a NUL character, which cannot be passed to a program")
    if not _CONTROL.search(word):
        return shlex.quote(word)
    return "$'" + re.sub(r"[\x00-\x1f\x7f\\']", lambda found: _escape(found[0]), word) + "'"


def join(words: Iterable[str]) -> str:
    """Quote words and put blanks between them."""
    return " ".join(map(quote, words))


def _escape(character: str) -> str:
    return _NAMED.get(character) or f"\\{ord(character):03o}"  # three digits: the next character cannot join in


def directive(option: str, value: str) -> str:
    """Write one ``#PBS`` line. PBS takes away one level of quotes there, and knows no escapes and no comments.

    Raises
    ------
    xpaccel.UserError
        If the value cannot be written there: it is empty, or has control characters or both kinds of quotes.
    """
    if not value or not value.isprintable():
        raise UserError(f"{option} {value!r}: a #PBS line takes some text, without line breaks and control characters")
    if _PLAIN.fullmatch(value):
        return f"#PBS {option} {value}"
    mark = '"' if '"' not in value else "'"
    if mark in value:
        raise UserError(f"{option} {value!r}: a #PBS line cannot hold both kinds of quotes")
    return f"#PBS {option} {mark}{value}{mark}"


def fill(template: str, values: Mapping[str, object], what: str) -> str:
    """Put values in the place of ``{names}``; bash's own ``${names}`` stay.

    Raises
    ------
    xpaccel.UserError
        For a name that there is not, naming the nearest.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise UserError(f"{what}: {found[0]} is not known; {nearest(found[1], values)}")
        return str(values[found[1]])

    return _PLACEHOLDER.sub(value, template)


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was meant, or all of them."""
    known = list(known)
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
