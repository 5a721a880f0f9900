"""What an SMSC says in words: when it refuses something often the only thing that tells why ("insufficient credit",
"sender not registered"), at a login what it calls itself. It is for logs, for `jangada why` and for terminals, so it is
short and printable, and what a log must not have is masked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 100  # characters: SMPP allows 255 (5.3.2.11), CIMD2 64, and a log line is for reading
NAME: Final = 40  # characters of what the SMSC calls itself
_NUMBER: Final = re.compile(r"[0-9](?:[ ./_()-]{0,2}[0-9]){5,}")  # as long as a phone's, or an account's
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IP: Final = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")  # ours, mostly: "not allowed from ..."
_SPACE: Final = re.compile(r"\s+")
_BESIDE: Final = re.compile(r"[\W_]+")


def reason(name: str, words: str, secrets: Iterable[str] = ()) -> str:
    """The error's name, and behind it what the SMSC says about it, if that is more than the name: "ESME_RSUBMITFAIL:
    sender not registered". Long numbers and `secrets` are masked."""
    text = _shown(words, secrets)[:LONGEST].strip()
    return f"{name}: {text}" if _plain(text) not in ("", _plain(name), _plain(name.removeprefix("ESME_R"))) else name


def name(words: str, secrets: Iterable[str] = ()) -> str:
    """What the SMSC calls itself, as `reason` writes things."""
    return _shown(words, secrets)[:NAME].strip()


def _shown(words: str, secrets: Iterable[str]) -> str:
    text = words
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    text = _NUMBER.sub(lambda found: found[0] if _IP.fullmatch(found[0]) else "***", text)
    text = _SPACE.sub(" ", text[: 4 * LONGEST])  # not before: half a secret is still one
    return "".join(one for one in text if one.isprintable()).strip()


def _plain(text: str) -> str:
    return _BESIDE.sub("", text).casefold()
