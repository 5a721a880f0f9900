"""How the CLI speaks: tables, JSON, times, and questions for secrets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


class Problem(Exception):  # noqa: N818 - what the operator reads, not a kind of error
    """The command cannot do what it was asked; the text says why and what to do, a line for each problem."""


def plain(value: Any) -> str:
    """The value as text for a terminal: what a phone sent must not move the cursor or ring the bell."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], empty: str = "") -> None:
    """Print columns as wide as their widest cell; `empty` stands in for a table without rows."""
    cells = [[plain("-" if cell in ("", None) else cell) for cell in row] for row in rows]
    if not cells and empty:
        print(empty)
        return
    lines = [[head.upper() for head in heads], *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print one thing: a name and a value a line; values that are empty are left out."""
    shown = [(name, plain(value)) for name, value in pairs if value not in ("", None, [], {}, ())]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name.ljust(width)}  {value}")


def as_json(value: Any) -> None:
    """Print JSON for a program."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def note(text: str) -> None:
    """Say something beside the command's own output."""
    print(text, file=sys.stderr)


def moment(ms: int) -> str:
    """`2026-03-01 10:11:12Z`; "" for 0."""
    from chalicelib.clock import iso

    return iso(ms).replace("T", " ")[:19] + "Z" if ms else ""


def clock(ms: int) -> str:
    """`10:11:12.500`, UTC."""
    from chalicelib.clock import iso

    return iso(ms)[11:-1]


def span(ms: float) -> str:
    """A duration in its largest unit: `850 ms`, `12 s`, `3 m`, `5 h`, `2 d`."""
    for unit, length in _UNITS:
        if ms >= length:
            return f"{int(ms // length)} {unit}"
    return f"{int(ms)} ms"


def ask_secret(what: str, from_env: str = "") -> str:
    """A secret from the environment variable `from_env`, from a prompt without echo, or from a pipe.

    Never from an argument: those are seen by every process of the machine, and kept by the shell.

    Raises:
        Problem: there is none.
    """
    if from_env:
        if not os.environ.get(from_env):
            raise Problem(f"environment variable {from_env} is empty or not set")
        return os.environ[from_env]
    if sys.stdin.isatty():
        import getpass

        value = getpass.getpass(f"{what}: ")
    else:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not value:
        raise Problem(f"no value for {what}: type it at the prompt, pipe it in, or name a variable with --from-env")
    return value
