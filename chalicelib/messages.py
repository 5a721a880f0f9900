"""The words every part of the gateway speaks: Outgoing, Incoming, StatusUpdate, OptOut.

`Outgoing` is the platform's own JSON, as RapidPro's External API sends it; the others are what aggregators and SMSCs
tell us, in one vocabulary whatever the protocol was.
"""

from __future__ import annotations

import base64
import enum
import re
import uuid as uuid_module
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chalicelib.text import clean


class Word(BaseModel):
    """Base of all words: immutable, unknown fields ignored, strings without NUL and lone surrogates."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, data: Any) -> Any:
        """An emoji cut in half must not make a record that no JSON reader takes (RFC 8259 section 8.2)."""
        return data if isinstance(data, dict) and _are_plain(data.values()) else _cleaned(data)


def _are_plain(values: Iterable[Any]) -> bool:
    """Nothing in them can need cleaning, which is so of nearly all: they need no copy."""
    for one in values:
        if isinstance(one, str):
            if not one.isascii() or "\0" in one:
                return False
        elif isinstance(one, (dict, list, tuple)) and not _are_plain(one.values() if isinstance(one, dict) else one):
            return False
    return True


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else clean(value)
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {name: _cleaned(item) for name, item in value.items()}
    return value


class Status(enum.StrEnum):
    """What has become of a message, or of one of its parts."""

    QUEUED = "queued"
    WIRED = "wired"  # accepted by the aggregator or SMSC
    SENT = "sent"  # handed to the network
    DELIVERED = "delivered"  # on the phone
    FAILED = "failed"  # never will be

    @property
    def rank(self) -> int:
        """Position on the way; a status only ever rises, and the last two are final."""
        return _RANKS[self]

    @property
    def final(self) -> bool:
        """True for delivered and failed."""
        return self in (Status.DELIVERED, Status.FAILED)


_RANKS = {Status.QUEUED: 0, Status.WIRED: 1, Status.SENT: 2, Status.DELIVERED: 4, Status.FAILED: 5}


_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _channel(value: Any) -> Any:
    """A channel is the platform's integer id or its UUID, in any of UUID's written forms."""
    if isinstance(value, bool) or value is None:
        raise ValueError("must be the channel's integer id or its UUID")
    if isinstance(value, str):
        if value.isascii() and value.isdigit():
            return int(value)
        if _UUID.fullmatch(value):
            return value
        try:
            return str(uuid_module.UUID(value))
        except ValueError:
            raise ValueError("must be the channel's integer id or its UUID") from None
    return value


def _message_id(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be the platform's message id, an integer or a non-empty string")
    if isinstance(value, str):
        value = value.strip()
    if not 1 <= len(str(value)) <= 128 or not str(value).isprintable():
        raise ValueError("must be a printable string of 1 to 128 characters, or an integer")
    return value


def _moment(value: Any) -> Any:
    """A number is seconds since the epoch, or milliseconds where it is too large for seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC)
        except (OverflowError, OSError, ValueError):
            raise ValueError("must be ISO 8601, or seconds or milliseconds since the epoch") from None
    return value


def _octets(value: Any) -> Any:
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise ValueError("must be octets in Base64") from None
    return value


def _header(value: Any) -> Any:
    try:
        octets = bytes.fromhex(value)
    except (TypeError, ValueError):
        raise ValueError("must be a user data header in hex") from None
    if octets and octets[0] != len(octets) - 1:
        raise ValueError("must begin with the number of octets that follow")
    return value


def _replies(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(str(item.get("text", "")) if isinstance(item, dict) else item for item in value)
    return value


ChannelRef = Annotated[int | str, BeforeValidator(_channel)]
MessageId = Annotated[int | str, BeforeValidator(_message_id)]


class Outgoing(Word):
    """A message from the platform to a phone (MT), exactly as the platform's External API writes it."""

    id: MessageId
    text: str = ""
    to: str = Field(min_length=1, max_length=255)
    to_no_plus: str = ""
    from_: str = Field("", alias="from", max_length=255)
    from_no_plus: str = ""
    channel: ChannelRef
    uuid: str | None = None
    attachments: tuple[str, ...] = ()
    quick_replies: Annotated[tuple[str, ...], BeforeValidator(_replies)] = ()
    expires_at: Annotated[datetime | None, BeforeValidator(_moment)] = None
    resend: bool = False
    session_status: str = ""
    response_to_external_id: str = ""  # the aggregator's id of the MO that this answers, where the producer knows it
    # For SMPP. As in what a phone sends that is no text: octets without header, the header, and what the octets are.
    data: Annotated[str, BeforeValidator(_octets)] = ""  # Base64
    udh: Annotated[str, BeforeValidator(_header)] = Field("", max_length=268)  # hex, with its length octet
    data_coding: int | None = Field(None, ge=0, le=255)  # None: 4, octets of 8 bits
    message_class: int | None = Field(None, ge=0, le=3)  # 0: shown at once and not kept (3GPP TS 23.038 section 4)

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, data: Any) -> Any:
        """A null is a missing field. RapidPro now names a message by UUID: `uuid` stands in where `id` is missing."""
        if not isinstance(data, dict):
            return data
        given = data
        if None in data.values():
            given = {name: value for name, value in data.items() if value is not None}
        return given | {"id": given["uuid"]} if given.get("id", "") == "" and given.get("uuid") else given

    @model_validator(mode="after")
    def _without_plus(self) -> Outgoing:
        for plain, bare in (("to", "to_no_plus"), ("from_", "from_no_plus")):
            if not getattr(self, bare):
                object.__setattr__(self, bare, getattr(self, plain).removeprefix("+"))
        return self

    @model_validator(mode="after")
    def _octets_are_told(self) -> Outgoing:
        if not self.data and (self.udh or self.data_coding is not None):
            raise ValueError("udh and data_coding are those of data, which is missing")
        return self

    @property
    def key(self) -> str:
        """The id as the text that names the message everywhere in the gateway."""
        return str(self.id)


class Incoming(Word):
    """A message from a phone to the platform (MO)."""

    channel: str  # UUID
    sender: str  # E.164, short code or alphanumeric
    text: str = ""
    received_at: int | None = None  # ms since the epoch; None: when we received it
    external_id: str = ""
    attachments: tuple[str, ...] = ()


NO_DATA: Final = "a binary message: only links over SMPP carry data"
NAMELESS: Final = "(no id)"  # begins the external id of a receipt that has none: it is kept, and fits no message


class StatusUpdate(Word):
    """What an aggregator or SMSC says of a message that it accepted (DLR). Named by our id or by theirs."""

    channel: str  # UUID
    status: Status
    id: str = ""  # the platform's message id, where the callback URL carried it
    external_id: str = ""
    part: int | None = None  # with `id`: which part, counted from 0; None: the whole message
    at: int | None = None  # ms since the epoch
    code: str = ""  # the aggregator's own error code
    reason: str = ""
    destination: str = ""  # the phone, where told: ids are reused

    @model_validator(mode="after")
    def _named(self) -> StatusUpdate:
        if not self.id and not self.external_id:
            raise ValueError("a status update needs our message id or the aggregator's external id")
        return self


class OptOut(Word):
    """The phone's owner wants no more messages from this channel."""

    channel: str  # UUID
    sender: str
    received_at: int | None = None


EventKind = Literal["incoming", "status", "optout"]
