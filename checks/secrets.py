"""`python -m checks.secrets`: no secret is in a tracked file.

What looks like one is found by the shapes that services document for their keys, by private keys' headers, by
passwords in URLs, and by long random values given to a name like password, token or api_key. What is none (a made-up
value in a test, a published example) is listed in checks/not_secrets.txt by its fingerprint, with the reason: the list
holds no value, and a line that fits nothing any more is an error too.
"""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from checks.requirements import ROOT

ALLOWED: Final = Path(__file__).with_name("not_secrets.txt")
LEAST_ENTROPY: Final = 3.6  # bits a character: words and paths are below, random letters and digits above
LARGEST: Final = 2_000_000  # octets of a file that is looked at; a larger one is an error, not a blind spot
_SHAPES: Final = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/=\s]{40,}"),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\b(?:gh[opsur]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})"),
    "Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "package index token": re.compile(r"\b(?:pypi-AgEI[A-Za-z0-9_-]{50,}|npm_[A-Za-z0-9]{36})"),
    "token of ours": re.compile(r"\bjgd_[A-Za-z0-9_-]{43}"),
    "password in a URL": re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@'\"{}$]+:([^\s/:@'\"{}$<]{3,})@[A-Za-z0-9]"),
}
_GIVEN = re.compile(
    r"(?i)(?:password|passwd|secret|token|api_?key|auth_?token|credential|private_?key)\w*['\"]?\s*(?:[:=]|=>)+\s*"
    r"['\"]?(?:Token |Bearer |Basic )?([A-Za-z0-9+/_=-]{20,})"
)
_WORDS = re.compile(r"[a-z_]+|[A-Z_]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # a name, a constant, a UUID


@dataclass(frozen=True)
class Finding:
    """Something that looks like a secret. Its value is not kept: this is printed."""

    path: str
    line: int
    kind: str
    fingerprint: str


def fingerprint(value: str) -> str:
    """Of a value, for the list of exceptions."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def scan(path: str, text: str) -> Iterator[Finding]:
    """What looks like a secret in a file's text."""
    for kind, pattern in _SHAPES.items():
        for found in pattern.finditer(text):
            value = found[1] if pattern.groups else found[0]
            yield Finding(path, text.count("\n", 0, found.start()) + 1, kind, fingerprint(value))
    for found in _GIVEN.finditer(text):
        value = found[1]
        random = any(one.isdigit() for one in value) and any(one.isalpha() for one in value)
        if random and not _WORDS.fullmatch(value) and entropy(value) >= LEAST_ENTROPY:
            yield Finding(path, text.count("\n", 0, found.start()) + 1, "random value", fingerprint(value))


def tracked(root: Path) -> list[Path]:
    """The files that git keeps, or would: those that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout  # noqa: S603 - of constants
    return [root / name for name in listed.decode().split("\0") if name and (root / name).is_file()]


def exceptions(path: Path = ALLOWED) -> dict[str, str]:
    """Reasons by fingerprint.

    Raises:
        ValueError: a line has no reason.
    """
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            known, _, reason = line.partition(" ")
            if not re.fullmatch(r"[0-9a-f]{16}", known) or len(reason.strip()) < 8:
                raise ValueError(f"{path.name}:{number}: write a fingerprint and the reason")
            found[known] = reason.strip()
    return found


def check(paths: Iterable[Path], root: Path, allowed: dict[str, str]) -> list[str]:
    """What is wrong, one line each."""
    wrong, used = [], set()
    for path in paths:
        name = path.relative_to(root).as_posix()
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue  # a picture or an archive
        if len(data) > LARGEST:
            wrong.append(f"{name}: {len(data)} octets are too many to look at")
            continue
        for one in scan(name, data.decode("utf-8", "replace")):
            if one.fingerprint in allowed:
                used.add(one.fingerprint)
            else:
                wrong.append(
                    f"{one.path}:{one.line}: {one.kind}; if it is real, revoke it, then take it out; if not, give it a "
                    f"line in checks/not_secrets.txt: {one.fingerprint} REASON"
                )
    wrong += [f"checks/not_secrets.txt: {known} ({allowed[known]}) fits nothing" for known in allowed.keys() - used]
    return wrong


def main() -> int:
    """0 where there is none, 1 with a line for each."""
    paths = tracked(ROOT)
    wrong = check(paths, ROOT, exceptions())
    for line in wrong:
        print(f"secrets: {line}", file=sys.stderr)
    print(f"secrets: {len(paths)} files looked at, {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
