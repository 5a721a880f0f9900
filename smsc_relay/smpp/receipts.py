"""Delivery receipts: SMPP 3.4 appendix B and section 5.3.2, and all that SMSCs make of them.

TLVs come first (receipted_message_id, message_state); the text fills what they lack. Its keys may come in any order and
case, with any value missing; `text:` is the last and is not read.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final

from chalicelib.messages import Status
from chalicelib.records import Piece
from chalicelib.values import value
from smsc_relay.air import header_of
from smsc_relay.smpp.config import IdForm, SmppConfig
from smsc_relay.smpp.constants import (
    ESM_DELIVERY_ACK,
    ESM_INTERMEDIATE,
    ESM_RECEIPT,
    ESM_TYPE_MASK,
    ESM_UDHI,
    MessageState,
    Tag,
)
from smsc_relay.smpp.pdus import DataSm, DeliverSm
from smsc_relay.smpp.texts import body_of
from smsc_relay.smpp.times import receipt_date

# What `stat` says -> what has become of the message; None: nothing that anybody needs to know.
STATES: Final[dict[str, Status | None]] = {
    "SCHEDULED": None,
    "ENROUTE": Status.SENT,
    "ACCEPTD": Status.SENT,  # final in the standard, merely accepted in the field
    "ACCEPTED": Status.SENT,
    "ACKED": Status.SENT,
    "BUFFRED": Status.SENT,
    "BUFFERD": Status.SENT,
    "BUFFERED": Status.SENT,
    "QUEUED": Status.SENT,
    "PENDING": Status.SENT,
    "SENT": Status.SENT,
    "DELIVRD": Status.DELIVERED,
    "DELIVERD": Status.DELIVERED,
    "DELIVERED": Status.DELIVERED,
    "EXPIRED": Status.FAILED,
    "DELETED": Status.FAILED,
    "UNDELIV": Status.FAILED,
    "UNDELIVERED": Status.FAILED,
    "UNDELIVERABLE": Status.FAILED,
    "UNKNOWN": Status.FAILED,
    "REJECTD": Status.FAILED,
    "REJECTED": Status.FAILED,
    "SKIPPED": Status.FAILED,
    "FAILED": Status.FAILED,
    "BLOCKED": Status.FAILED,
    "NOROUTE": Status.FAILED,
}
_NAMES: Final[dict[int, str]] = {
    MessageState.SCHEDULED: "SCHEDULED",
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
    MessageState.SKIPPED: "SKIPPED",
}
_MEANINGS: Final = {
    "delivered": Status.DELIVERED, "sent": Status.SENT, "failed": Status.FAILED, "ignored": None,
}  # fmt: skip
# Keys are met with no space before them; "id" is the end of too many words for that.
_KEYS: Final = re.compile(r"((?<![A-Za-z0-9_])id|submit\s*date|sub|dlvrd|done\s*date|stat|err|text)\s*:", re.IGNORECASE)
# SMPP 3.4 appendix B, as nearly all write it.
_USUAL: Final = re.compile(
    r"id:(?P<id>[A-Za-z0-9-]+) sub:(?P<sub>\d{1,5}) dlvrd:(?P<dlvrd>\d{1,5}) submit date:(?P<submit>\d{10,14}) "
    r"done date:(?P<done>\d{10,14}) stat:(?P<stat>[A-Z]+) err:(?P<err>[A-Za-z0-9]+)(?: text:.*)?",
    re.DOTALL,
)
_HEX: Final = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{1,16}")  # longer ones are not numbers
_DECIMAL: Final = re.compile(r"[0-9]{1,20}")
_WORD: Final = re.compile(r"[A-Za-z]{1,16}")
_MOST_HALVES: Final = 256


@value
class Receipt:
    """What a receipt says. `status` None: nothing to tell. `external_id` is as `message_id` makes it, "" if missing."""

    external_id: str
    status: Status | None
    stat: str = ""  # as the SMSC calls it
    code: str = ""  # the SMSC's own error code
    at: int | None = None  # ms since the epoch: done date
    fault: str = ""  # why it cannot be used, or what is odd about it; without values


# --- message ids ----------------------------------------------------------------------------------------------------


def message_id(written: str, form: IdForm, other: IdForm) -> str:
    """One form for a message id in however submit_sm_resp and receipts write it, so that they meet: without leading
    zeros and in lower case as text; decimal where they write numbers.

    `form` is that of this place, `other` that of the other. What is not a number, or is longer than 16 hex digits,
    stays text.
    """
    text = written.strip()
    if form == "hex" and _HEX.fullmatch(text):
        return str(int(text, 16))
    if form == "decimal" and _DECIMAL.fullmatch(text):
        return str(int(text))
    if form == "decimal" and other == "hex" and _HEX.fullmatch(text):  # receipted_message_id repeats the response's
        return str(int(text, 16))
    return text.casefold().lstrip("0") or text[-1:]


def response_id(written: str | None, config: SmppConfig) -> str:
    """The id in a submit_sm_resp; "" where there is none."""
    return message_id(written, config.id_in_response, config.id_in_receipt) if written else ""


# --- reading --------------------------------------------------------------------------------------------------------


class Halves:
    """Receipts that an SMSC has cut in two. What waits for its other half is forgotten when too much else has come."""

    def __init__(self) -> None:
        self._parts: OrderedDict[tuple[str, str, int, int, bool], dict[int, str]] = OrderedDict()

    def __len__(self) -> int:
        """Receipts that wait."""
        return len(self._parts)

    def join(self, pdu: DeliverSm | DataSm, piece: Piece, text: str) -> str | None:
        """The whole text once all of it is here."""
        key = (pdu.source_addr, pdu.destination_addr, piece.reference, piece.total, piece.wide)
        parts = self._parts.setdefault(key, {})
        parts.setdefault(piece.sequence, text)
        if len(parts) == piece.total:
            del self._parts[key]
            return "".join(parts[sequence] for sequence in sorted(parts))
        if len(self._parts) > _MOST_HALVES:
            self._parts.popitem(last=False)
        return None


def read(pdu: DeliverSm | DataSm, config: SmppConfig, halves: Halves | None = None) -> Receipt | None:
    """The receipt that a deliver_sm or data_sm is; None: it is none. Never fails."""
    kind = pdu.esm_class & ESM_TYPE_MASK
    marked = kind in (ESM_RECEIPT, ESM_INTERMEDIATE)
    tagged_id = (pdu.tlv_text(Tag.RECEIPTED_MESSAGE_ID) or "").strip()
    tagged_stat = _tagged_stat(pdu)
    if not marked and not (tagged_id and tagged_stat) and not _could_be(pdu, config, kind):
        return None
    body, piece = body_of(pdu), None
    if pdu.esm_class & ESM_UDHI and (header := header_of(body)) is not None:
        body, piece = body[header.length :], header.piece
    text = _text(body)
    fields = _fields(text, config)
    if not marked and not (tagged_id and tagged_stat) and not _convincing(fields, config):
        return None
    if piece is not None and halves is not None and not _complete(tagged_id, tagged_stat, fields):
        whole = halves.join(pdu, piece, text)
        if whole is None:
            return Receipt("", None)
        fields = _fields(whole, config)
    return _receipt(pdu, config, fields, tagged_id, tagged_stat, intermediate=kind == ESM_INTERMEDIATE)


def _could_be(pdu: DeliverSm | DataSm, config: SmppConfig, kind: int) -> bool:
    return kind == ESM_DELIVERY_ACK or (config.unmarked_receipts and kind == 0)


def _convincing(fields: dict[str, str], config: SmppConfig) -> bool:
    """Without a mark a text is a receipt only with an id and a state that is known, at its beginning: a person might
    write "id: 7", and a receipt that reached a flow would be answered, and the answer's receipt too."""
    stat = fields.get("stat", "").upper()
    return bool(fields.get("id")) and (stat in STATES or stat in config.receipt_states) and fields.get("lead") == ""


