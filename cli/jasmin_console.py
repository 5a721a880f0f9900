"""What Jasmin's console, jcli, prints of SMPP client connectors, alone or in the session that it has been copied from.

`smppccm -s CID` prints a line `key value` for each of a connector's settings, in an order of its own; before and after
may come prompts, other commands and what they print, echoed or not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from cli.jasmin_knobs import JASMIN
from cli.smsc_accounts import UnreadableError

_PROMPT: Final = re.compile(r"(?:jcli *: *)+")
_SHOW: Final = re.compile(r"smppccm +(?:-s *|--show[ =] *)(\S+)")
_LISTED: Final = re.compile(r"#(\S+) +(started|stopped) +\S+ +\d+ +\d+")
_KEY: Final = re.compile(r"([a-z][a-z0-9_]*)(?:[ \t]+(.*))?")
# What a terminal is told: colours, clearing, modes.
_TERMINAL: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_a-z])|[\x00-\x08\x0e-\x1a]")
_NAMES: Final = frozenset(knob.name for knob in JASMIN)
_ENOUGH: Final = 3  # lines of a connector by which a text is one, where its cid has not been copied


@dataclass
class Shown:
    """A connector: its settings as they are printed, and the line of the first."""

    line: int
    settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Session:
    """What has been found: connectors, those that `smppccm -l` lists with the state of each, and the other modules that
    have been asked, with the line of the first question."""

    shown: list[Shown] = field(default_factory=list)
    listed: dict[str, str] = field(default_factory=dict)
    modules: dict[str, int] = field(default_factory=dict)


def recognised(text: str) -> bool:
    """Whether this is of jcli at all."""
    lines = [_plain(raw) for raw in text.splitlines()]
    if any(_PROMPT.match(line) or _SHOW.match(line) for line in lines):
        return True
    return len({key for line in lines if (key := _setting(line)[0]) in _NAMES}) >= _ENOUGH


def read(text: str) -> Session:
    """The connectors of a session.

    Raises:
        UnreadableError: there is none, or one without its cid.
    """
    found = Session()
    within = not any(_PROMPT.match(_plain(raw)) for raw in text.splitlines())  # a session says where a connector begins
    begun = True
    for number, raw in enumerate(text.splitlines(), 1):
        line = _plain(raw)
        said = _PROMPT.sub("", line, count=1) if _PROMPT.match(line) else line
        if _SHOW.match(said):
            within = begun = True
            continue
        key, value = _setting(said)
        if said != line:  # behind a prompt is a command, or, where it is not echoed, what it prints
            within = begun = key in _NAMES
            if said and not within:
                found.modules.setdefault(said.split()[0], number)
        if match := _LISTED.fullmatch(line):
            found.listed[match[1]] = match[2]
        if not within or not key:
            continue
        if begun or key in found.shown[-1].settings:
            found.shown.append(Shown(number))
            begun = False
        found.shown[-1].settings[key] = value
    found.shown = [one for one in found.shown if one.settings.keys() & _NAMES and "uid" not in one.settings]
    if not found.shown:
        raise UnreadableError("no `smppccm -s CID` with what it prints among these lines")
    for one in found.shown:
        if not one.settings.get("cid"):
            raise UnreadableError(f"line {one.line}: no `cid` among these lines: take all that `smppccm -s` prints")
    return found


def _plain(raw: str) -> str:
    return _TERMINAL.sub("", raw).strip()


def _setting(line: str) -> tuple[str, str]:
    """Key and value of `key value`, two empty ones of another line. A key alone is one that is known, and not set."""
    match = _KEY.fullmatch(line)
    if match is None or (match[2] or "=").startswith("="):
        return (line, "") if line in _NAMES else ("", "")
    return match[1], match[2]
