"""What a phone has sent, the same for every protocol: its text, and the rest where a text does not say it all."""

from __future__ import annotations

import base64

from chalicelib import charsets
from chalicelib.gsm7_national import DEFAULT
from chalicelib.messages import Incoming
from chalicelib.records import MoEvent, Piece
from chalicelib.text import clean
from chalicelib.values import value
from smsc_relay import air
from smsc_relay.protocol import Surroundings


@value
class Read:
    """An MO's text, and fields of its event as `MoEvent` has them."""

    text: str
    octets: str = ""
    piece: Piece | None = None
    fault: str = ""  # the rule that the peer broke, for the log
    charset: str = ""
    udh: str = ""
    data_coding: int | None = None


def read(octets: bytes, charset: str, data_coding: int, about: air.Header, fault: str = "") -> Read:
    """Of octets without their user data header, which is `about`; their charset is as in `charsets.Written`, the tables
    of GSM 7-bit excepted. Never fails."""
    if charset == "gsm7" or (charset == "ascii" and about.shift != DEFAULT):
        charset = charsets.gsm7_by(about.shift)
    text, sure = charsets.decode(octets, charset)
    if sure and about.piece is None and not about.ports:
        return Read(clean(text), fault=fault)
    udh = air.header(about.others).hex().upper() if about.ports or (about.others and charset == "binary") else ""
    return Read(
        clean(text), as_base64(octets), about.piece, fault, charset if about.piece else "", udh, data_coding
    )  # fmt: skip


def unread(octets: bytes, data_coding: int | None = None, *, fault: str) -> Read:
    """Of octets of which only that is certain that they break a rule."""
    return Read(charsets.readable(octets), as_base64(octets), fault=fault, data_coding=data_coding)


def as_base64(octets: bytes) -> str:
    """For `MoEvent.octets`."""
    return base64.b64encode(octets).decode("ascii")


def event(around: Surroundings, found: Read, sender: str, to: str, session: str, since: int, tlvs: str = "") -> MoEvent:
    """`session`, bound at `since` (ms): what it came over. `tlvs`: as in `MoEvent`."""
    return MoEvent(
        event_id=around.new_id(),
        message=Incoming(channel="", sender=sender, text=found.text),
        aggregator=around.aggregator,
        to=to,
        piece=found.piece,
        session=session,
        session_since=since,
        at=around.wall_ms(),
        octets=found.octets,
        charset=found.charset,
        udh=found.udh,
        data_coding=found.data_coding,
        tlvs=tlvs,
    )