def _complete(tagged_id: str, tagged_stat: str, fields: dict[str, str]) -> bool:
    return bool(tagged_id or fields.get("id")) and bool(tagged_stat or fields.get("stat"))


def _receipt(
    pdu: DeliverSm | DataSm, config: SmppConfig, fields: dict[str, str], tagged_id: str, tagged_stat: str, *,
    intermediate: bool,
) -> Receipt:  # fmt: skip
    named = (tagged_id, fields.get("id", "")) if config.receipt_id_from == "tlv" else (fields.get("id", ""), tagged_id)
    written = named[0] or named[1]
    external_id = message_id(written, config.id_in_receipt, config.id_in_response) if written else ""
    stat = (tagged_stat or fields.get("stat", "")).upper()
    if not stat:
        return Receipt(external_id, None, fault="a receipt without a state")
    fault = "" if external_id else "a receipt without an id"
    if stat in config.receipt_states:
        status = _MEANINGS[config.receipt_states[stat]]
    elif stat in STATES:
        status = STATES[stat]
    else:
        status = Status.FAILED
        fault = fault or f"a receipt with the unknown state {stat if _WORD.fullmatch(stat) else '(no word)'}"
    if intermediate and status is Status.FAILED:
        status = Status.SENT  # the SMSC goes on trying
    at = receipt_date(fields.get("done", ""), config.zone)
    code = fields.get("err", "") or _network_error(pdu.tlv(Tag.NETWORK_ERROR_CODE))
    return Receipt(external_id, status, stat[:16], code[:32], at, fault)


