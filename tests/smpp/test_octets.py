"""What a deliver_sm has beside its text: octets, ports, and the parts of a long message wherever they were cut."""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import gsm7, gsm7_national, parts
from chalicelib.gsm7_national import DEFAULT, Shift
from chalicelib.records import MoEvent
from smsc_relay import air, incoming
from smsc_relay.protocol import Surroundings
from smsc_relay.smpp import texts
from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.pdus import DeliverSm, Tlv, int_tlv
from tests.smpp.test_texts import config

# A WAP push: ports 2948 and 9200, then WSP
WAP: Final = bytes.fromhex("0605040B8423F0") + b"\x01\x06\x00\xbe"
TURKISH, BOTH = Shift(single=1), Shift(single=1, locking=1)


def event(octets: bytes, data_coding: int, esm_class: int = 0, tlvs: tuple[Tlv, ...] = (), **more: Any) -> MoEvent:
    pdu = DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=octets, tlvs=tlvs)
    around = Surroundings("fast", lambda: 1, lambda: "id")
    return incoming.event(around, texts.read(pdu, config(**more)), "+250788123123", "8080", "s", 0)


def ports(destination: int | None = None, source: int | None = None) -> tuple[Tlv, ...]:
    given_ports = ((Tag.DESTINATION_PORT, destination), (Tag.SOURCE_PORT, source))
    return tuple(int_tlv(tag, port) for tag, port in given_ports if port is not None)


# --- octets and ports -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "data_coding", "esm_class", "tlvs", "data", "udh"),
    [
        *[pytest.param(WAP, coding, 0x40, (), WAP[7:], "0605040B8423F0", id=f"WAP push as {coding:02X}")
          for coding in (0x00, 0x02, 0x04, 0x08, 0xF4, 0xF5, 0xF6, 0xF7)],
        pytest.param(bytes.fromhex("0404021234") + b"Hi", 0, 0x40, (), b"Hi", "0404021234", id="a text to 8 bits"),
        pytest.param(b"\x01\x06", 4, 0, ports(2948, 9200), b"\x01\x06", "0605040B8423F0", id="ports in TLVs"),
        pytest.param(b"Hi", 0, 0, ports(9204), b"Hi", "06050423F40000", id="the receiver's in a TLV"),
        pytest.param(b"Hi", 0, 0, ports(source=9200), b"Hi", "0605040000" + "23F0", id="the sender's in a TLV"),
        pytest.param(WAP, 4, 0x40, ports(5, 6), WAP[7:], "0605040B8423F0", id="the header counts before TLVs"),
        pytest.param(b"\x03\x70\x01\x00\x02\x71", 0xF6, 0x40, (), b"\x02\x71", "03700100", id="SIM toolkit"),
        pytest.param(bytes.fromhex("0B05040B8423F0") + b"\x00\x03\x07\x02\x01\xff", 4, 0x40, (), b"\xff",
                     "0605040B8423F0", id="a part"),
        pytest.param(bytes.fromhex("060804012A0201") + b"\xff", 4, 0x40, (), b"\xff", "", id="a part without ports"),
        pytest.param(b"\xff\x00", 4, 0, (), b"\xff\x00", "", id="no header"),
        pytest.param(b"\xe9", 0, 0, (), b"\xe9", "", id="a text that is marked wrongly"),
        pytest.param(WAP[:7], 4, 0x40, (), b"", "0605040B8423F0", id="a header and nothing"),
        pytest.param(b"\x09\x00", 4, 0x40, (), b"\x09\x00", "", id="a broken header"),
    ],
)  # fmt: skip
def test_octets(octets: bytes, data_coding: int, esm_class: int, tlvs: tuple[Tlv, ...], data: bytes, udh: str) -> None:
    found = event(octets, data_coding, esm_class, tlvs)
    assert (base64.b64decode(found.octets), found.udh, found.data_coding) == (data, udh, data_coding)


@pytest.mark.parametrize(
    ("octets", "esm_class", "tlvs"),
    [
        pytest.param(b"Hi", 0, (), id="text"),
        pytest.param(b"\x03\x24\x01\x01\x1bS", 0x40, (), id="in Turkish"),
        pytest.param(b"\x02\x70\x00Hi", 0x40, (), id="an element that says nothing of ports"),
        pytest.param(b"Hi", 0, ports(0, 0), id="no port"),
    ],
)
def test_a_text_is_a_text(octets: bytes, esm_class: int, tlvs: tuple[Tlv, ...]) -> None:
    found = event(octets, 0, esm_class, tlvs)
    assert (found.octets, found.udh, found.charset, found.data_coding) == ("", "", "", None)


