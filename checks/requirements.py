"""What is pinned in requirements*.txt, and what is installed for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
ENVIRONMENTS: Final = {"requirements-emulator.txt": ".venv-emulator", "requirements-infra.txt": ".venv-infra"}
SHIPPED: Final = ("requirements.txt", "requirements-relay.txt")  # what is deployed; the rest is for development
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s#;]+)(\s*#.*)?")


class PinError(ValueError):
    """A line of a requirements file pins nothing; the text names file and line."""


def pins(path: Path) -> dict[str, str]:
    """Versions by canonical name, `-r` lines left to the files that they name.

    Raises:
        PinError: a line is no `name==version`.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(("#", "-r ")):
            continue
        pin = _PIN.fullmatch(text)
        if pin is None:
            raise PinError(f"{path.name}:{number}: {text!r} pins no version: write name==version")
        found[canonicalize_name(pin[1])] = str(pin[2])
    return found


def installed(folders: Iterable[Path] | None = None) -> dict[str, metadata.Distribution]:
    """Distributions by canonical name, in this environment or in site-packages folders."""
    paths = None if folders is None else [str(one) for one in folders]
    found = metadata.distributions() if paths is None else metadata.distributions(path=paths)
    return {canonicalize_name(one.metadata["Name"]): one for one in found}


def closure(names: Iterable[str], known: dict[str, metadata.Distribution]) -> set[str]:
    """The names, and what their distributions want on this machine (extras left out), as far as it is installed."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen or name not in known:
            continue
        seen.add(name)
        for text in known[name].requires or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                waiting.append(wanted.name)
    return seen