def _tagged_stat(pdu: DeliverSm | DataSm) -> str:
    state = pdu.tlv_int(Tag.MESSAGE_STATE)
    if state is None:
        return ""
    return _NAMES.get(state - 0x30 if 0x30 <= state <= 0x39 else state, "")  # an ASCII digit is met


def _network_error(value: bytes | None) -> str:
    """`3:0` for network type 3 and error 0; or the three ASCII digits that some SMSCs put there."""
    if not value:
        return ""
    if len(value) == 3 and not value.isdigit():
        return f"{value[0]}:{int.from_bytes(value[1:], 'big')}"
    return value.decode("latin-1") if value.isdigit() else value.hex()


def _text(body: bytes) -> str:
    """The data_coding of a receipt is not to be trusted: one octet a character, unless every other one is NUL."""
    if len(body) >= 4 and len(body) % 2 == 0:
        body = body[1::2] if not any(body[::2]) else body[::2] if not any(body[1::2]) else body
    return body.decode("latin-1").replace("\0", "")


def _fields(text: str, config: SmppConfig) -> dict[str, str]:
    """id, stat, err and done of a receipt's text as far as they are there; `lead`: what comes before them all."""
    if config.receipt_pattern and (match := re.search(config.receipt_pattern, text, re.DOTALL)):
        return {"lead": "", **{name: value.strip() for name, value in match.groupdict().items() if value}}
    if (usual := _USUAL.fullmatch(text)) is not None:
        return {"lead": "", **usual.groupdict()}
    found: dict[str, str] = {}
    matches = list(_KEYS.finditer(text))
    ends = [match.start() for match in matches[1:]]
    for match, end in zip(matches, [*ends, len(text)], strict=False):
        key = match.group(1).lower().split()[0].removesuffix("date")  # "done date" is done, and so is "donedate"
        if key == "text":
            break
        if not found:
            found["lead"] = text[: match.start()].strip()
        value = text[match.end() : end].strip(" \t\r\n,;")
        found.setdefault(key, value.split()[0] if value else "")
    return found