@given(octets=st.binary(max_size=700), shuffle=st.randoms())
def test_a_long_binary_message(octets: bytes, shuffle: Any) -> None:
    pieces = [octets[at : at + 128] for at in range(0, len(octets), 128)] or [b""]
    total = len(pieces)
    events = [
        event(air.header(air.port_element(2948, 9200), air.concatenation(7, total, n, wide=False)) + one, 0xF5, 0x40)
        for n, one in enumerate(pieces, 1)
    ]
    shuffle.shuffle(events)
    found = joined(events) if total > 1 else events[0]
    assert (base64.b64decode(found.octets), found.udh, found.data_coding) == (octets, "0605040B8423F0", 0xF5)


# --- parts ----------------------------------------------------------------------------------------------------------


def joined(events: list[MoEvent]) -> MoEvent:
    """What λ record makes of them, in whatever order they came."""
    there = {one.piece.sequence: one for one in events if one.piece}
    return parts.whole(there, len(events))


PLAIN = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("a😀\n"), max_size=40)
EACH: Final[dict[str, tuple[int, dict[str, Any], st.SearchStrategy[str], Callable[[str], bytes], Shift]]] = {
    "UCS-2": (8, {}, PLAIN, lambda text: text.encode("utf-16-be"), DEFAULT),
    "UCS-2 by class": (0x18, {}, PLAIN, lambda text: text.encode("utf-16-be"), DEFAULT),
    "little-endian": (8, {"ucs2_order": "little"}, PLAIN, lambda text: text.encode("utf-16-le"), DEFAULT),
    "UTF-8": (0, {"alphabet": "utf-8"}, PLAIN, lambda text: text.encode(), DEFAULT),
    "UTF-8 for 4": (4, {"mo_charsets": {4: "utf-8"}}, PLAIN, lambda text: text.encode(), DEFAULT),
    "Shift JIS": (5, {}, st.text("a日本ソ表", max_size=40), lambda text: text.encode("shift_jis"), DEFAULT),
    "Korean": (14, {}, st.text("a안녕", max_size=40), lambda text: text.encode("euc_kr"), DEFAULT),
    "GSM 7-bit": (0, {}, st.text("aé{€}@", max_size=40), gsm7.encode, DEFAULT),
    "Turkish": (0, {}, st.text("aŞ€İ{", max_size=40), lambda text: gsm7_national.encode(text, TURKISH), TURKISH),
    "Turkish, both": (0, {}, st.text("aŞ€İğ{", max_size=40), lambda text: gsm7_national.encode(text, BOTH), BOTH),
    "Latin-5": (3, {"mo_charsets": {3: "iso8859-9"}}, st.text("aşé", max_size=40),
                lambda text: text.encode("iso8859-9"), DEFAULT),
}  # fmt: skip


@pytest.mark.parametrize("kind", EACH)
@given(data=st.data())
def test_any_text_in_parts_cut_anywhere_in_any_order(kind: str, data: st.DataObject) -> None:
    coding, more, texts_of_kind, encode, shift = EACH[kind]
    text = data.draw(texts_of_kind.filter(lambda text: text[:1] not in ("\ufeff", "\ufffe")))
    octets = encode(text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), min_size=1, max_size=4)))
    pieces = [octets[begin:end] for begin, end in pairwise([0, *cuts, len(octets)])]
    wide, total = data.draw(st.booleans()), len(pieces)
    events = [
        event(air.header(air.concatenation(7, total, n, wide=wide), shift.elements) + one, coding, 0x40, **more)
        for n, one in enumerate(pieces, 1)
    ]
    found = joined(data.draw(st.permutations(events)))
    assert (found.message.text, found.octets, found.data_coding) == (text, "", None)


def test_packed_septets_in_parts() -> None:
    septets = gsm7.encode("Love is {patient}")
    cut = septets.index(b"\x1b") + 1
    pieces = [air.packed(one, air.fill_bits(6)) for one in (septets[:cut], septets[cut:])]
    events = [
        event(air.header(air.concatenation(7, 2, n, wide=False)) + one, 0, 0x40, alphabet="gsm7_packed")
        for n, one in enumerate(pieces, 1)
    ]
    assert joined(events).message.text == "Love is {patient}"


def test_by_sar() -> None:
    octets = "😀😀".encode("utf-16-be")
    events = [
        event(one, 8, tlvs=(int_tlv(Tag.SAR_MSG_REF_NUM, 300), int_tlv(Tag.SAR_TOTAL_SEGMENTS, 2),
                            int_tlv(Tag.SAR_SEGMENT_SEQNUM, n)))
        for n, one in ((2, octets[3:]), (1, octets[:3]))
    ]  # fmt: skip
    assert joined(events).message.text == "😀😀"
