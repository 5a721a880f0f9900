"""Delivery receipts: SMPP 3.4 appendix B and section 5.3.2, and all that SMSCs make of them.

TLVs come first (receipted_message_id, message_state, network_error_code); the text fills what they lack. Its keys may
come in any order and case, with any value missing; what follows `text:` is the message's, and is read only for an id or
a state that is nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from chalicelib.messages import Status
from chalicelib.values import value
from smsc_relay import patterns
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
from smsc_relay.smpp.halves import Half
from smsc_relay.smpp.pdus import DataSm, DeliverSm
from smsc_relay.smpp.texts import body_of, sar
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
_KEYS: Final = re.compile(
    r"((?<![A-Za-z0-9_])id|submit\s*date|sub|dlvrd|done\s*date|stat(?:us)?|err|text)\s*:", re.IGNORECASE
)
# SMPP 3.4 appendix B, as nearly all write it.
_USUAL: Final = re.compile(
    r"id:(?P<id>[A-Za-z0-9-]+) sub:(?P<sub>\d{1,5}) dlvrd:(?P<dlvrd>\d{1,5}) submit date:(?P<submit>\d{10,14}) "
    r"done date:(?P<done>\d{10,14}) stat:(?P<stat>[A-Z]+) err:(?P<err>[A-Za-z0-9]+)(?: text:.*)?",
    re.DOTALL,
)
_HEX: Final = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{1,16}")  # longer ones are not numbers
_DECIMAL: Final = re.compile(r"[0-9]{1,20}")
_WORD: Final = re.compile(r"[A-Za-z]{1,16}")
_QUOTES: Final = "\"'"
_SLOW: Final = "a receipt for which receipt_pattern takes too long"
_FORM: Final = 300  # characters
_UNSAID: Final = re.compile(r"[^\W_]+")
_SAID: Final = frozenset((  # words of receipts, which tell nothing of the message
    "code", "date", "delivered", "delivery", "dlvrd", "done", "err", "error", "failed", "for", "has", "id",
    "is", "message", "messageid", "msg", "msgid", "phone", "reason", "receipt", "state", "status", "stat",
    "sub", "submit", "submitted", "text", "time", "to", "was",
))  # fmt: skip


@value
class Receipt:
    """What a receipt says. `status` None: nothing to tell; WIRED, which changes nothing: the state is missing or
    unknown. `external_id` is as `message_id` makes it, "" if missing."""

    external_id: str
    status: Status | None
    stat: str = ""  # as the SMSC calls it
    code: str = ""  # the SMSC's own error code
    at: int | None = None  # ms since the epoch: done date
    fault: str = ""  # why it cannot be used, or what is odd about it; without values
    form: str = ""  # where there is a fault: its text, letters and digits masked


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


def read(pdu: DeliverSm | DataSm, config: SmppConfig) -> Receipt | Half | None:
    """The receipt that a deliver_sm or data_sm is, or the half of one; None: it is none. Never fails."""
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
    if not _complete(tagged_id, tagged_stat, fields) and pdu.tlvs and piece is None:
        piece = sar(pdu)
    if piece is not None and not _complete(tagged_id, tagged_stat, fields):
        return Half(pdu, piece, text)
    return _receipt((pdu,), config, text, fields, tagged_id, tagged_stat)


def joined(pdus: Sequence[DeliverSm | DataSm], text: str, config: SmppConfig) -> Receipt:
    """The receipt whose pieces `pdus` are, as far as they are here. Never fails."""
    ids = ((pdu.tlv_text(Tag.RECEIPTED_MESSAGE_ID) or "").strip() for pdu in pdus)
    stats = (_tagged_stat(pdu) for pdu in pdus)
    tagged_id, tagged_stat = next(filter(None, ids), ""), next(filter(None, stats), "")
    return _receipt(pdus, config, text, _fields(text, config), tagged_id, tagged_stat)


def _could_be(pdu: DeliverSm | DataSm, config: SmppConfig, kind: int) -> bool:
    return kind == ESM_DELIVERY_ACK or (config.unmarked_receipts and kind == 0)


def _convincing(fields: dict[str, str], config: SmppConfig) -> bool:
    """Without a mark a text is a receipt only with an id and a state that is known, at its beginning: a person might
    write "id: 7", or fill in a form with "status:", and a receipt that reached a flow would be answered, and the
    answer's receipt too."""
    stat = fields.get("stat", "").upper()
    return bool(fields.get("id")) and (stat in STATES or stat in config.receipt_states) and fields.get("lead") == ""


def _complete(tagged_id: str, tagged_stat: str, fields: dict[str, str]) -> bool:
    return bool(tagged_id or fields.get("id")) and bool(tagged_stat or fields.get("stat") or fields.get("status"))


