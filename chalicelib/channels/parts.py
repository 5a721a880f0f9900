"""What one request to an aggregator carries, and the names that messages have in what we hand out."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from chalicelib.channels.request import BadRequest
from chalicelib.messages import Outgoing
from chalicelib.records import Piece
from chalicelib.text import segments, split

MAX_PIECES: Final = 255  # of a long MO
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"([^.]+)(?:\.([2-9]|[1-9][0-9]{1,3}))?")
_PLAIN: Final = re.compile(r"[0-9A-Za-z-]+")


@dataclass(frozen=True)
class Part:
    """One request's share of a message.

    `attachments` are ("content/type", "url") pairs that travel as media; those that travel as text are in `text`.
    `idempotency` names this part of this attempt, the same on every retry, in URL-safe characters where the
    platform's id is. `urgent` is a reply in a conversation, as opposed to bulk.
    """

    message: Outgoing
    index: int
    total: int
    text: str
    attachments: tuple[tuple[str, str], ...]
    address: str
    channel_uuid: str
    idempotency: str
    urgent: bool = False

    @property
    def last(self) -> bool:
        """Is it the message's last part?"""
        return self.index == self.total - 1

    @property
    def quoted_key(self) -> str:
        """The platform's message id, percent-encoded for a callback URL's query."""
        return quote(self.message.key, safe="")


def message_id(text: str) -> str | None:
    """The platform's message id in a callback, as the ledger has it: a positive integer or a UUID; else None."""
    text = text.strip()
    if _UUID.fullmatch(text):
        return text.lower()
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text):
        return str(int(text))
    return None


def part_of(reference: str) -> tuple[str, int] | None:
    """Message id and part (from 0) of a `Part.idempotency` that the aggregator sends back.

    None where it is none of ours, or of a later generation: an id alone does not tell those apart.
    """
    match = _REFERENCE.fullmatch(reference.strip())
    ours = message_id(match[1]) if match else None
    return (ours, int(match[2] or 1) - 1) if match and ours else None


def our_part(reference: str, field: str) -> tuple[str, int]:
    """As `part_of`, whatever generation the reference is of; `field` is the parameter that has it.

    Raises:
        BadRequest: it is none of ours.
    """
    found = part_of(reference.partition("~")[0])
    if found is None:
        raise BadRequest("request failed validation", [f"field '{field}' must be our message id"])
    return found


def short_name(name: str, longest: int) -> str:
    """`name` for aggregators that take so many letters, digits and dashes: itself, else the start of its digest."""
    if len(name) <= longest and _PLAIN.fullmatch(name):
        return name
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:longest]


def within_segments(text: str, most: int) -> list[str]:
    """Cut for an aggregator that makes at most `most` short messages of a request, each part as long as may be."""
    parts: list[str] = []
    while (cut := segments(text)).count > most:
        first = split(text, len("".join(cut.parts[:most])))[0]
        parts.append(first)
        text = text.lstrip()[len(first) :].strip()
    return [*parts, text] if text or not parts else parts


def piece(reference: str, total: int | None, sequence: int | None) -> Piece:
    """Which part of a long MO it is, of an aggregator that leaves the joining to us; `sequence` counts from 1.

    Raises:
        BadRequest: the numbers are missing or make no sense (3GPP TS 23.040 9.2.3.24.1: at most 255 parts).
    """
    if not total or not sequence or not 1 <= sequence <= total <= MAX_PIECES:
        raise BadRequest("the part's number must be from 1 to the number of parts, of which there are at most 255")
    name = int.from_bytes(hashlib.sha256(reference.encode("utf-8", "replace")).digest()[:6], "big")
    return Piece(reference=name, total=total, sequence=sequence)


def international(number: str) -> str:
    """The number with its plus, from an aggregator that writes international numbers without; others as they are.

    What is shorter than eight digits is a short code, and no country code begins with 0 (ITU-T E.164 section 6).
    """
    bare = number.strip()
    return f"+{bare}" if bare.isascii() and bare.isdigit() and len(bare) >= 8 and bare[0] != "0" else number


def split_attachment(attachment: str) -> tuple[str, str] | None:
    """("image/jpeg", "https://…") of RapidPro's "image/jpeg:https://…"; None where it is not of that shape."""
    kind, colon, url = attachment.partition(":")
    return (kind, url) if colon and kind and url else None
