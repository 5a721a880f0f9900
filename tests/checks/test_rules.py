"""Exceptions from the linter's security rules say why they are one."""

from __future__ import annotations

import re

from checks.requirements import ROOT

PARTS = ("chalicelib", "smsc_relay", "cli", "local", "checks", "infra")
EXCEPTION = re.compile(r"#\s*noqa: [A-Z0-9, ]*\bS\d+[A-Z0-9, ]*(.*)$")


def test_every_exception_has_its_reason() -> None:
    paths = [ROOT / "app.py", *(path for part in PARTS for path in sorted((ROOT / part).rglob("*.py")))]
    found = [
        (f"{path.relative_to(ROOT)}:{number}", match[1])
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := EXCEPTION.search(line))
    ]
    assert len(found) > 10
    assert [place for place, reason in found if len(reason.strip(" -#")) < 5] == []


def test_the_rules_are_on() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert '"S"' in re.findall(r"^select = \[(.*)\]", text, re.MULTILINE)[0]
    ignored = re.findall(r"^ignore = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[0]
    assert not re.findall(r'"S\d*"', ignored)