def _receipt(
    pdus: Sequence[DeliverSm | DataSm],
    config: SmppConfig,
    text: str,
    fields: dict[str, str],
    tagged_id: str,
    tagged_stat: str,
) -> Receipt:
    external_id = _external_id(tagged_id, fields, config)
    stat = _named(tagged_stat or fields.get("stat") or fields.get("status") or fields.get("text stat", ""), config)
    fault = _SLOW if "slow" in fields else "" if external_id else "a receipt without an id"
    status: Status | None
    if not stat:
        status, fault = Status.WIRED, _SLOW if "slow" in fields else "a receipt without a state"
    elif stat in config.receipt_states:
        status = _MEANINGS[config.receipt_states[stat]]
    elif stat in STATES:
        status = STATES[stat]
    else:
        status = Status.WIRED  # nobody knows: not the end of a message that may well have been delivered
        fault = fault or f"a receipt with the unknown state {stat if _WORD.fullmatch(stat) else '(no word)'}"
    if status is Status.FAILED and pdus[0].esm_class & ESM_TYPE_MASK == ESM_INTERMEDIATE:
        status = Status.SENT  # the SMSC goes on trying
    at = receipt_date(fields.get("done", ""), config.zone)
    code = _code((pdu.tlv(Tag.NETWORK_ERROR_CODE) for pdu in pdus), fields.get("err") or fields.get("text err", ""))
    return Receipt(external_id, status, stat[:16], code[:32], at, fault, _form(text) if fault else "")


def _form(text: str) -> str:
    """What a receipt looks like, without what it says: for whoever must write a pattern for it."""
    return _UNSAID.sub(lambda said: said[0] if said[0].lower() in _SAID else _masked(said[0]), text[:_FORM])


def _masked(word: str) -> str:
    return "".join("0" if one.isdigit() else "A" if one.isupper() else "a" for one in word)


def _external_id(tagged: str, fields: dict[str, str], config: SmppConfig) -> str:
    """The id by which the submit is found. The TLV often repeats the response's form where the text has the receipts'
    own: of two that look different, the reading counts in which they are one number."""
    ours, other = config.id_in_receipt, config.id_in_response
    told = fields.get("id", "")
    if tagged and told:
        text, tlv = message_id(told, ours, other), message_id(tagged, ours, other)
        if text == tlv or text == message_id(tagged, other, ours):
            return text
        if tlv == message_id(told, other, ours):
            return tlv
        return tlv if config.receipt_id_from == "tlv" else text
    written = tagged or told or fields.get("text id", "")
    return message_id(written, ours, other) if written else ""


def _named(stat: str, config: SmppConfig) -> str:
    """A state in capitals, as this account's `receipt_states` or the field call it. Some write message_state's number
    (SMPP 3.4 section 5.2.28) instead of its name."""
    stat = stat.upper()
    if stat not in config.receipt_states and len(stat) <= 2 and stat.isascii() and stat.isdigit():
        return _NAMES.get(int(stat), stat)
    return stat


def _code(tagged: Iterable[bytes | None], told: str) -> str:
    """The SMSC's error: network_error_code, unless that names none."""
    value = next(filter(None, tagged), b"")
    if told and (value == b"000" or not any(value[1:])):
        return told
    return _network_error(value)


def _tagged_stat(pdu: DeliverSm | DataSm) -> str:
    state = pdu.tlv_int(Tag.MESSAGE_STATE)
    if state is None:
        return ""
    return _NAMES.get(state - 0x30 if 0x30 <= state <= 0x39 else state, "")  # an ASCII digit is met


def _network_error(value: bytes) -> str:
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
    """id, stat, status, err and done of a receipt's text as far as they are there; `lead`: what comes before them all;
    `text id`, `text stat` and `text err`: the last of these after `text:`, where the message's own words are."""
    if config.receipt_pattern:
        try:
            own = patterns.search(config.receipt_pattern, text)
        except patterns.TooSlowError:
            return {**_usual(text), "slow": "yes"}
        if own is not None:
            return {"lead": "", **{name: value.strip() for name, value in own.items()}}
    return _usual(text)


def _usual(text: str) -> dict[str, str]:
    """As `_fields`, of a receipt in the usual form, or something like it."""
    if (usual := _USUAL.fullmatch(text)) is not None:
        return {"lead": "", **usual.groupdict()}
    found: dict[str, str] = {}
    matches = list(_KEYS.finditer(text))
    ends = [match.start() for match in matches[1:]]
    behind = False  # of `text:`
    for match, end in zip(matches, [*ends, len(text)], strict=False):
        key = match.group(1).lower().split()[0].removesuffix("date")  # "done date" is done, and so is "donedate"
        if key == "text":
            behind = True
            continue
        word = _word(text[match.end() : end])
        if not behind:
            if not found:
                found["lead"] = text[: match.start()].strip()
            found.setdefault(key, word)
        elif word:
            found["text " + key.removesuffix("us")] = word
    return found


def _word(value: str) -> str:
    """The first word of a value, without what separates it from the next key, and without quotes."""
    words = value.strip(" \t\r\n,;" + _QUOTES).split()
    return words[0].strip(",;" + _QUOTES) if words else ""
