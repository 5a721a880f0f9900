"""Regular expressions that operators write, searched in texts that anybody may send: for a bounded time.

A pattern that is harmless for receipts may take minutes for a long text of digits, which any phone can send; `re`
cannot be interrupted, and meanwhile no link of the process would live.
"""

from __future__ import annotations

import functools
from collections.abc import Set
from typing import Any, Final

import regex

TIME: Final = 0.01  # s for one text: a thousand times what a receipt takes
LONGEST: Final = 2_000  # characters of a text that is looked at


class TooSlowError(Exception):
    """A pattern has not come to an end with a text in `TIME`."""


@functools.cache
def _compiled(pattern: str) -> Any:
    return regex.compile(pattern, regex.DOTALL)


def check(pattern: str, needed: Set[str]) -> str:
    """The pattern itself, which is to have these groups; "" is none.

    Raises:
        ValueError: it is no regular expression, or has not all of them.
    """
    try:
        groups = regex.compile(pattern).groupindex.keys()
    except regex.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if pattern and not needed <= groups:
        raise ValueError(f"needs the groups {' and '.join(f'(?P<{name}>...)' for name in sorted(needed))}")
    return pattern


def search(pattern: str, text: str) -> dict[str, str] | None:
    """What the groups of the first match are, of those that have one; None: there is no match.

    Raises:
        TooSlowError: whether there is one would take too long to find out.
    """
    try:
        match = _compiled(pattern).search(text[:LONGEST], timeout=TIME)
    except TimeoutError:
        raise TooSlowError from None
    return None if match is None else {name: value for name, value in match.groupdict().items() if value}
