"""What goes from the SMSC to its client: MOs and receipts, each until it is acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from chalicelib.gsm7_national import Language
from smsc_relay.simulator.content import ContentError, Place, cut, cut_national, cut_octets
from smsc_relay.simulator.phones import Segment
from smsc_relay.simulator.script import ScriptError, explain
from smsc_relay.simulator.settings import Alphabet, Latin, Tlvs
from smsc_relay.simulator.smpp_coding import alphabet_of

QUEUED: Final = "queued"
SENT: Final = "sent"
ACKNOWLEDGED: Final = "acknowledged"
REFUSED: Final = "refused"  # for good, or given up

_SHORT: Final = 254  # octets that any protocol's field for a text takes
_PAYLOAD: Final = 65_535


def _hex(value: str) -> str:
    try:
        bytes.fromhex(value)
    except ValueError:
        raise ValueError("must be octets in hex") from None
    return value


Hex = Annotated[str, AfterValidator(_hex)]
Address = Annotated[Latin, Field(max_length=64)]
Octet = Annotated[int, Field(ge=0, le=255)]


class SmppFields(BaseModel):
    """Fields of the deliver_sm, where they are not to be what the message makes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service_type: Latin = Field("", max_length=60)
    source_addr_ton: Octet | None = None
    source_addr_npi: Octet | None = None
    dest_addr_ton: Octet | None = None
    dest_addr_npi: Octet | None = None
    esm_class: Octet | None = None
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    data_coding: Octet | None = None
    tlvs: Tlvs = ()
    via: Literal["deliver_sm", "data_sm"] = "deliver_sm"


class MoRequest(BaseModel):
    """A message that a phone sends: `text`, or `octets` in hex for a binary one."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: Address = Field(alias="from")
    to: Address
    text: str | None = None
    octets: Hex | None = None
    account: str | None = Field(None, description="unset: whose address `to` is")
    session: int | None = Field(None, description="over this one, as long as it is there; unset: any receiver")
    alphabet: Alphabet | None = Field(None, description="unset: the SMSC's own where that does, else ucs2")
    language: Language | None = Field(
        None, description="text by the national tables of a language, as a header tells; unset: by the default alphabet"
    )
    long: Literal["udh8", "udh16", "sar", "payload", "short"] = Field(
        "udh8", description="how a long one goes; short: all in one short_message; payload: always, however short"
    )
    reference: int | None = Field(None, ge=0, le=0xFFFF, description="of a long one; unset: the next")
    udh: Hex = Field("", description="further information elements, in every part")
    parts: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        None, description="which parts to send, in this order; unset: all"
    )
    smpp: SmppFields = SmppFields()

    @classmethod
    def read(cls, data: Any) -> Self:
        """A request from JSON.

        Raises:
            ScriptError: it is none.
        """
        if not isinstance(data, Mapping):
            raise ScriptError("a message is an object with from, to, and text or octets")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ScriptError(explain(error)) from None

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if (self.text is None) == (self.octets is None):
            raise ValueError("needs either text or octets")
        if self.octets is not None and self.alphabet is not None:
            raise ValueError("octets have no alphabet: say what they are with smpp.data_coding")
        if self.language is not None and (self.text is None or self.alphabet not in (None, "gsm7")):
            raise ValueError("language needs a text, and no alphabet but gsm7")
        return self

    def cut(self, next_reference: int, default_alphabet: str = "gsm7") -> list[MoPart]:
        """The parts, in the order to send them; `default_alphabet` is the SMSC's own.

        Raises:
            ContentError: it cannot be made.
        """
        width = 16 if self.long in ("udh16", "sar") else 8
        alphabet, shift, pieces = self._pieces(width, default_alphabet)
        if len(pieces) > 255:
            raise ContentError(f"{len(pieces)} parts; at most 255 go into a long message")
        reference = self.reference if self.reference is not None else next_reference
        elements = bytes.fromhex(self.udh) + shift
        found = []
        for sequence, octets in enumerate(pieces, 1):
            place = None
            if len(pieces) > 1:
                mask = 0xFF if self.long == "udh8" else 0xFFFF
                place = Place(reference & mask, len(pieces), sequence, width, "sar" if self.long == "sar" else "udh")
            part = MoPart(self, octets, alphabet, elements, place)
            if len(part.elements) > 254:
                raise ContentError("the user data header is longer than 255 octets")
            room = _PAYLOAD if part.payload else _SHORT
            if (size := len(octets) + len(part.elements)) > room:
                raise ContentError(f"{size} octets; {room} are possible with long: {self.long}")
            found.append(part)
        if self.parts is None:
            return found
        if max(self.parts, default=0) > len(found):
            raise ContentError(f"parts: the message has only {len(found)}")
        return [found[number - 1] for number in self.parts]

    def _pieces(self, width: int, default: str) -> tuple[str, bytes, list[bytes]]:
        """The alphabet, the information elements that it needs, and the octets of each part."""
        whole = self.long in ("payload", "short")
        if self.octets is not None:
            octets = bytes.fromhex(self.octets)
            return "binary", b"", [octets] if whole else cut_octets(octets, width, len(self.udh) // 2)
        text = self.text or ""
        if self.language is not None:
            shift, found = cut_national(text, self.language, 0 if whole else width)
            return "gsm7", shift.elements, found
        alphabet = self.alphabet
        if alphabet is None and self.smpp.data_coding is not None:
            alphabet = alphabet_of(self.smpp.data_coding, default)
        if alphabet is not None:
            return alphabet, b"", cut(text, alphabet, 0 if whole else width)
        try:
            return default, b"", cut(text, default, 0 if whole else width)
        except ContentError:
            return "ucs2", b"", cut(text, "ucs2", 0 if whole else width)


@dataclass(frozen=True, slots=True)
class MoPart:
    """One short message of an MO."""

    request: MoRequest
    octets: bytes
    alphabet: str
    further: bytes  # information elements
    place: Place | None

    @property
    def payload(self) -> bool:
        """To go where long texts go."""
        return self.request.long == "payload"

    @property
    def elements(self) -> bytes:
        """All information elements."""
        place = self.place
        return self.further + (place.header() if place is not None and place.how == "udh" else b"")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submit."""

    segment: Segment
    state: str
    err: str
    at: int  # ms since the epoch
    final: bool


@dataclass(slots=True, eq=False)
class Delivery:
    """An MO's part or a receipt on its way."""

    body: MoPart | Receipt
    only: int | None = None  # the session it is to go over, as long as there is one
    state: str = QUEUED
    sessions: list[int] = field(default_factory=list)  # that it has been sent over
    status: int = 0  # of the last refusal

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        body = self.body
        told = {"state": body.state, "at": body.at} if isinstance(body, Receipt) else {}
        return {**told, "delivery": self.state, "sessions": self.sessions, "status": self.status}


@dataclass(slots=True, eq=False)
class Mo:
    """An MO that has been injected."""

    number: int
    at: int  # ms since the epoch
    account: str | None  # None: of the first one that comes
    parts: list[Delivery]
    source: str = ""
    to: str = ""

    @property
    def state(self) -> str:
        """Of the part that is behind all others."""
        states = {part.state for part in self.parts}
        return next((state for state in (REFUSED, QUEUED, SENT) if state in states), ACKNOWLEDGED)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "number": self.number,
            "at": self.at,
            "account": self.account,
            "from": self.source,
            "to": self.to,
            "state": self.state,
            "parts": [part.shown() for part in self.parts],
        }
