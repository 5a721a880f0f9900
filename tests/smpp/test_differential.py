"""Our codec and smpp34's, which nobody here has written, on arbitrary PDUs: both must say the same of the same octets.

Where they differ, SMPP 3.4 decides, and the clause stands beside the difference.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import smpp34
from hypothesis import given, settings
from hypothesis import strategies as st

from smsc_relay.smpp.codec import Decoded, decode, encode
from smsc_relay.smpp.constants import Status
from smsc_relay.smpp.errors import SmppDecodeError
from smsc_relay.smpp.layouts import LAYOUTS
from smsc_relay.smpp.pdus import DeliverSm, Pdu, ShortMessage, SubmitSm
from tests.smpp import arbitrary

HEADER = struct.Struct(">IIII")
BODIES = {SubmitSm: smpp34.SubmitSm, DeliverSm: smpp34.DeliverSm}
FIELDS = [item.name for item in LAYOUTS[SubmitSm]]
STRINGS = [item.name for item in LAYOUTS[SubmitSm] if item.kind.name in ("CSTR", "DATE")]
sequences = st.integers(1, 0x7FFFFFFF)
short_messages = st.sampled_from(sorted(BODIES, key=lambda kind: kind.command_id)).flatmap(arbitrary.of)


def in_ascii(pdu: Pdu) -> ShortMessage:
    """With question marks for what ASCII does not have."""
    strings = {name: getattr(pdu, name).encode("ascii", "replace").decode() for name in STRINGS}
    assert isinstance(pdu, ShortMessage)
    return replace(pdu, **strings)


def theirs_of(theirs: Any) -> dict[str, Any]:
    """What smpp34 has read of a submit_sm or deliver_sm."""
    return {**{name: getattr(theirs, name) for name in FIELDS}, "tlvs": [(tlv.tag, tlv.value) for tlv in theirs.tlvs]}


def ours_of(pdu: ShortMessage) -> dict[str, Any]:
    """What we have read of it. C-octet strings are of ASCII (section 3.1): what is not, we take for Latin-1 and smpp34
    for UTF-8."""
    told = {name: getattr(pdu, name) for name in FIELDS}
    told |= {name: told[name].encode("latin-1").decode("utf-8", "replace") for name in STRINGS}
    return {**told, "tlvs": list(pdu.tlvs)}


@given(pdu=short_messages, sequence=sequences)
def test_what_we_write_is_read_the_same(pdu: ShortMessage, sequence: int) -> None:
    theirs = smpp34.decode(encode(pdu, sequence))
    assert isinstance(theirs, BODIES[type(pdu)])
    assert theirs.sequence_number == sequence
    assert theirs_of(theirs) == ours_of(pdu)


@given(pdu=short_messages.map(in_ascii), sequence=sequences)
def test_what_they_write_is_read_the_same(pdu: ShortMessage, sequence: int) -> None:
    told = {**ours_of(pdu), "tlvs": [smpp34.Tlv(tag, value) for tag, value in pdu.tlvs]}
    octets = BODIES[type(pdu)](**told, sequence_number=sequence).encode()
    found = decode(octets)
    assert (found.pdu, found.sequence, found.status) == (pdu, sequence, 0)
    assert octets == encode(pdu, sequence)
    assert smpp34.decode(octets).encode() == octets


@given(pdu=arbitrary.any_pdu, sequence=sequences, status=st.integers(0, 0xFFFF))
def test_every_header_is_read_the_same(pdu: Pdu, sequence: int, status: int) -> None:
    """Of other operations smpp34 reads the header, and keeps the body as it is."""
    octets = encode(pdu, sequence, status)
    theirs = smpp34.decode(octets)
    assert (theirs.command_id, theirs.sequence_number) == (pdu.command_id, sequence)
    if isinstance(theirs, smpp34.RawPdu):
        assert (theirs.command_length, theirs.command_status) == (len(octets), status)
        assert theirs.body == octets[HEADER.size :]


@given(pdu=short_messages, change=st.data())
@settings(max_examples=200)
def test_what_is_damaged_is_refused_or_read_the_same(pdu: ShortMessage, change: st.DataObject) -> None:
    """Octets of a submit_sm or deliver_sm that have changed, gone, or come between others."""
    octets = bytearray(encode(pdu, 1))
    at = change.draw(st.integers(HEADER.size, len(octets)))
    end = change.draw(st.integers(at, min(len(octets), at + 3)))
    octets[at:end] = change.draw(st.binary(max_size=3))
    octets[:4] = len(octets).to_bytes(4, "big")
    same(bytes(octets))


@given(kind=st.sampled_from([4, 5]), body=st.binary(max_size=120))
@settings(max_examples=200)
def test_any_octets_are_refused_or_read_the_same(kind: int, body: bytes) -> None:
    same(HEADER.pack(HEADER.size + len(body), kind, 0, 1) + body)


def same(octets: bytes) -> None:
    """Both refuse it, or both read it and find the same; but for two kinds that smpp34 refuses or misses, and we read
    and mark for a strict receiver to refuse:

    - a short_message that ends before sm_length (section 5.2.21): refused by smpp34;
    - octets after the mandatory fields that make no TLVs (section 5.3.1): read by both, though not as the same TLVs.
    """
    try:
        ours: Decoded | None = decode(octets)
    except SmppDecodeError:
        ours = None
    try:
        theirs: Any = smpp34.decode(octets)
    except smpp34.SmppError:
        theirs = None
    flaws = {flaw.status for flaw in ours.flaws} if ours else set()
    if ours is None or theirs is None:
        assert ours is theirs or (theirs is None and Status.ESME_RINVMSGLEN in flaws), (ours, theirs)
        return
    assert isinstance(ours.pdu, ShortMessage)
    mine, other = ours_of(ours.pdu), theirs_of(theirs)
    if Status.ESME_RINVTLVSTREAM in flaws:
        mine["tlvs"] = other["tlvs"]
    assert mine == other
